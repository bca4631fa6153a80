"""What lies between two records: a transaction from begin to end, a connection in use from checkout to checkin.

Guarantee: pure. What began lasts until the next record that ends it; where nobody saw the end, none is made up. Where
the same begins again, what was begun before had ended by then, unseen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Generic, TypeVar

from harness.evidence import OperationKind, PoolEvent, PoolEventKind, SessionOperation

__all__ = ["Lasting", "checkouts", "transactions"]

_T = TypeVar("_T", SessionOperation, PoolEvent)
_ENDS = frozenset({OperationKind.COMMIT, OperationKind.ROLLBACK, OperationKind.CLOSE})
_GIVEN_BACK = frozenset({PoolEventKind.CHECKIN, PoolEventKind.INVALIDATE, PoolEventKind.CLOSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting(Generic[_T]):
    """From the record `start` to the record `end`. Without one nobody saw it end; it was over at `by`, if known."""

    start: _T
    end: _T | None = None
    by: float | None = None

    def until(self, last: float) -> float:
        """When it ended, as far as that is known; if nothing is known of it, at the `last` moment, or at once."""
        if self.end is not None:
            return self.end.at
        return max(self.start.at, last) if self.by is None else self.by


def transactions(operations: Iterable[SessionOperation]) -> list[Lasting[SessionOperation]]:
    """The transactions of each session, in the order of their ends; those without one follow."""
    return _paired(
        operations,
        of=lambda each: each.session,
        begins=lambda each: each.kind is OperationKind.BEGIN,
        ends=lambda each: each.kind in _ENDS,
    )


def checkouts(events: Iterable[PoolEvent]) -> list[Lasting[PoolEvent]]:
    """For how long each connection was out of the pool, in the order of the ends; those without one follow."""
    return _paired(
        events,
        of=lambda each: each.connection,
        begins=lambda each: each.kind is PoolEventKind.CHECKOUT,
        ends=lambda each: each.kind in _GIVEN_BACK,
    )


def _paired(
    records: Iterable[_T], *, of: Callable[[_T], int], begins: Callable[[_T], bool], ends: Callable[[_T], bool]
) -> list[Lasting[_T]]:
    found: list[Lasting[_T]] = []
    begun: dict[int, _T] = {}
    for each in sorted((record for record in records if isfinite(record.at)), key=lambda record: record.at):
        if begins(each):
            if (unseen := begun.pop(of(each), None)) is not None:
                found.append(Lasting(start=unseen, by=each.at))
            begun[of(each)] = each
        elif ends(each) and (start := begun.pop(of(each), None)) is not None:
            found.append(Lasting(start=start, end=each))
    found += [Lasting(start=open_) for open_ in begun.values()]
    return found
