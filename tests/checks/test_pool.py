"""The pool check: what stays out, and what stays open."""

from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import Pool
from harness.evidence import IdleTransaction
from harness.verdict import FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build


@pytest.mark.parametrize("end", ["checkin", "invalidate", "close"])
def test_a_connection_that_comes_back_is_silent(build: "Build", end: str) -> None:
    """By whatever way it left its user; the order of recording does not matter."""
    events = [build.pool_event(end, 2), build.pool_event("connect", 0), build.pool_event("checkout", 1)]

    assert Pool()(build.evidence(pool=events)).verdict is Verdict.PASSED


def test_a_connection_that_stays_out_is_a_leak(build: "Build") -> None:
    """The second checkout of one connection, with its stack; the other connection came back."""
    events = [
        build.pool_event("checkout", 1, task="first"),
        build.pool_event("checkin", 2),
        build.pool_event("checkout", 3, stack=("tools.py:3 in leak",)),
        build.pool_event("checkout", 4, connection=2),
        build.pool_event("checkin", 5, connection=2),
    ]

    (finding,) = Pool()(build.evidence(pool=events)).findings

    assert finding.kind is FindingKind.CONNECTION_LEAK
    assert finding.message == "connection 1 (backend 4711), checked out by task 'a', was never given back"
    assert finding.where == "turn 't1', tool 'search_directory' (call 'a')"
    assert finding.stack == ("tools.py:3 in leak",)


def test_a_connection_of_the_application_itself_is_noted(build: "Build") -> None:
    """One that was out before the first turn is no turn's leak; one taken during a turn is."""
    own: dict[str, Any] = {"turn": None, "tool_call_id": None}

    before = Pool()(build.evidence(pool=[build.pool_event("checkout", -1, **own)]))
    during = Pool()(build.evidence(pool=[build.pool_event("checkout", 1, **own)]))

    assert (before.verdict, len(before.notes)) == (Verdict.PASSED, 1)
    assert [finding.where for finding in during.findings] == ["outside any turn"]


def test_a_transaction_left_open_is_a_finding(build: "Build") -> None:
    """As the server shows it."""
    idle = IdleTransaction(backend_pid=7, state="idle in transaction", query="SELECT 1\n-- x", seconds=1.5)

    (finding,) = Pool()(build.evidence(idle_transactions=[idle])).findings

    assert finding.kind is FindingKind.IDLE_IN_TRANSACTION
    assert finding.message == (
        "backend 7 was 'idle in transaction' for 1.500 s after the turns; its last statement was 'SELECT 1'"
    )
