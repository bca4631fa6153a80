"""What lies between two records."""

import math
from collections.abc import Sequence

import pytest

from harness.evidence import OperationKind, PoolEvent, PoolEventKind, SessionOperation
from harness.report.lasting import checkouts, transactions

K, E = OperationKind, PoolEventKind


def operation(kind: OperationKind, at: float, session: int = 1) -> SessionOperation:
    return SessionOperation(kind=kind, session=session, at=at, turn=None, tool_call_id=None, task="task")


def event(kind: PoolEventKind, at: float, connection: int = 1) -> PoolEvent:
    return PoolEvent(
        kind=kind, connection=connection, backend_pid=None, at=at, turn=None, tool_call_id=None, task="task"
    )


@pytest.mark.parametrize(
    ("records", "spells"),
    [
        ([(K.BEGIN, 1.0), (K.FLUSH, 2.0), (K.COMMIT, 3.0)], [(1.0, K.COMMIT, 3.0)]),
        ([(K.COMMIT, 3.0), (K.BEGIN, 1.0)], [(1.0, K.COMMIT, 3.0)]),
        ([(K.BEGIN, 1.0), (K.ROLLBACK, 2.0), (K.CLOSE, 3.0)], [(1.0, K.ROLLBACK, 2.0)]),
        ([(K.COMMIT, 1.0)], []),
        ([(K.BEGIN, 1.0)], [(1.0, None, 9.0)]),
        ([(K.BEGIN, 1.0), (K.BEGIN, 2.0), (K.CLOSE, 3.0)], [(1.0, None, 2.0), (2.0, K.CLOSE, 3.0)]),
        ([(K.BEGIN, 1.0), (K.COMMIT, math.nan)], [(1.0, None, 9.0)]),
        ([(K.BEGIN, 11.0)], [(11.0, None, 11.0)]),
    ],
)
def test_a_transaction_lasts_from_its_begin_to_its_first_end(
    records: Sequence[tuple[OperationKind, float]], spells: Sequence[tuple[float, OperationKind | None, float]]
) -> None:
    """Whatever order the records have; an end that nobody saw is none, and lies before the next begin."""
    found = transactions([operation(kind, at) for kind, at in records])

    assert [(each.start.at, each.end and each.end.kind, each.until(9.0)) for each in found] == list(spells)


def test_each_session_and_each_connection_has_its_own() -> None:
    """They do not end each other."""
    found = transactions([operation(K.BEGIN, 1.0), operation(K.BEGIN, 2.0, 2), operation(K.COMMIT, 3.0, 2)])
    held = checkouts([event(E.CHECKOUT, 1.0), event(E.CHECKOUT, 2.0, 2), event(E.CHECKIN, 3.0, 2)])

    assert [(each.start.session, each.end is None) for each in found] == [(2, False), (1, True)]
    assert [(each.start.connection, each.end is None) for each in held] == [(2, False), (1, True)]


@pytest.mark.parametrize("kind", [E.CHECKIN, E.INVALIDATE, E.CLOSE])
def test_a_connection_is_in_use_until_it_is_given_back_or_lost(kind: PoolEventKind) -> None:
    """A connect is neither."""
    (held,) = checkouts([event(E.CONNECT, 0.5), event(E.CHECKOUT, 1.0), event(E.CONNECT, 1.5), event(kind, 2.0)])

    assert (held.start.at, held.until(9.0), held.by) == (1.0, 2.0, None)
