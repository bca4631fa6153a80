"""The three sides of a turn's bill beside each other: the provider's invoice, the client's responses, the ledger.

Guarantee: pure. Every line of the invoice, every response and every row of the turn is there once; sums are exact, with
all the digits of what was added. A difference is named by its side and column (`sides_differences`), and nothing
is said against a side that was not recorded: it has no sum either, for nothing was recorded of which 0 could be the
sum. What tokens cost is not worked out here: findings say what a price should have been.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from harness.evidence import Charge, LedgerGrain, LedgerRow, ModelResponseSeen, Turn
from harness.model_names import names_its_source
from harness.report import sides_differences as differences
from harness.report import sides_texts as texts
from harness.report.document import CellDocument, EvidenceDocument

__all__ = ["Bill", "Line", "Sides", "bills", "sides"]

T = TypeVar("T")

_NIL = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What each side says on one line; a side that says nothing is empty. `differs` names columns: `client.prompt`."""

    invoice: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    ledger: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The lines, and each side's sums; `missing` names the sides that were not recorded, each with the reason.

    `whole` is whether all sides can be compared: each was recorded, and the provider told all of its tokens. `gaps`:
    there are `NULL`s, which were compared with nothing.
    """

    lines: tuple[Line, ...]
    sums: Line
    missing: tuple[tuple[str, str], ...]
    whole: bool
    gaps: bool


@dataclass(slots=True, kw_only=True)
class Bill:
    """What was recorded of one turn's bill."""

    turn: Turn
    charges: list[Charge]
    responses: list[ModelResponseSeen]
    rows: list[LedgerRow]


def bills(cell: CellDocument) -> tuple[list[Bill], list[LedgerRow]]:
    """The bill of each turn, and the rows of no turn: those that no answer and no session leads to.

    A row belongs to the turn whose answer names it, whatever its session, which may be one for a whole conversation;
    else to the turn whose session it names, if that is the session of no other.
    """
    evidence = cell.evidence
    made = [Bill(turn=turn, charges=[], responses=[], rows=[]) for turn in evidence.turns]
    homes = {bill.turn.id: bill for bill in made}
    for charge in evidence.invoice.items:
        if (bill := homes.get(charge.turn)) is not None:
            bill.charges.append(charge)
    for response in evidence.responses.items:
        if response.turn is not None and (bill := homes.get(response.turn)) is not None:
            bill.responses.append(response)
    home = _homes_of_rows(made)
    others: list[LedgerRow] = []
    for row in evidence.ledger.items:
        found = home(row)
        (others if found is None else found.rows).append(row)
    return made, others


def _homes_of_rows(made: Sequence[Bill]) -> Callable[[LedgerRow], Bill | None]:
    sent = {bill.turn.id: bill for bill in made}
    answered: defaultdict[str | None, list[Bill]] = defaultdict(list)
    named: defaultdict[UUID | None, list[Bill]] = defaultdict(list)
    for bill in made:
        if (answer := bill.turn.answer) is not None:
            answered[answer.session_id].append(bill)
            named[answer.llm_request_id].append(bill)

    def home(row: LedgerRow) -> Bill | None:
        session = row.session_id if row.session_id != str(_NIL) else None
        own = [] if session is None else [sent[session]] if session in sent else answered[session]
        claims = [] if row.id == _NIL else named[row.id]
        # of several answers that name one row, that of its session
        for candidates in (claims, [bill for bill in claims if bill in own], own):
            if len(candidates) == 1:
                return candidates[0]
        return claims[0] if claims else None

    return home


def sides(bill: Bill, evidence: EvidenceDocument) -> Sides:
    """The turn's bill, line by line."""
    reasons = {
        "invoice": evidence.invoice.missing,
        "client": evidence.responses.missing,
        "ledger": evidence.ledger.missing,
    }
    missing = {name: reason for name, reason in reasons.items() if reason is not None}
    grain = evidence.ledger_grain
    matched = list(_matched(bill, grain))
    return Sides(
        lines=tuple(_line(each, bill, missing, grain) for each in matched),
        sums=_sums(bill, missing, grain),
        missing=tuple(missing.items()),
        whole=not missing and _is_told(bill.charges),
        gaps=any(differences.has_gaps(response, row) for _, response, row in matched),
    )


_Triple = tuple[Charge | None, ModelResponseSeen | None, LedgerRow | None]


def _matched(bill: Bill, grain: LedgerGrain) -> Iterator[_Triple]:
    """Each charge with the response of its name, or of its tokens; with a row of its tokens if each is to have one."""
    responses, rows = list(bill.responses), list(bill.rows)
    named = {response.response_id for response in responses}
    charges = sorted(bill.charges, key=lambda each: each.served_at)
    carried = _carried(charges, rows) if grain is LedgerGrain.REQUEST else {}
    for place, charge in enumerate(charges):
        if charge.response_id in named:
            response = _take(responses, [each.response_id == charge.response_id for each in responses])
        else:
            response = _take(responses, [_tokens(each) == _tokens(charge) for each in responses])
        yield charge, response, carried.get(place)
    for response in responses:
        yield None, response, None
    for row in rows:
        yield None, None, row


def _carried(charges: Sequence[Charge], rows: list[LedgerRow]) -> dict[int, LedgerRow]:
    """The row for each charge, by its place: one of its tokens and model, or else of its tokens; takes them."""
    carried: dict[int, LedgerRow] = {}
    for by_model in (True, False):
        for place, charge in enumerate(charges):
            if place in carried:
                continue
            fits = [
                _tokens(row) == _tokens(charge) and (not by_model or names_its_source(row, [charge])) for row in rows
            ]
            if (row := _take(rows, fits)) is not None:
                carried[place] = row
    return carried


def _take(items: list[T], fits: Sequence[bool]) -> T | None:
    """The first that fits, which is then no longer among them."""
    return items.pop(fits.index(True)) if True in fits else None


def _tokens(item: Charge | ModelResponseSeen | LedgerRow) -> tuple[int | None, int | None]:
    return item.prompt_tokens, item.completion_tokens


def _is_told(charges: Iterable[Charge]) -> bool:
    return all(charge.untold is None for charge in charges)


def _line(triple: _Triple, bill: Bill, missing: dict[str, str], grain: LedgerGrain) -> Line:
    charge, response, row = triple
    differs = [*_lacking(triple, bill.turn, missing, grain)]
    if charge is not None and response is not None:
        differs += differences.response_differences(charge, response)
    if row is not None:
        differs += differences.row_of_its_own(row)
        served = [charge] if charge is not None else bill.charges if grain is LedgerGrain.TURN else []
        if _is_told(served):
            differs += differences.row_differences(row, served, bill.turn)
    return Line(
        invoice=() if charge is None else texts.charge_texts(charge),
        client=() if response is None else texts.response_texts(response),
        ledger=() if row is None else texts.row_texts(row),
        differs=tuple(dict.fromkeys(differs)),
        remark="" if charge is None else _remark(charge),
    )


def _lacking(triple: _Triple, turn: Turn, missing: dict[str, str], grain: LedgerGrain) -> Iterator[str]:
    """The sides that should say something on this line, and do not; at the grain of a turn rows stand by themselves."""
    charge, response, row = triple
    by_request = grain is LedgerGrain.REQUEST
    if charge is None:
        stray = row is not None and by_request and not differences.notes_nothing(row, turn)
        if "invoice" not in missing and (response is not None or stray):
            yield "invoice"
        return
    if response is None and charge.delivered and "client" not in missing:
        yield "client"
    if row is None and by_request and "ledger" not in missing:
        yield "ledger"


def _remark(charge: Charge) -> str:
    said = [
        "streamed" if charge.stream else "",
        "" if charge.delivered else "not delivered whole",
        f"{charge.cached_tokens} of the prompt's tokens cached" if charge.cached_tokens else "",
        f"{charge.cache_write_tokens} written to a cache" if charge.cache_write_tokens else "",
        f"{charge.reasoning_tokens} of the completion's tokens for reasoning" if charge.reasoning_tokens else "",
        f"tokens not known: {charge.untold}" if charge.untold is not None else "",
    ]
    return "; ".join(filter(None, said))


def _sums(bill: Bill, missing: dict[str, str], grain: LedgerGrain) -> Line:
    """The sums of the sides that were recorded; compared with an invoice that tells all of its tokens."""
    differs: list[str] = []
    if "invoice" not in missing and _is_told(bill.charges):
        if "client" not in missing:
            differs += [f"client.{name}" for name in differences.sums_differ(bill.charges, bill.responses)]
        if "ledger" not in missing:
            differs += [f"ledger.{name}" for name in differences.sums_differ(bill.charges, bill.rows)]
            differs += ["ledger.rows"] * differences.rows_differ(bill.charges, bill.rows, bill.turn, grain)
    return Line(
        invoice=() if "invoice" in missing else texts.sum_of_charges(bill.charges),
        client=() if "client" in missing else texts.sum_of_responses(bill.responses),
        ledger=() if "ledger" in missing else texts.sum_of_rows(bill.rows),
        differs=tuple(differs),
    )
