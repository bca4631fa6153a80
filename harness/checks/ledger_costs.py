"""What is wrong with the amounts of one row: its tokens, its cost, and its totals.

Costs are compared as `Decimal`, to the last digit. One mistake is told once: a cost that is right for tokens that are
wrong, a total that follows from a wrong part, and a zero are each one finding. A fee per request, where a model has
one, may stand in the total alone or be a part of what the prompt costs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.checks.ledger_account import (
    EXACT,
    Bill,
    price_text,
    tokens_of,
    tokens_text,
)
from harness.checks.prices import UNPRICED, Price, price_of, price_of_tokens
from harness.evidence import LedgerRow
from harness.verdict import FindingKind

__all__ = ["Mistake", "amounts_of", "cost_of", "totals_of"]

Mistake = tuple[FindingKind, str]
"""Its kind, and what the row does: the end of a sentence that begins with the row."""


def amounts_of(row: LedgerRow, bill: Bill) -> Iterator[Mistake]:
    """The mistakes of a row that carries a bill."""
    yield from _tokens(row, bill)
    yield from _costs(row, bill)


def totals_of(row: LedgerRow, bills: Sequence[Bill]) -> Iterator[Mistake]:
    """The totals of a row that carries no bill, and should be a copy of one of these, if any."""
    if not _adds_up(row):
        yield _broken_tokens(row)
    cost = cost_of(row)
    if _is_finite(cost) and not _is_sum(cost) and cost not in [bill.price for bill in bills]:
        yield _broken_cost(cost)


def _tokens(row: LedgerRow, bill: Bill) -> Iterator[Mistake]:
    if tokens_of(row) != bill.tokens:
        told = f"has {tokens_text(tokens_of(row))} tokens, and the provider counted {tokens_text(bill.tokens)}"
        yield FindingKind.WRONG_TOKENS, told
    # A total that is right beside a part that is wrong is no second mistake.
    if row.total_tokens != sum(bill.tokens) and not _adds_up(row):
        yield _broken_tokens(row)


def _adds_up(row: LedgerRow) -> bool:
    parts = tokens_of(row)
    if None in parts:
        return parts == (None, None) and row.total_tokens is None
    return row.total_tokens == sum(part or 0 for part in parts)


def _broken_tokens(row: LedgerRow) -> Mistake:
    total = "NULL" if row.total_tokens is None else row.total_tokens
    return FindingKind.BROKEN_TOTAL, f"has {total} tokens in all, and {tokens_text(tokens_of(row))} in its parts"


def _costs(row: LedgerRow, bill: Bill) -> Iterator[Mistake]:
    cost = cost_of(row)
    if not _is_finite(cost):
        yield FindingKind.WRONG_COST, f"has {price_text(cost)}, which is no amount: {_due(bill)}"
        return
    meant = _meant(cost, row, bill)
    if cost != meant and not (cost == UNPRICED and _may_be_unpriced(bill)):
        yield from _unpriced(cost, bill) if bill.price == UNPRICED else _priced(cost, meant, bill)


def _may_be_unpriced(bill: Bill) -> bool:
    """Whether a model of it is listed at nothing for its tokens: the list does not tell free from unknown."""
    return any(any(tokens_of(charge)) and price_of((charge,)).total == 0 for charge in bill.charges)


def _meant(cost: Price, row: LedgerRow, bill: Bill) -> Price:
    """The price to compare with: the bill's, or that of the tokens of the row's own, where the parts are of that."""
    prices = [bill.price, *_prices_of_own_tokens(row, bill)]
    forms = [form for price in prices for form in _forms(price)]
    return next(
        (form for form in forms if (form.prompt, form.completion) == (cost.prompt, cost.completion)), bill.price
    )


def _prices_of_own_tokens(row: LedgerRow, bill: Bill) -> Iterator[Price]:
    """What a row with other tokens than the bill may have taken for their price; none, if it does not know them."""
    prompt, completion = tokens_of(row)
    if (prompt, completion) == bill.tokens:
        return
    yield UNPRICED
    if prompt is not None and completion is not None and min(prompt, completion) >= 0:
        models = {(charge.provider, charge.model): charge for charge in bill.charges}
        for charge in models.values():
            yield price_of_tokens(charge, prompt, completion, at=charge.served_at)
        yield from _prices_of_parts(bill, (prompt, completion))


def _prices_of_parts(bill: Bill, tokens: tuple[int, int]) -> Iterator[Price]:
    """Of one response of several, or of all but one, where it has so many tokens."""
    rest = (bill.tokens[0] - tokens[0], bill.tokens[1] - tokens[1])
    for position, charge in enumerate(bill.charges):
        if tokens_of(charge) == tokens:
            yield price_of((charge,))
        if tokens_of(charge) == rest:
            yield price_of(bill.charges[:position] + bill.charges[position + 1 :])


def _unpriced(cost: Price, bill: Bill) -> Iterator[Mistake]:
    """Of a model without a known price: every part must be NULL."""
    given = [part for part in (cost.prompt, cost.completion, cost.total) if part is not None]
    kind = FindingKind.WRONG_COST if any(given) else FindingKind.NULL_PRICED_AS_ZERO
    yield kind, f"has {price_text(cost)}: {_due(bill)}"
    if None not in (cost.prompt, cost.completion, cost.total) and not _is_sum(cost):
        yield _broken_cost(cost)


def _priced(cost: Price, due: Price, bill: Bill) -> Iterator[Mistake]:
    """Of a model that has a price: parts that are wrong, and a total that neither is right nor follows from them."""
    parts = ((cost.prompt, due.prompt), (cost.completion, due.completion), (cost.total, due.total))
    zero = any(is_ == 0 != due_ for is_, due_ in parts)
    prompt, completion, total = (is_ not in {0, due_} for is_, due_ in parts)
    told, follows = f"has {price_text(cost)}: {_due(bill)}", _is_sum(cost)
    if zero:
        yield FindingKind.ZERO_COST, told
    if prompt or completion or (total and follows and not zero):
        yield FindingKind.WRONG_COST, told
    if total and not follows:
        yield _broken_cost(cost)


def _broken_cost(cost: Price) -> Mistake:
    return FindingKind.BROKEN_TOTAL, f"has costs that do not add up: {price_text(cost)}"


def _due(bill: Bill) -> str:
    tokens = f"{tokens_text(bill.tokens)} tokens of {bill.models}"
    if bill.price == UNPRICED:
        return f"{tokens} have no known price, so that every cost must be NULL"
    return f"{tokens} cost {price_text(bill.price)}"


def cost_of(row: LedgerRow) -> Price:
    """What the row says."""
    return Price(prompt=row.prompt_cost, completion=row.completion_cost, total=row.total_cost)


def _is_finite(cost: Price) -> bool:
    return all(part is None or part.is_finite() for part in (cost.prompt, cost.completion, cost.total))


def _is_sum(cost: Price) -> bool:
    if cost.prompt is None or cost.completion is None:
        return cost == UNPRICED
    return cost.total == EXACT.add(cost.prompt, cost.completion)


def _forms(price: Price) -> Iterator[Price]:
    """A price, and for a model with a fee per request also with the fee in what the prompt costs."""
    yield price
    if price.total is not None and price.completion is not None:
        yield replace(price, prompt=EXACT.subtract(price.total, price.completion))
