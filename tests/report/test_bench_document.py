"""A benchmark's document: it follows its schema, and what cannot be read as one is refused."""

import json
from pathlib import Path

import jsonschema
import pytest

from harness.errors import MissingEvidence
from harness.report import bench_words as wording
from harness.report import schema
from harness.report.bench_document import BENCH_SCHEMA_VERSION, COMPARISON_SCHEMA_VERSION, read_bench
from tests.report import bench_documents
from tests.report.bench_documents import FAILED, TWO, benchmark


def test_what_is_written_follows_the_published_schema() -> None:
    """Also where an arm failed."""
    published = json.loads(schema.BENCH.path.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(json.loads(benchmark(TWO, FAILED).model_dump_json()))


def test_a_comparison_follows_the_published_schema() -> None:
    """It is a document of its own."""
    published = json.loads(schema.COMPARISON.path.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(published)
    written = json.loads(bench_documents.comparison().model_dump_json())
    jsonschema.Draft202012Validator(published).validate(written)
    assert written["schema_version"] == COMPARISON_SCHEMA_VERSION


def test_a_document_that_was_written_can_be_read_again(tmp_path: Path) -> None:
    """It is the same one."""
    path = tmp_path / "bench.json"
    path.write_text(benchmark(TWO, FAILED).model_dump_json(), encoding="utf-8")

    assert read_bench(path) == benchmark(TWO, FAILED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{}", "is no benchmark: at schema_version: Field required"),
        ('{"schema_version": 1}', "is no benchmark: at started_at: Field required"),
        ("no JSON", "is no benchmark: at the whole: Invalid JSON"),
    ],
)
def test_what_is_no_benchmark_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    """With the place."""
    path = tmp_path / "bench.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(MissingEvidence, match=message):
        read_bench(path)


def test_a_document_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    """Its numbers may mean something else."""
    path = tmp_path / "bench.json"
    other = json.loads(benchmark(TWO).model_dump_json()) | {"schema_version": BENCH_SCHEMA_VERSION + 1, "new": 1}
    path.write_text(json.dumps(other), encoding="utf-8")

    with pytest.raises(MissingEvidence, match="is of schema version 2, and this version reads 1; measure it again"):
        read_bench(path)


def test_what_was_a_number_without_interval_is_not_read(tmp_path: Path) -> None:
    """A baseline of an earlier version can still be compared with; its efficiency is not known."""
    path = tmp_path / "bench.json"
    earlier = json.loads(benchmark(TWO).model_dump_json())
    del earlier["finished"], earlier["warnings"]
    earlier["cases"][0]["arms"][0]["efficiency"] = 0.96
    path.write_text(json.dumps(earlier), encoding="utf-8")

    first, second = read_bench(path).cases[0].arms

    assert first.efficiency is None
    assert second.efficiency == TWO.arms[1].efficiency
    assert wording.efficiency(first) == "-"
