"""Cached and reasoning tokens, huge counts, and the model that answers: the same in every scripted tier."""

from decimal import Decimal

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse

from harness.checks.prices import price_of
from harness.errors import UsageError
from harness.fault import WireFault, WireFaultKind
from harness.providers.create import create_provider
from harness.providers.provider import Provider, ScriptedResponse, TurnScript
from harness.providers.wire import WireProvider
from harness.scenario import ModelTier, TokenUsage

MESSAGE = "Who is on duty?"
CACHED = TokenUsage(prompt_tokens=2000, completion_tokens=300, cached_tokens=1536, reasoning_tokens=256)
HUGE = TokenUsage(prompt_tokens=2**40, completion_tokens=2**33, cached_tokens=2**39, reasoning_tokens=2**32)


def script(usage: TokenUsage, *, model: str | None = None) -> TurnScript:
    answer = ScriptedResponse(usage=usage, text="Nobody, it is a holiday.", model=model)
    return TurnScript(turn="t1", message=MESSAGE, responses=(answer,))


async def response_of(provider: Provider, *, stream: bool) -> ModelResponse:
    agent = Agent(provider.model)
    if not stream:
        return (await agent.run(MESSAGE)).response
    async with agent.run_stream(MESSAGE) as streamed:
        await streamed.get_output()
        return streamed.response


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("usage", [CACHED, HUGE], ids=["cached", "huge"])
@pytest.mark.parametrize("model", [None, "gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-5"])
async def test_usage_model_and_cost(provider: Provider, stream: bool, usage: TokenUsage, model: str | None) -> None:
    """The agent sees the invoice's tokens and model, and its cost is the invoice's price, to the last digit."""
    provider.expect(script(usage, model=model))

    response = await response_of(provider, stream=stream)

    (charge,) = provider.invoice()
    seen = response.usage
    assert charge.model == response.model_name == (model or "gpt-4o")
    assert (charge.prompt_tokens, charge.cached_tokens) == (seen.input_tokens, seen.cache_read_tokens)
    assert (charge.completion_tokens, charge.reasoning_tokens) == (seen.output_tokens, usage.reasoning_tokens)
    assert seen.details == {"reasoning_tokens": usage.reasoning_tokens}
    assert seen.input_tokens == usage.prompt_tokens
    assert isinstance(seen.cost, Decimal)
    assert price_of([charge]).total == response.cost().total_price == seen.cost
    assert charge.delivered


async def test_model_that_has_no_price(provider: Provider, stream: bool) -> None:
    """An answer by a model that no price list knows has no cost on either side."""
    provider.expect(script(CACHED, model="made-up"))

    response = await response_of(provider, stream=stream)

    assert response.model_name == "made-up"
    assert response.usage.cost is None
    assert price_of(provider.invoice()).total is None


async def test_faults_need_a_wire() -> None:
    """The tier without a wire refuses a script with faults, and says which tier has one."""
    provider = create_provider(ModelTier.SCRIPTED)
    plain = script(CACHED)
    faults = (WireFault(kind=WireFaultKind.SERVER_ERROR),)

    with pytest.raises(UsageError, match=r"has faults \(server_error at response 0\), .* no wire .* use 'wire'"):
        provider.expect(TurnScript(turn="t1", message=MESSAGE, responses=plain.responses, faults=faults))

    assert provider.faults() == ()


@pytest.mark.parametrize("arguments", [{"fallback_model_name": "gpt-4o-mini"}, {"max_retries": 1}])
def test_fallback_and_retries_need_a_wire(arguments: dict[str, str | int]) -> None:
    """Nothing fails in the tier without a wire, so that nothing of this could be shown in it."""
    with pytest.raises(UsageError, match="the model tier 'scripted' has no fallback model and no client that retries"):
        create_provider(ModelTier.SCRIPTED, **arguments)  # type: ignore[arg-type] # one type for each


async def test_arguments_are_passed_on() -> None:
    """A provider of the tier `wire` has the fallback model that was asked for."""
    wire = create_provider(ModelTier.WIRE, fallback_model_name="gpt-4o-mini", max_retries=1, client_seconds=60.0)
    assert isinstance(wire, WireProvider)
    await wire.start()

    assert wire.fallback_model is not None
    assert (wire.model.model_name, wire.fallback_model.model_name) == ("gpt-4o", "gpt-4o-mini")
    await wire.stop()
