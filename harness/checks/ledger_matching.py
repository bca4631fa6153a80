"""Which row carries which bill.

Rows are laid next to bills by a list of rules, the strictest first; what one rule has settled the next does not touch.
First those of the turn whose session a row names, with the bill's very tokens, and among these those with its cost and
model. Then rows that another turn lacks, by what its answer names, or by tokens: one row in the wrong place is one
mistake, and not a row missing here and one too many there. What is left of a turn's rows and bills differs in its
tokens, and is paired by what is still alike, or by age.

Every rule takes time in proportion to rows and bills. The outcome does not depend on the order of the rows.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from harness.checks.ledger_account import Bill, Entry, tokens_of, total_of
from harness.evidence import Charge, LedgerGrain, LedgerRow
from harness.model_names import COMPLETE

__all__ = ["by_age", "grain_of", "match"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A row can carry a bill if its keys have the bill's; `undisputed`: unless only another turn's answer names it."""

    bill: Callable[[Bill], Hashable]
    entry: Callable[[Entry], Iterable[Hashable]]
    undisputed: bool = False


def by_age(row: LedgerRow) -> tuple[datetime, str]:
    """The key that sorts rows, those without a time first."""
    at = row.created_at or _LONG_AGO
    return (at if at.tzinfo else at.replace(tzinfo=UTC), repr(row))


def grain_of(charges: Sequence[Charge], rows: Sequence[LedgerRow], declared: LedgerGrain) -> LedgerGrain:
    """The grain in which a turn's rows are written: the declared one, unless they can only be read as the other."""
    served = [tokens_of(charge) for charge in charges]
    written = [tokens_of(row) for row in rows]
    if declared is LedgerGrain.TURN:
        per_request = len(written) > 1 and not Counter(written) - Counter(served)
        return LedgerGrain.REQUEST if per_request else declared
    per_turn = served and total_of(charges) in written and not set(written) & set(served)
    return LedgerGrain.TURN if per_turn else declared


def match(bills: Sequence[Bill], entries: Iterable[Entry]) -> None:
    """Settle which entry carries which bill."""
    ranked = sorted(entries, key=_rank)
    for rule in _RULES:
        waiting = _waiting(rule, ranked)
        for bill in bills:
            entry = _next(waiting[rule.bill(bill)]) if bill.entry is None else None
            if entry is not None:
                bill.entry, entry.bill = entry, bill


def _rank(entry: Entry) -> tuple[bool, bool, bool, bool, tuple[datetime, str]]:
    """Of rows that are alike, the turn's own come first: by tenant, by what its answer names, by how it ended."""
    home, status = entry.home, entry.row.completion_status
    foreign = home is not None and not entry.is_for(home)
    other_ending = home is not None and status is not None and (status == COMPLETE) is (home.answer is None)
    return (entry.repeated, foreign, home not in entry.claimants, other_ending, by_age(entry.row))


def _waiting(rule: _Rule, entries: Iterable[Entry]) -> defaultdict[Hashable, deque[Entry]]:
    waiting: defaultdict[Hashable, deque[Entry]] = defaultdict(deque)
    for entry in entries:
        if entry.bill is None and not (rule.undisputed and entry.is_disputed):
            for key in rule.entry(entry):
                waiting[key].append(entry)
    return waiting


def _next(queue: deque[Entry]) -> Entry | None:
    """The first that nobody has taken under another key."""
    while queue:
        entry = queue.popleft()
        if entry.bill is None:
            return entry
    return None


def _home(entry: Entry) -> str | None:
    return entry.home.id if entry.home else None


def _cost(row: LedgerRow) -> Decimal | None:
    """The row's cost as a key: what is no number is like no other."""
    return row.total_cost if row.total_cost is not None and row.total_cost.is_finite() else None


_RULES = (
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.tokens, sum(bill.tokens), bill.price.total, bill.charges[-1].model),
        entry=lambda entry: [(_home(entry), entry.tokens, entry.row.total_tokens, _cost(entry.row), entry.row.model)],
        undisputed=True,
    ),
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.tokens, bill.price.total),
        entry=lambda entry: [(_home(entry), entry.tokens, _cost(entry.row))],
        undisputed=True,
    ),
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.tokens),
        entry=lambda entry: [(_home(entry), entry.tokens)],
        undisputed=True,
    ),
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.tokens),
        entry=lambda entry: [(turn.id, entry.tokens) for turn in entry.claimants],
    ),
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.tokens),
        entry=lambda entry: [(_home(entry), entry.tokens)],
    ),
    _Rule(
        bill=lambda bill: (bill.turn.tenant, bill.turn.agent, bill.tokens),
        entry=lambda entry: [(entry.row.account_slug, entry.row.agent_instance_slug, entry.tokens)],
    ),
    _Rule(
        bill=lambda bill: bill.tokens,
        entry=lambda entry: [entry.tokens],
    ),
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.price.total),
        entry=lambda entry: [(_home(entry), _cost(entry.row))],
    ),
    _Rule(
        bill=lambda bill: (bill.turn.id, bill.tokens[0]),
        entry=lambda entry: [(_home(entry), entry.row.prompt_tokens)],
    ),
    _Rule(
        bill=lambda bill: bill.turn.id,
        entry=lambda entry: [_home(entry)],
    ),
    _Rule(
        bill=lambda bill: bill.turn.id,
        entry=lambda entry: [turn.id for turn in entry.claimants],
    ),
)
