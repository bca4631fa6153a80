"""What a bill is as rows, without a database."""

from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic_ai.usage import RequestUsage

from fixtures.backend.app.services.bills import rows_of
from tests.backend.bills import answer, bill


@pytest.mark.parametrize("each", [False, True])
def test_nothing_served_is_no_row(*, each: bool) -> None:
    """A bill whose requests were all refused owes nothing."""
    assert rows_of(bill((), (), each=each)) == []


def test_a_turn_is_one_row_with_the_sum_of_all_that_was_served() -> None:
    """Also of what a client sent again unseen, each at the price of its own model."""
    turn = bill((answer(prompt=100), answer(prompt=200)), (), (answer(prompt=50, name="gpt-4o-mini"),))

    [row] = rows_of(turn)

    assert row["id"] == turn.id
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (350, 33, 383)
    assert row["prompt_cost"] == Decimal("0.0007575")
    assert row["completion_cost"] == Decimal("0.0002266")
    assert row["total_cost"] == Decimal("0.0009841")
    assert row["model"] == "gpt-4o-mini"


def test_each_answer_can_be_a_row_and_the_last_one_has_the_identifier_of_the_bill() -> None:
    """The others have identifiers that follow from it: the same ones each time."""
    request = bill((answer(prompt=100), answer(prompt=200)), each=True)

    first, last = rows_of(request)

    assert (first["prompt_tokens"], last["prompt_tokens"]) == (100, 200)
    assert last["id"] == request.id != first["id"]
    assert [row["id"] for row in rows_of(request)] == [first["id"], last["id"]]


def test_an_answer_without_a_count_has_no_cost_and_takes_that_of_the_others() -> None:
    """Tokens that are known are there; a cost that is a part would look like the whole."""
    uncounted = replace(answer(), usage=RequestUsage(unmeasured_requests=1))

    [row] = rows_of(bill((answer(prompt=100),), (uncounted,)))

    assert (row["prompt_tokens"], row["total_cost"]) == (100, None)


def test_a_body_that_the_database_cannot_hold_does_not_hold_up_its_bill() -> None:
    """PostgreSQL's JSON has no NUL."""
    [row] = rows_of(bill((answer("A\x00B"),)))

    assert "\x00" not in str(row["response_body"])
    assert "A\N{REPLACEMENT CHARACTER}B" in str(row["response_body"])
