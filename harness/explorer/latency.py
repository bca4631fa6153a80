"""Tool calls that take their time in the database.

Problem: whether tools work at the same time shows only if each works for long enough, and a `sleep` in
the process says nothing about the database.

Mechanism: before a tool call's first statement, `SELECT pg_sleep(…)` runs on the same connection, through
the same driver and its mutex, like any statement of the tool. It carries an execution option, by which
recorders know it.

Guarantee: only planned calls are delayed, each once: one that does several operations, in the first of them. If the
delay cannot run because the transaction is aborted already, the tool's own statement meets the same error and tells
it; any other error of the delay is raised, as if the tool's statement had met it.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine, ExecutionContext
from sqlalchemy.exc import DBAPIError

__all__ = ["INJECTED_OPTION", "Latency"]

INJECTED_OPTION: Final = "sessionproof_injected"
_ABORTED: Final = "25P02"
_SLEEP = text("SELECT pg_sleep(:seconds)")

Key = tuple[str | None, str | None]


class Latency:
    """Delays planned tool calls on one engine; `caller` says which turn and tool call runs."""

    def __init__(self, engine: Engine, *, caller: Callable[[], Key]) -> None:
        self._engine = engine
        self._caller = caller
        self._due: dict[Key, float] = {}

    def expect(self, turn: str, tool_call_id: str, seconds: float) -> None:
        """This call's first statement takes `seconds` longer."""
        if seconds > 0:
            self._due[turn, tool_call_id] = seconds

    def open(self) -> None:
        """Listen. Whoever listens from now on sees the tool's own statement begin after its delay."""
        if self._engine.dialect.name == "postgresql":
            event.listen(self._engine, "before_cursor_execute", self._before, named=True)

    def close(self) -> None:
        """Listen no more; harmless when called twice."""
        if event.contains(self._engine, "before_cursor_execute", self._before):
            event.remove(self._engine, "before_cursor_execute", self._before)

    def _before(self, *, conn: Connection, context: ExecutionContext | None, **_: Any) -> None:
        if context is not None and context.execution_options.get(INJECTED_OPTION):
            return
        seconds = self._due.pop(self._caller(), None)
        if seconds is None:
            return
        try:
            conn.execute(_SLEEP, {"seconds": seconds}, execution_options={INJECTED_OPTION: True})
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _ABORTED:
                raise
