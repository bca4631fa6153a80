"""For how long somebody waited for a connection of the pool.

Problem: a pool that is too small raises nothing as long as its timeout is long; its events tell when a connection was
had, not since when it was wanted.

Mechanism: while recording, `Pool.connect`, the public entrance that every engine passes through, notes when it was
called and when it returned: with the wait in the queue, the making of a connection, and the ping before use.

Guarantee: only the engine's own pool is recorded, also one that takes its place after `dispose`; the wrapper changes
neither result nor exception, and is gone after `stop`.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from sqlalchemy import Pool

from harness.errors import MissingEvidence
from harness.evidence import Interval, PoolWait, Record
from harness.observe.attribution import attributed
from harness.observe.recorder import Context
from harness.patching import Patch

__all__ = ["PoolWaitsRecorder"]


class PoolWaitsRecorder:
    """Records `waits`."""

    name = "waits"
    fields = ("waits",)

    def __init__(self) -> None:
        self._patch: Patch | None = None
        self._waits: list[PoolWait] = []

    def start(self, context: Context) -> None:
        """Wrap the pool's entrance."""
        engine = context.engine.sync_engine

        def recorded(pool: Pool, start: float, *, failed: bool) -> None:
            if pool is engine.pool:
                who, interval = attributed(), Interval(start=start, end=context.clock())
                self._waits.append(
                    PoolWait(interval=interval, turn=who.turn, tool_call_id=who.tool_call_id, failed=failed)
                )

        self._patch = Patch(Pool, "connect", _timed(Pool.connect, context.clock, recorded))

    def stop(self) -> None:
        """Put the original back."""
        patch, self._patch = self._patch, None
        if patch is not None and not patch.restore():
            raise MissingEvidence("`Pool.connect` was replaced while the pool was observed")

    def records(self) -> Mapping[str, Record[Any]]:
        """The `waits`, in the order in which they ended."""
        return {"waits": Record.of("waits", self._waits)}


def _timed(
    original: Callable[[Pool], Any], clock: Callable[[], float], recorded: Callable[..., None]
) -> Callable[[Pool], Any]:
    @wraps(original)
    def connect(pool: Pool) -> Any:
        start = clock()
        try:
            connection = original(pool)
        except BaseException:  # cancelled, too, somebody waited, and it is raised on
            recorded(pool, start, failed=True)
            raise
        recorded(pool, start, failed=False)
        return connection

    return connect
