"""What a side of a bill says, as texts for the columns of a table.

Guarantee: pure and exact: amounts have all their digits. A sum of which a part is not known is the least that it can
be, and says so; what is `NULL` in all rows is that, and not 0; and what there is no row for is neither.
"""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from functools import reduce

from harness.evidence import Charge, LedgerRow, ModelResponseSeen

__all__ = [
    "EXACT",
    "charge_texts",
    "money",
    "response_texts",
    "row_texts",
    "source_text",
    "sum_of_charges",
    "sum_of_responses",
    "sum_of_rows",
]

EXACT = Context(prec=400, traps=[])
"""Decimals are added without rounding, and what is no number raises nothing."""

_NULL = "NULL"
_NO_ROW = "\N{EM DASH}"
_UNTOLD = "?"


def charge_texts(charge: Charge) -> tuple[str, ...]:
    """A line of the invoice, with the tokens that the provider counted, where that is known."""
    told = charge.untold is None
    counts = (str(charge.prompt_tokens), str(charge.completion_tokens)) if told else (_UNTOLD, _UNTOLD)
    return (f"{charge.provider}/{charge.model}", *counts)


def response_texts(response: ModelResponseSeen) -> tuple[str, ...]:
    """A response of the client's."""
    return (response.model or _NULL, str(response.prompt_tokens), str(response.completion_tokens))


def row_texts(row: LedgerRow) -> tuple[str, ...]:
    """A row of the ledger."""
    counts = (row.prompt_tokens, row.completion_tokens, row.total_tokens)
    costs = (row.prompt_cost, row.completion_cost, row.total_cost)
    return (
        source_text(row),
        *(_NULL if count is None else str(count) for count in counts),
        *(_NULL if cost is None else money(cost) for cost in costs),
        row.completion_status or _NULL,
    )


def source_text(row: LedgerRow) -> str:
    """The provider and the model that a row names."""
    return "/".join(filter(None, (row.provider, row.model))) or _NULL


def money(amount: Decimal) -> str:
    """An amount with all its digits, never in powers of ten, unless these are more than anybody reads."""
    exponent = amount.as_tuple().exponent
    return f"{amount:f}" if isinstance(exponent, int) and abs(exponent) <= EXACT.prec else str(amount)


def sum_of_charges(charges: Iterable[Charge]) -> tuple[str, ...]:
    """The invoice's sums: of one that does not tell all of its tokens, the least."""
    listed = list(charges)
    counts = [
        (None, None) if each.untold is not None else (each.prompt_tokens, each.completion_tokens) for each in listed
    ]
    return (
        "sum",
        _summed([prompt for prompt, _ in counts], unknown=_UNTOLD),
        _summed([completion for _, completion in counts], unknown=_UNTOLD),
    )


def sum_of_responses(responses: Sequence[ModelResponseSeen]) -> tuple[str, ...]:
    """The client's sums."""
    prompts = [each.prompt_tokens for each in responses]
    return ("sum", _summed(prompts), _summed([each.completion_tokens for each in responses]))


def sum_of_rows(rows: Sequence[LedgerRow]) -> tuple[str, ...]:
    """The ledger's sums, and of how many rows they are; without a row there are no costs to add."""
    return (
        f"sum of {len(rows)} row{'' if len(rows) == 1 else 's'}" if rows else "no row",
        _summed([row.prompt_tokens for row in rows]),
        _summed([row.completion_tokens for row in rows]),
        _summed([row.total_tokens for row in rows]),
        _added([row.prompt_cost for row in rows]),
        _added([row.completion_cost for row in rows]),
        _added([row.total_cost for row in rows]),
        "",
    )


def _summed(counts: Sequence[int | None], *, unknown: str = _NULL) -> str:
    known = [count for count in counts if count is not None]
    if counts and not known:
        return unknown
    return f"{_least(counts)}{sum(known)}"


def _added(amounts: Sequence[Decimal | None]) -> str:
    known = [amount for amount in amounts if amount is not None]
    if not known:
        return _NULL if amounts else _NO_ROW
    return f"{_least(amounts)}{money(reduce(EXACT.add, known))}"


def _least(parts: Sequence[object]) -> str:
    return "at least " if None in parts else ""
