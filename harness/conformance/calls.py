"""The calls into a backend that have not ended, for whoever watches them from another thread.

Problem: a time limit cancels, and a backend may swallow that: then nothing in its event loop can end the call.

Mechanism: each call is noted with the end of its time, and with where its tasks stood then. A watcher finds the first
one that is over its time by more than its patience.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from time import monotonic

from harness.backend import Violation

__all__ = ["Calls", "PendingCall", "current_calls", "going_on"]


@dataclass(slots=True, kw_only=True)
class PendingCall:
    """A call that has to end at `deadline`, by the monotonic clock; what it violates, as soon as its time is over."""

    deadline: float
    late: Violation | None = None


@dataclass(slots=True)
class Calls:
    """All calls of one check that have not ended; `stopped` once the check itself is to end."""

    pending: list[PendingCall] = field(default_factory=list)
    stopped: bool = False

    @contextmanager
    def pend(self, seconds: float) -> Iterator[PendingCall]:
        """Note a call for as long as it takes."""
        call = PendingCall(deadline=monotonic() + seconds)
        self.pending.append(call)
        try:
            yield call
        finally:
            self.pending.remove(call)

    def overdue(self, patience: float) -> Violation | None:
        """What the first call violates that was cancelled so long ago, and goes on."""
        for call in list(self.pending):
            if call.late is not None and monotonic() > call.deadline + patience:
                return replace(going_on(call.late), seen=f"{call.late.seen}, and it does not end when it is cancelled")
        return None


def going_on(late: Violation) -> Violation:
    """What a late call violates that was cancelled, and went on as if it had not been."""
    seen = f"{late.seen}, and it goes on when it is cancelled"
    change = "let asyncio.CancelledError pass where it waits, and let it end"
    return replace(late, seen=seen, change=change)


current_calls: ContextVar[Calls] = ContextVar("current_calls")
"""The calls of the check that this context belongs to."""
