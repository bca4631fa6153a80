"""Invoice, responses and rows beside each other."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from harness.evidence import Evidence, LedgerGrain, Record
from harness.report.sides import Sides, bills, money, sides
from harness.scenario import SessionMode
from tests.report import documents, racing


def made(evidence: Evidence) -> Sides:
    cell = documents.cell("s", SessionMode.SHARED, evidence=evidence)
    found, _ = bills(cell)
    return sides(found[0], cell.evidence)


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
    """The ledger has no tokens, and no cost at all: that is NULL, and not 0."""
    found = made(racing.evidence())

    assert found.sums.differs == ("ledger.prompt", "ledger.completion")
    assert found.sums.ledger == ("sum", "0", "0", "0", "NULL", "NULL", "NULL", "")


def test_at_the_grain_of_a_request_each_charge_has_its_row() -> None:
    """By its tokens; a charge without a row, and a row without a charge, differ."""
    seen = racing.evidence(shared=False)
    row = replace(seen.ledger.items[0], prompt_tokens=431, completion_tokens=62, total_tokens=493)
    other = replace(row, id=UUID(int=9), prompt_tokens=7)
    found = made(replace(seen, ledger_grain=LedgerGrain.REQUEST, ledger=Record.of("ledger", [other, row])))

    assert [(bool(line.invoice), bool(line.ledger), line.differs) for line in found.lines] == [
        (True, True, ()),
        (True, False, ("ledger",)),
        (False, True, ("invoice",)),
    ]


def test_a_response_with_other_tokens_is_marked() -> None:
    """Column by column."""
    seen = racing.evidence(shared=False)
    responses = [replace(seen.responses.items[0], completion_tokens=61, model="gpt-4o-mini"), seen.responses.items[1]]

    found = made(replace(seen, responses=Record.of("responses", responses)))

    assert found.lines[0].differs == ("client.completion", "client.model")
    assert found.sums.differs == ("client.completion",)


def test_nothing_is_said_against_a_side_that_was_not_recorded() -> None:
    """Its reason is given instead."""
    found = made(replace(racing.evidence(), ledger=Record.absent("ledger", "no such table")))

    assert found.missing == ("ledger: no such table",)
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
