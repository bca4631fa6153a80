"""Invoice, responses and rows beside each other."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from harness.evidence import Charge, Evidence, LedgerGrain, LedgerRow, ModelResponseSeen, Record
from harness.report.sides import Line, Sides, bills, money, sides
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
    assert [each.sums.differs for each in found] == [(), ("ledger.prompt", "ledger.completion"), ()]
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
