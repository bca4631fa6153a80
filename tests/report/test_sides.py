"""Invoice, responses and rows beside each other."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from harness.evidence import Answer, Charge, Evidence, LedgerGrain, LedgerRow, ModelResponseSeen, Record
from harness.report.sides import Line, Sides, bills, sides
from harness.report.sides_texts import money
from harness.scenario import SessionMode
from tests.report import documents, racing


def made(evidence: Evidence) -> Sides:
    cell = documents.cell("s", SessionMode.SHARED, evidence=evidence)
    found, _ = bills(cell)
    return sides(found[0], cell.evidence)


def with_rows(*rows: LedgerRow, grain: LedgerGrain = LedgerGrain.TURN) -> Sides:
    return made(replace(racing.evidence(shared=False), ledger_grain=grain, ledger=Record.of("ledger", rows)))


def right() -> LedgerRow:
    """The row that bills the whole turn."""
    return racing.evidence(shared=False).ledger.items[0]


def test_a_bill_that_is_right_differs_nowhere() -> None:
    """At the grain of a turn the row stands by itself, and is compared as a sum."""
    found = made(racing.evidence(shared=False))

    assert [line.invoice for line in found.lines] == [
        ("openai/gpt-4o", "431", "62"),
        ("openai/gpt-4o", "1204", "62"),
        (),
    ]
    assert found.lines[2].ledger == (
        "openai/gpt-4o",
        "1635",
        "124",
        "1759",
        "0.0040875",
        "0.00124",
        "0.0053275",
        "complete",
    )
    assert found.sums.ledger[1:4] == ("1635", "124", "1759")
    assert not found.sums.differs
    assert not any(line.differs for line in found.lines)


def test_a_lost_row_is_a_difference_of_the_sums() -> None:
    """The ledger has no tokens, and there is no cost to add: neither 0 nor the NULL of a row that has no price."""
    found = made(racing.evidence())

    assert found.sums.differs == ("ledger.prompt", "ledger.completion", "ledger.rows")
    assert found.sums.ledger == ("no row", "0", "0", "0", "\N{EM DASH}", "\N{EM DASH}", "\N{EM DASH}", "")


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("ledger.model", {"model": "other-model"}),
        ("ledger.model", {"provider": "anthropic"}),
        ("ledger.total", {"total_tokens": 1}),
        ("ledger.total cost", {"total_cost": Decimal("0.00532750000000000000000000000000001")}),
        ("ledger.total cost", {"total_cost": Decimal("sNaN")}),
        ("ledger.prompt cost", {"prompt_cost": Decimal("Infinity")}),
        ("ledger.status", {"completion_status": "failed"}),
    ],
)
def test_what_a_row_says_wrong_is_marked_where_its_sums_are_right(column: str, changed: dict[str, Any]) -> None:
    """Of a whole turn, and of a request."""
    of_turn = with_rows(replace(right(), **changed))
    of_request = replace(
        right(),
        prompt_tokens=431,
        completion_tokens=62,
        **{"total_tokens": 493, **changed},
    )
    by_request = with_rows(of_request, grain=LedgerGrain.REQUEST)

    assert (of_turn.lines[2].differs, of_turn.sums.differs) == ((column,), ())
    assert by_request.lines[0].differs == (column,)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "openai/gpt-4o-2024-08-06", "provider": "OpenAI"},
        {"model": None, "provider": None},
        {"total_tokens": None},
        {"prompt_cost": None, "completion_cost": None, "total_cost": None},
        {"completion_status": None},
    ],
)
def test_what_can_be_right_is_not_marked(changed: dict[str, Any]) -> None:
    """Another name of the same model, and what is NULL for want of a column or a price; that is told apart."""
    found = with_rows(replace(right(), **changed))

    assert not any(line.differs for line in (*found.lines, found.sums))
    assert found.gaps is (None in changed.values())
    assert not with_rows(right()).gaps


def test_a_status_is_wrong_only_if_something_was_answered() -> None:
    """What the status of a turn that failed is to be nobody knows."""
    seen = racing.evidence(shared=False)
    turn = replace(seen.turns[0], answer=None, error="broke", error_type="E")
    row = replace(right(), completion_status="failed")

    found = made(replace(seen, turns=(turn,), ledger=Record.of("ledger", [row])))

    assert not any(line.differs for line in (*found.lines, found.sums))


def test_a_second_row_of_nothing_is_one_too_many() -> None:
    """One row is to bill the turn; that the other has no tokens does not make two of them one."""
    nothing: dict[str, Any] = dict.fromkeys(("prompt_cost", "completion_cost", "total_cost"))
    empty = replace(right(), id=UUID(int=9), prompt_tokens=0, completion_tokens=0, total_tokens=0, **nothing)

    found = with_rows(right(), empty)

    assert found.sums.differs == ("ledger.rows",)
    assert found.sums.ledger[0] == "sum of 2 rows"


def test_a_row_that_notes_that_nothing_was_served_is_none_too_many() -> None:
    """In a turn without an answer, at either grain."""
    seen = racing.evidence(shared=False)
    turn = replace(seen.turns[0], answer=None)
    nothing: dict[str, Any] = dict.fromkeys(("prompt_cost", "completion_cost", "total_cost"))
    row = replace(right(), prompt_tokens=0, completion_tokens=0, total_tokens=0, completion_status="failed", **nothing)
    ledger = Record.of("ledger", [row])
    invoice, responses = Record[Charge].of("invoice", []), Record[ModelResponseSeen].of("responses", [])
    unserved = replace(seen, turns=(turn,), ledger=ledger, invoice=invoice, responses=responses)

    for grain in LedgerGrain:
        found = made(replace(unserved, ledger_grain=grain))
        assert not any(line.differs for line in (*found.lines, found.sums))


def test_sums_of_which_a_part_is_null_are_the_least() -> None:
    """Of costs and of tokens; a NULL cannot be in the invoice's sum of tokens, and its cost may be right."""
    part = replace(right(), id=UUID(int=9), prompt_tokens=None, total_tokens=None, total_cost=None)

    found = with_rows(right(), part)

    assert found.sums.ledger == (
        "sum of 2 rows",
        "at least 1635",
        "248",
        "at least 1759",
        "0.0081750",
        "0.00248",
        "at least 0.0053275",
        "",
    )
    assert found.sums.differs == ("ledger.prompt", "ledger.completion", "ledger.rows")
    assert with_rows(replace(right(), total_cost=None)).sums.ledger[6] == "NULL"


def test_at_the_grain_of_a_request_each_charge_has_its_row() -> None:
    """By its tokens; a charge without a row, and a row without a charge, differ."""
    seen = racing.evidence(shared=False)
    row = replace(seen.ledger.items[0], prompt_tokens=431, completion_tokens=62, total_tokens=493)
    other = replace(row, id=UUID(int=9), prompt_tokens=7, total_tokens=69)
    found = made(replace(seen, ledger_grain=LedgerGrain.REQUEST, ledger=Record.of("ledger", [other, row])))

    assert [(bool(line.invoice), bool(line.ledger), line.differs) for line in found.lines] == [
        (True, True, ()),
        (True, False, ("ledger",)),
        (False, True, ("invoice",)),
    ]


def test_rows_of_the_same_tokens_are_laid_beside_the_model_that_they_name() -> None:
    """In whatever order they were read; of a model that served nothing there is one mark, and not two."""
    seen = racing.evidence(shared=False)
    one = replace(seen.invoice.items[0], prompt_tokens=7, completion_tokens=5)
    mini = replace(one, response_id="second", model="gpt-4o-mini", served_at=seen.invoice.items[1].served_at)
    row = replace(right(), prompt_tokens=7, completion_tokens=5, total_tokens=12)
    rows = [replace(row, model="gpt-4o-mini"), replace(row, id=UUID(int=9), model="other")]
    billed = replace(seen, ledger_grain=LedgerGrain.REQUEST, invoice=Record.of("invoice", [one, mini]))
    billed = replace(billed, responses=Record.absent("responses", "none"), ledger=Record.of("ledger", rows))

    found = made(billed)

    assert [(line.ledger[0], line.differs) for line in found.lines] == [
        ("openai/other", ("ledger.model",)),
        ("openai/gpt-4o-mini", ()),
    ]


def test_a_response_with_other_tokens_is_marked() -> None:
    """Column by column."""
    seen = racing.evidence(shared=False)
    responses = [replace(seen.responses.items[0], completion_tokens=61, model="gpt-4o-mini"), seen.responses.items[1]]

    found = made(replace(seen, responses=Record.of("responses", responses)))

    assert found.lines[0].differs == ("client.completion", "client.model")
    assert found.sums.differs == ("client.completion",)


def test_a_side_that_was_not_recorded_has_no_sum_and_no_differences() -> None:
    """Its reason is given instead; 0 would say that there was nothing."""
    seen = racing.evidence()
    invoice: Record[Charge] = Record.absent("invoice", "no invoice")
    responses: Record[ModelResponseSeen] = Record.absent("responses", "no responses")
    ledger: Record[LedgerRow] = Record.absent("ledger", "no ledger")

    found = [
        made(replace(seen, invoice=invoice)),
        made(replace(seen, responses=responses)),
        made(replace(seen, ledger=ledger)),
    ]
    nothing = made(replace(seen, invoice=invoice, responses=responses, ledger=ledger))

    assert [each.missing for each in found] == [
        (("invoice", "no invoice"),),
        (("client", "no responses"),),
        (("ledger", "no ledger"),),
    ]
    assert (found[0].sums.invoice, found[1].sums.client, found[2].sums.ledger) == ((), (), ())
    assert [each.sums.differs for each in found] == [(), ("ledger.prompt", "ledger.completion", "ledger.rows"), ()]
    assert not any(each.whole for each in (*found, nothing))
    assert [side for side, _ in nothing.missing] == ["invoice", "client", "ledger"]
    assert (nothing.lines, nothing.sums) == ((), Line())


def test_tokens_that_the_provider_did_not_tell_are_no_zeros() -> None:
    """The sum is then the least that it can be, and differs from nothing."""
    seen = racing.evidence(shared=False)
    charges = [
        seen.invoice.items[0],
        replace(seen.invoice.items[1], prompt_tokens=0, completion_tokens=0, untold="cut"),
    ]

    found = made(replace(seen, invoice=Record.of("invoice", charges)))

    assert found.lines[1].invoice == ("openai/gpt-4o", "?", "?")
    assert found.sums.invoice == ("sum", "at least 431", "at least 62")
    assert not found.sums.differs


def test_sums_have_all_their_digits() -> None:
    """However many these are, and never in powers of ten."""
    seen = racing.evidence(shared=False)
    row = seen.ledger.items[0]
    tiny, large = Decimal("1E-30"), Decimal(10) ** 30
    rows = [replace(row, total_cost=tiny), replace(row, id=UUID(int=9), total_cost=large)]

    found = made(replace(seen, ledger=Record.of("ledger", rows)))

    assert found.sums.ledger[6] == "1000000000000000000000000000000.000000000000000000000000000001"
    assert money(Decimal("1E+3")) == "1000"


def test_a_row_that_leads_to_no_turn_is_told_apart() -> None:
    """It names no session of the cell's, and no answer names it."""
    seen = racing.evidence(shared=False)
    stray = replace(seen.ledger.items[0], id=UUID(int=99), session_id="somewhere else")
    cell = documents.cell(
        "s", SessionMode.SHARED, evidence=replace(seen, ledger=Record.of("ledger", [stray, *seen.ledger.items]))
    )

    found, others = bills(cell)

    assert others == [stray]
    assert [len(bill.rows) for bill in found] == [1]


def homes(evidence: Evidence) -> tuple[list[list[LedgerRow]], list[LedgerRow]]:
    """The rows of each turn, and those of none."""
    found, others = bills(documents.cell("s", SessionMode.SHARED, evidence=evidence))
    return [bill.rows for bill in found], others


def in_one_session(*named: UUID | None) -> Evidence:
    """Two turns of one conversation, answered with its session, of which each names this row."""
    seen = racing.evidence(2, shared=False)
    turns = [
        replace(turn, answer=Answer(text="so", llm_request_id=row, session_id="conversation"))
        for turn, row in zip(seen.turns, named, strict=True)
    ]
    rows = [replace(row, session_id="conversation") for row in seen.ledger.items]
    return replace(seen, turns=tuple(turns), ledger=Record.of("ledger", rows))


def test_a_row_belongs_to_the_turn_whose_answer_names_it() -> None:
    """Also where one session is that of a whole conversation; in which a row that nobody names is of no turn."""
    seen = in_one_session(UUID(int=1), UUID(int=2))
    first, second = seen.ledger.items
    unnamed = in_one_session(UUID(int=1), None)

    assert homes(seen) == ([[first], [second]], [])
    assert homes(unnamed) == ([[first], []], [second])


def test_of_several_answers_that_name_a_row_its_session_decides() -> None:
    """Else it is told once, in the first; the nil UUID names nothing."""
    seen = racing.evidence(2, shared=False)
    first, second = seen.ledger.items
    turns = [replace(turn, answer=Answer(text="so", llm_request_id=second.id)) for turn in seen.turns]
    named = replace(seen, turns=tuple(turns))
    lost = replace(second, session_id="elsewhere")
    nil = [replace(turn, answer=Answer(text="so", llm_request_id=UUID(int=0))) for turn in seen.turns[:1]]
    nameless = replace(lost, id=UUID(int=0))

    assert homes(named) == ([[first], [second]], [])
    assert homes(replace(named, ledger=Record.of("ledger", [lost]))) == ([[lost], []], [])
    assert homes(replace(seen, turns=tuple(nil), ledger=Record.of("ledger", [nameless]))) == ([[]], [nameless])
