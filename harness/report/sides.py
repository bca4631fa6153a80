"""The three sides of a turn's bill beside each other: the provider's invoice, the client's responses, the ledger.

Guarantee: pure. Every line of the invoice, every response and every row of the turn is there once; sums are exact, with
all the digits of what was added. A difference is named by its side and column, and nothing is said against a side that
was not recorded: it has no sum either, for nothing was recorded of which 0 could be the sum. What tokens cost is not
worked out here: findings say what a price should have been.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import reduce
from typing import TypeVar

from harness.evidence import Charge, LedgerGrain, LedgerRow, ModelResponseSeen, Turn
from harness.report.document import CellDocument, EvidenceDocument

__all__ = ["CLIENT", "INVOICE", "LEDGER", "Bill", "Line", "Sides", "bills", "money", "sides"]

T = TypeVar("T")

INVOICE = ("model", "prompt", "completion")
CLIENT = ("model", "prompt", "completion")
LEDGER = ("model", "prompt", "completion", "total", "prompt cost", "completion cost", "total cost", "status")
"""The columns of each side."""

_EXACT = Context(prec=400, traps=[])
_NULL = "NULL"
_UNTOLD = "?"


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

    `whole` is whether all sides can be compared: each was recorded, and the provider told all of its tokens.
    """

    lines: tuple[Line, ...]
    sums: Line
    missing: tuple[tuple[str, str], ...]
    whole: bool


@dataclass(slots=True, kw_only=True)
class Bill:
    """What was recorded of one turn's bill."""

    turn: Turn
    charges: list[Charge]
    responses: list[ModelResponseSeen]
    rows: list[LedgerRow]


def bills(cell: CellDocument) -> tuple[list[Bill], list[LedgerRow]]:
    """The bill of each turn, and the rows of no turn: those that no answer and no session leads to."""
    evidence = cell.evidence
    made = [Bill(turn=turn, charges=[], responses=[], rows=[]) for turn in evidence.turns]
    homes = {bill.turn.id: bill for bill in made}
    for charge in evidence.invoice.items:
        if (bill := homes.get(charge.turn)) is not None:
            bill.charges.append(charge)
    for response in evidence.responses.items:
        if response.turn is not None and (bill := homes.get(response.turn)) is not None:
            bill.responses.append(response)
    sessions = {bill.turn.answer.session_id: bill for bill in made if bill.turn.answer is not None} | homes
    answers = {bill.turn.answer.llm_request_id: bill for bill in made if bill.turn.answer is not None}
    others: list[LedgerRow] = []
    for row in evidence.ledger.items:
        named = sessions.get(row.session_id) if row.session_id is not None else None
        home = named or answers.get(row.id)
        (others if home is None else home.rows).append(row)
    return made, others


def sides(bill: Bill, evidence: EvidenceDocument) -> Sides:
    """The turn's bill, line by line."""
    reasons = {
        "invoice": evidence.invoice.missing,
        "client": evidence.responses.missing,
        "ledger": evidence.ledger.missing,
    }
    missing = {name: reason for name, reason in reasons.items() if reason is not None}
    lines = [_line(*each, missing, evidence.ledger_grain) for each in _matched(bill, evidence.ledger_grain)]
    return Sides(
        lines=tuple(lines),
        sums=_sums(bill, missing),
        missing=tuple(missing.items()),
        whole=not missing and all(charge.untold is None for charge in bill.charges),
    )


_Triple = tuple[Charge | None, ModelResponseSeen | None, LedgerRow | None]


def _matched(bill: Bill, grain: LedgerGrain) -> Iterator[_Triple]:
    """Each charge with the response of its name, or of its tokens; with a row of its tokens if each is to have one."""
    responses, rows = list(bill.responses), list(bill.rows)
    named = {response.response_id for response in responses}
    for charge in sorted(bill.charges, key=lambda each: each.served_at):
        if charge.response_id in named:
            response = _take(responses, [each.response_id == charge.response_id for each in responses])
        else:
            response = _take(responses, [_tokens(each) == _tokens(charge) for each in responses])
        row = None
        if grain is LedgerGrain.REQUEST:
            row = _take(rows, [_tokens(each) == _tokens(charge) for each in rows])
        yield charge, response, row
    for response in responses:
        yield None, response, None
    for row in rows:
        yield None, None, row


def _take(items: list[T], fits: Sequence[bool]) -> T | None:
    """The first that fits, which is then no longer among them."""
    return items.pop(fits.index(True)) if True in fits else None


def _tokens(item: Charge | ModelResponseSeen | LedgerRow) -> tuple[int | None, int | None]:
    return item.prompt_tokens, item.completion_tokens


def _line(
    charge: Charge | None,
    response: ModelResponseSeen | None,
    row: LedgerRow | None,
    missing: dict[str, str],
    grain: LedgerGrain,
) -> Line:
    differs = []
    if charge is not None:
        if response is None and charge.delivered and "client" not in missing:
            differs.append("client")
        if row is None and grain is LedgerGrain.REQUEST and "ledger" not in missing:
            differs.append("ledger")
        for side, other in (("client", response), ("ledger", row)):
            differs += [f"{side}.{column}" for column in _unlike(charge, other)]
    elif (response is not None and "invoice" not in missing) or (
        row is not None and grain is LedgerGrain.REQUEST and "invoice" not in missing
    ):
        differs.append("invoice")
    return Line(
        invoice=() if charge is None else (f"{charge.provider}/{charge.model}", *_counted(charge)),
        client=() if response is None else (response.model or _NULL, *map(str, _tokens(response))),
        ledger=() if row is None else _row(row),
        differs=tuple(differs),
        remark="" if charge is None else _remark(charge),
    )


def _counted(charge: Charge) -> tuple[str, ...]:
    """The tokens that the provider counted, where that is known."""
    return (_UNTOLD, _UNTOLD) if charge.untold is not None else tuple(map(str, _tokens(charge)))


def _unlike(charge: Charge, other: ModelResponseSeen | LedgerRow | None) -> Iterator[str]:
    if other is not None and charge.untold is None:
        if other.prompt_tokens != charge.prompt_tokens:
            yield "prompt"
        if other.completion_tokens != charge.completion_tokens:
            yield "completion"
        if other.model != charge.model:
            yield "model"


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


def _row(row: LedgerRow) -> tuple[str, ...]:
    names = [row.provider or "", row.model or ""]
    counts = [row.prompt_tokens, row.completion_tokens, row.total_tokens]
    costs = [row.prompt_cost, row.completion_cost, row.total_cost]
    return (
        "/".join(filter(None, names)) or _NULL,
        *(_NULL if count is None else str(count) for count in counts),
        *(_NULL if cost is None else money(cost) for cost in costs),
        row.completion_status or _NULL,
    )


def money(amount: Decimal) -> str:
    """An amount with all its digits, never in powers of ten, unless these are more than anybody reads."""
    exponent = amount.as_tuple().exponent
    return f"{amount:f}" if isinstance(exponent, int) and abs(exponent) <= _EXACT.prec else str(amount)


def _sums(bill: Bill, missing: dict[str, str]) -> Line:
    """The sums of the sides that were recorded; of an invoice that does not tell all of its tokens, the least."""
    known = [charge for charge in bill.charges if charge.untold is None]
    served, received, written = _total(known), _total(bill.responses), _total(bill.rows)
    whole = len(known) == len(bill.charges)
    differs = []
    if "invoice" not in missing and whole:
        for side, sums in (("client", received), ("ledger", written)):
            if side not in missing:
                differs += [
                    f"{side}.{name}"
                    for name, *pair in zip(INVOICE[1:], served, sums, strict=True)
                    if pair[0] != pair[1]
                ]
    least = "" if whole else "at least "
    return Line(
        invoice=() if "invoice" in missing else ("sum", *(f"{least}{count}" for count in served)),
        client=() if "client" in missing else ("sum", *map(str, received)),
        ledger=() if "ledger" in missing else _sum_of_rows(bill.rows, written),
        differs=tuple(differs),
    )


def _sum_of_rows(rows: Sequence[LedgerRow], tokens: tuple[int, int]) -> tuple[str, ...]:
    costs = [_added(row.prompt_cost for row in rows), _added(row.completion_cost for row in rows)]
    costs.append(_added(row.total_cost for row in rows))
    total = sum(row.total_tokens or 0 for row in rows)
    return ("sum", *map(str, tokens), str(total), *(_NULL if cost is None else money(cost) for cost in costs), "")


def _total(items: Sequence[Charge | ModelResponseSeen | LedgerRow]) -> tuple[int, int]:
    return sum(item.prompt_tokens or 0 for item in items), sum(item.completion_tokens or 0 for item in items)


def _added(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum of those that are known; `None` if none is."""
    known = [amount for amount in amounts if amount is not None]
    return reduce(_EXACT.add, known) if known else None
