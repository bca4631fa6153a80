"""Where the sides of a bill differ, as far as the document alone can tell: `client.prompt`, `ledger.rows`.

Guarantee: pure, and nothing is said against what can be right. What is `NULL` for want of a column or a price is
compared with nothing, and neither is a charge whose tokens the provider did not tell. A column is named once a line.
What tokens cost is not looked up: whether a cost is the right one is for the ledger's check to say.
"""

from collections.abc import Iterator, Sequence

from harness.evidence import Charge, LedgerGrain, LedgerRow, ModelResponseSeen, Turn
from harness.model_names import COMPLETE, names_its_model, names_its_source
from harness.report.sides_texts import EXACT

__all__ = [
    "has_gaps",
    "notes_nothing",
    "response_differences",
    "row_differences",
    "row_of_its_own",
    "rows_differ",
    "sums_differ",
]


def response_differences(charge: Charge, response: ModelResponseSeen) -> Iterator[str]:
    """Columns in which the client was told something else than the provider counted."""
    if charge.untold is None:
        yield from (f"client.{name}" for name in _tokens_differ(charge, response))
        if not names_its_model(response.model, charge):
            yield "client.model"


def row_of_its_own(row: LedgerRow) -> Iterator[str]:
    """Columns in which a row contradicts itself: totals that are no sums of their parts, costs that are no number."""
    tokens = (row.prompt_tokens, row.completion_tokens)
    if row.total_tokens is not None and None not in tokens and row.total_tokens != sum(filter(None, tokens)):
        yield "ledger.total"
    costs = {
        "prompt cost": row.prompt_cost,
        "completion cost": row.completion_cost,
        "total cost": row.total_cost,
    }
    broken = [name for name, cost in costs.items() if cost is not None and not cost.is_finite()]
    yield from (f"ledger.{name}" for name in broken)
    prompt, completion, total = costs.values()
    if broken or prompt is None or completion is None or total is None:
        return
    if total != EXACT.add(prompt, completion):
        yield "ledger.total cost"


def row_differences(row: LedgerRow, charges: Sequence[Charge], turn: Turn) -> Iterator[str]:
    """Columns in which a row says something else than the charges that it is for; none, if there are none.

    A status is wrong only where the turn was answered with something that was delivered: else it may be right.
    """
    if charges and not names_its_source(row, charges):
        yield "ledger.model"
    arrived = turn.answer is not None and any(charge.delivered for charge in charges)
    if arrived and row.completion_status not in {COMPLETE, None}:
        yield "ledger.status"


def rows_differ(charges: Sequence[Charge], rows: Sequence[LedgerRow], turn: Turn, grain: LedgerGrain) -> bool:
    """Whether there are other rows than the one that a whole turn is to have, if anything was served to it."""
    due = 1 if charges else 0
    return grain is LedgerGrain.TURN and sum(not notes_nothing(row, turn) for row in rows) != due


def notes_nothing(row: LedgerRow, turn: Turn) -> bool:
    """Whether the row only notes that nothing was served, in a turn that was not answered: no bill is due for it."""
    counts = (row.prompt_tokens, row.completion_tokens, row.total_tokens)
    amounts = (*counts, row.prompt_cost, row.completion_cost, row.total_cost)
    return turn.answer is None and row.completion_status not in {COMPLETE, None} and not any(amounts)


def sums_differ(charges: Sequence[Charge], others: Sequence[ModelResponseSeen | LedgerRow]) -> Iterator[str]:
    """The tokens of which the others do not have the invoice's sum; a `NULL` among them cannot be in any sum."""
    prompts = [each.prompt_tokens for each in others]
    completions = [each.completion_tokens for each in others]
    if None in prompts or sum(filter(None, prompts)) != sum(each.prompt_tokens for each in charges):
        yield "prompt"
    if None in completions or sum(filter(None, completions)) != sum(each.completion_tokens for each in charges):
        yield "completion"


def has_gaps(response: ModelResponseSeen | None, row: LedgerRow | None) -> bool:
    """Whether there is a `NULL` that was compared with nothing."""
    if response is not None and response.model is None:
        return True
    if row is None:
        return False
    names = (row.provider, row.model, row.completion_status, row.total_tokens)
    return None in (*names, row.prompt_cost, row.completion_cost, row.total_cost)


def _tokens_differ(charge: Charge, response: ModelResponseSeen) -> Iterator[str]:
    if response.prompt_tokens != charge.prompt_tokens:
        yield "prompt"
    if response.completion_tokens != charge.completion_tokens:
        yield "completion"
