"""What cached and reasoning tokens cost, and that an agent's own account of it is the same, to the last digit."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from harness.checks.prices import UNPRICED, price_of, price_of_tokens
from harness.evidence import Charge

if TYPE_CHECKING:
    from tests.checks.conftest import Build

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_cached_tokens_have_a_price_of_their_own(build: "Build") -> None:
    """Half of the prompt's for gpt-4o, for that part of the prompt; the completion's price is what it was."""
    price = price_of([build.charge(cached_tokens=800)])

    assert (price.prompt, price.completion, price.total) == (Decimal("0.0015"), Decimal("0.001"), Decimal("0.0025"))


def test_cached_tokens_of_a_model_without_a_cache(build: "Build") -> None:
    """They are priced like the rest of the prompt."""
    charge = build.charge(model="gpt-4")

    assert price_of([replace(charge, cached_tokens=800)]) == price_of([charge])


def test_tokens_that_go_into_a_cache_have_a_price_of_their_own(build: "Build") -> None:
    """A quarter more than the prompt's for Anthropic, and the prompt's where a model has no such price."""
    claude = build.charge(provider="anthropic", model="claude-haiku-4-5")

    plain, written = price_of([claude]), price_of([replace(claude, cache_write_tokens=1000)])

    assert plain.prompt is not None
    assert written.prompt == plain.prompt * Decimal("1.25")
    assert price_of([build.charge(cache_write_tokens=1000)]) == price_of([build.charge()])


def test_what_was_not_told_has_no_price(build: "Build") -> None:
    """Its tokens mean nothing."""
    assert price_of([build.charge(untold="it broke off")]) == UNPRICED


def test_reasoning_tokens_are_in_the_completion(build: "Build") -> None:
    """They cost what the completion's tokens cost, once."""
    charge = build.charge(model="o3")

    assert price_of([replace(charge, reasoning_tokens=60)]) == price_of([charge])


@pytest.mark.parametrize(("own", "cached"), [(1000, 800), (500, 500), (0, 0)])
def test_own_tokens(build: "Build", own: int, cached: int) -> None:
    """Of other tokens than the charge's, no more are cached than there are."""
    charge = build.charge(cached_tokens=800)

    price = price_of_tokens(charge, own, 100, at=charge.served_at)

    assert price == price_of([replace(charge, prompt_tokens=own, cached_tokens=cached)])


def test_tokens_that_a_ledger_cannot_have(build: "Build") -> None:
    """A row that says less than nothing has no price, and is no error of the harness."""
    charge = build.charge(cached_tokens=800)

    assert price_of_tokens(charge, -5, 100, at=charge.served_at) == UNPRICED
    assert price_of_tokens(charge, 1000, -5, at=charge.served_at) == UNPRICED


usages = st.integers(0, 2**40).flatmap(
    lambda prompt: st.tuples(st.just(prompt), st.integers(0, prompt), st.integers(0, 2**40), st.integers(0, 2**20))
)


@given(usage=usages, model=st.sampled_from([("openai", "gpt-4o"), ("openai", "o3"), ("google", "gemini-2.5-pro")]))
def test_an_agent_prices_the_same_usage_alike(usage: tuple[int, int, int, int], model: tuple[str, str]) -> None:
    """`ModelResponse.cost()` gives the same `Decimal`, also beyond 32 bits and across price tiers."""
    prompt, cached, completion, reasoning = usage
    provider, name = model
    charge = Charge(
        response_id="response-1",
        turn="t1",
        provider=provider,
        model=name,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        reasoning_tokens=min(reasoning, completion),
        served_at=AT,
    )
    seen = RequestUsage(
        input_tokens=prompt,
        cache_read_tokens=cached,
        output_tokens=completion,
        details={"reasoning_tokens": charge.reasoning_tokens},
    )

    cost = ModelResponse(parts=[], usage=seen, model_name=name, provider_name=provider, timestamp=AT).cost()

    price = price_of([charge])
    assert (price.prompt, price.completion, price.total) == (cost.input_price, cost.output_price, cost.total_price)
