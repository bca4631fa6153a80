"""The tier `live`, as far as it goes without a provider: what it needs, and how it asks a server on this machine."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic_ai import Agent

from harness.errors import EnvironmentMissing, UsageError
from harness.providers.budget import Budget, Rates
from harness.providers.live import LiveProvider, not_verified
from harness.providers.provider import TurnScript
from tests.providers.bad_days import KEY, BadDays

OWN_SERVER = "http://127.0.0.1:9/v1"
FREE = Rates(prompt=Decimal(0), completion=Decimal(0))


@pytest.fixture
async def server() -> AsyncIterator[BadDays]:
    """A server that answers as OpenAI's does."""
    async with BadDays() as server:
        yield server


@pytest.fixture
def budget(tmp_path: Path) -> Budget:
    return Budget(Decimal(1), tmp_path / "budget.json")


@pytest.mark.parametrize(
    ("model", "given", "environment", "options", "reason"),
    [
        (None, "1", {}, {}, "needs the name of a model (--model)"),
        ("", "1", {}, {}, "needs the name of a model (--model)"),
        ("gpt-4o", "1", {"OPENAI_API_KEY": KEY}, {}, "a model is named by its provider and its name there"),
        ("test", "1", {}, {}, "a model is named by its provider and its name there"),
        ("openai:", "1", {"OPENAI_API_KEY": KEY}, {}, "a model is named by its provider and its name there"),
        ("nobody:gpt-4o", "1", {}, {}, "the provider 'nobody' cannot be asked"),
        ("openai:gpt-4o", None, {"OPENAI_API_KEY": KEY}, {}, "no budget is given"),
        ("openai:gpt-4o", "0", {"OPENAI_API_KEY": KEY}, {}, "a budget is US dollars above zero"),
        ("openai:gpt-4o", "-1", {"OPENAI_API_KEY": KEY}, {}, "a budget is US dollars above zero"),
        ("openai:gpt-4o", "much", {"OPENAI_API_KEY": KEY}, {}, "a budget is US dollars above zero"),
        ("openai:gpt-4o", "1", {}, {}, "no key for the provider 'openai': set OPENAI_API_KEY"),
        ("openai-chat:gpt-4o", "1", {"OPENAI_API_KEY": ""}, {}, "no key for the provider 'openai-chat'"),
        ("anthropic:claude-haiku-4-5", "1", {}, {}, "set ANTHROPIC_API_KEY"),
        ("openai:no-such-model", "1", {"OPENAI_API_KEY": KEY}, {}, "costs is not known"),
        ("openai-chat:mine", "1", {}, {"base_url": OWN_SERVER}, "costs is not known"),
        ("openai-chat:mine", "1", {}, {"base_url": "127.0.0.1:9", "rates": FREE}, "the address of a server"),
        ("ollama:mine", "1", {}, {"rates": FREE}, "OLLAMA_BASE_URL"),
    ],
)
def test_what_keeps_a_run_from_being_possible(
    model: str | None, given: str | None, environment: Mapping[str, str], options: dict[str, Any], reason: str
) -> None:
    """It is said, before anything is sent; never with a key in it."""
    said = not_verified(model, given, environment, **options)

    assert said is not None
    assert reason in said
    assert KEY not in said


def test_a_provider_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says how to get it."""

    def missing(_: str) -> type[Any]:
        raise ImportError("Please install the `google-genai` package")

    monkeypatch.setattr("harness.providers.live.infer_provider_class", missing)

    said = not_verified("google:gemini-2.5-flash", "1", {"GEMINI_API_KEY": KEY})

    assert said is not None
    assert "a package is missing for the provider 'google': Please install the `google-genai` package" in said


@pytest.mark.parametrize(
    ("model", "environment", "options"),
    [
        ("openai:gpt-4o", {"OPENAI_API_KEY": KEY}, {}),
        ("openai-chat:gpt-4o", {"OPENAI_API_KEY": KEY}, {}),
        ("anthropic:claude-haiku-4-5", {"ANTHROPIC_API_KEY": KEY}, {}),
        ("openai-chat:gpt-4o", {}, {"base_url": OWN_SERVER}),
        ("openai-chat:gpt-4o", {"OPENAI_BASE_URL": OWN_SERVER}, {}),
        ("openai-chat:mine", {}, {"base_url": OWN_SERVER, "rates": FREE}),
        ("ollama:mine", {"OLLAMA_BASE_URL": OWN_SERVER}, {"rates": FREE}),
        ("vllm:mine", {}, {"base_url": OWN_SERVER, "rates": FREE}),
    ],
)
def test_what_can_be_verified(model: str, environment: Mapping[str, str], options: dict[str, Any]) -> None:
    """A key and a price, or a server of one's own."""
    assert not_verified(model, "1", environment, **options) is None


async def test_a_model_that_cannot_be_asked_does_not_start(budget: Budget) -> None:
    """For the same reason."""
    provider = LiveProvider(lambda: None, model="openai:gpt-4o", budget=budget, environment={})

    with pytest.raises(EnvironmentMissing, match="set OPENAI_API_KEY"):
        await provider.start()
    await provider.stop()


async def test_before_its_start_there_is_no_model(budget: Budget) -> None:
    """And it takes no script."""
    provider = LiveProvider(lambda: None, model="openai:gpt-4o", budget=budget, environment={"OPENAI_API_KEY": KEY})

    with pytest.raises(UsageError, match="before it is started"):
        _ = provider.model
    with pytest.raises(UsageError, match="decides by itself"):
        provider.expect(TurnScript(turn="t1", message="Hello?", responses=()))
    assert (provider.invoice(), provider.faults(), provider.fallback_model) == ((), (), None)


async def test_a_request_is_charged_and_paid(server: BadDays, budget: Budget) -> None:
    """By what the server's answer says; the server gets the key, and nobody else."""
    provider = LiveProvider(
        lambda: "t1",
        model="openai-chat:gpt-4o",
        budget=budget,
        environment={"OPENAI_API_KEY": KEY},
        base_url=server.base_url,
    )
    await provider.start()
    try:
        result = await Agent(provider.model).run("Hello?")
        text = repr(provider) + repr(vars(provider).keys()) + repr(provider.model)
    finally:
        await provider.stop()

    (charge,) = provider.invoice()
    assert result.output == "Hello."
    assert (charge.turn, charge.provider, charge.model) == ("t1", "openai", "gpt-4o")
    assert (charge.prompt_tokens, charge.completion_tokens) == (1000, 100)
    assert budget.spent == Decimal("0.0035")
    assert server.keys == [f"Bearer {KEY}"]
    assert KEY not in text


async def test_a_price_that_is_given_wins(server: BadDays, budget: Budget) -> None:
    """Also where the name is listed: the list does not know what a server of one's own costs."""
    provider = LiveProvider(
        lambda: "t1",
        model="openai-chat:gpt-4o",
        budget=budget,
        environment={},
        base_url=server.base_url,
        rates=Rates(prompt=Decimal(1), completion=Decimal(2)),
    )
    await provider.start()
    try:
        await Agent(provider.model).run("Hello?")
    finally:
        await provider.stop()

    assert budget.spent == Decimal("0.0012")


@pytest.mark.parametrize("behaviour", ["rate limit", "server error"])
async def test_no_request_is_repeated_by_the_client(behaviour: str, server: BadDays, budget: Budget) -> None:
    """Each would be another charge."""
    server.behaviour = behaviour
    provider = LiveProvider(
        lambda: "t1", model="openai-chat:gpt-4o", budget=budget, environment={}, base_url=server.base_url
    )
    await provider.start()
    try:
        with pytest.raises(Exception, match="status_code"):
            await Agent(provider.model).run("Hello?")
    finally:
        await provider.stop()

    assert len(server.keys) == 1
    assert provider.invoice() == ()
    assert budget.spent == 0


async def test_a_recorder_sees_what_goes_over_the_network(server: BadDays, budget: Budget) -> None:
    """It sits between the meter and the network."""
    seen: list[str] = []

    class Recorder:
        def transport(self, inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
            class Recorded(httpx2.AsyncBaseTransport):
                async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                    seen.append(request.url.path)
                    return await inner.handle_async_request(request)

                async def aclose(self) -> None:
                    seen.append("closed")
                    await inner.aclose()

            return Recorded()

    provider = LiveProvider(
        lambda: "t1",
        model="openai-chat:gpt-4o",
        budget=budget,
        environment={},
        base_url=server.base_url,
        recording=Recorder(),
    )
    await provider.start()
    await Agent(provider.model).run("Hello?")
    await provider.stop()

    assert seen == ["/v1/chat/completions", "closed"]
