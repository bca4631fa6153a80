"""Prices, without a database."""

from decimal import Decimal

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.usage import RequestUsage

from fixtures.backend.app.services.pricing import Cost, Tokens, price


def respond(model_name: str | None, *, prompt: int = 7, completion: int = 11) -> ModelResponse:
    """An answer with a count of its tokens."""
    usage = RequestUsage(input_tokens=prompt, output_tokens=completion)
    return ModelResponse(parts=[TextPart("Hello.")], model_name=model_name, usage=usage)


def test_a_cost_is_the_sum_of_its_parts_to_the_last_digit() -> None:
    """No binary fraction comes in between."""
    cost = price([respond("gpt-4o", prompt=1, completion=1)] * 3)

    assert cost == Cost(prompt=Decimal("0.0000075"), completion=Decimal("0.00003"))
    assert cost is not None
    assert cost.total == Decimal("0.0000375")


@pytest.mark.parametrize("model_name", [None, "house-model-1"])
def test_one_answer_without_a_price_leaves_the_whole_without(model_name: str | None) -> None:
    """A part of the cost would look like all of it."""
    assert price([respond("gpt-4o"), respond(model_name)]) is None


def test_an_answer_without_a_count_of_tokens_has_no_price() -> None:
    """The provider did not say; a price of zero would be a claim."""
    response = ModelResponse(parts=[], model_name="gpt-4o", usage=RequestUsage(unmeasured_requests=1))

    assert price([response]) is None


def test_tokens_are_added_up() -> None:
    """Prompt and completion apart, and together."""
    tokens = Tokens.of([respond("gpt-4o"), respond("gpt-4o", prompt=100, completion=200)])

    assert (tokens.prompt, tokens.completion, tokens.total) == (107, 211, 318)
