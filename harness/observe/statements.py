"""SQL statements as intervals: which connection, which server process, on whose behalf.

Problem: whether tools worked in the database at the same time shows only in when their statements began
and ended, and on which server processes.

Mechanism: the engine's cursor events, paired by the statement's execution context, which is held from the
one to the other. A statement begins when it is handed to the driver, so that waiting for a sibling on the
same connection counts.

Guarantee: a statement that failed or was cancelled is recorded too, as failed; one that was still running
at `stop` ends there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Connection, ExceptionContext, ExecutionContext

from harness.evidence import Interval, Record, Statement
from harness.observe.attribution import Attribution, attributed
from harness.observe.listeners import Listeners
from harness.observe.marks import is_injected
from harness.observe.recorder import Context

__all__ = ["StatementsRecorder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    execution: ExecutionContext
    sql: str
    start: float
    connection: int
    backend_pid: int | None
    who: Attribution


class StatementsRecorder:
    """Records `statements`."""

    name = "statements"
    fields = ("statements",)

    def __init__(self) -> None:
        self._context: Context | None = None
        self._listeners = Listeners()
        self._running: dict[int, _Running] = {}
        self._finished: list[Statement] = []

    def start(self, context: Context) -> None:
        """Listen to the engine."""
        self._context = context
        engine = context.engine.sync_engine
        self._listeners.add(engine, "before_cursor_execute", self._before, named=True)
        self._listeners.add(engine, "after_cursor_execute", self._after, named=True)
        self._listeners.add(engine, "handle_error", self._failed)

    def stop(self) -> None:
        """Listen no more; what is still running ends now, as failed."""
        self._listeners.remove_all()
        for running in tuple(self._running.values()):
            self._end(running.execution, failed=True)

    def records(self) -> Mapping[str, Record[Any]]:
        """The `statements`, in the order in which they began; secrets are masked here, where no turn waits for it."""
        context, finished = self._context, sorted(self._finished, key=lambda statement: statement.interval.start)
        if context is None:
            return {"statements": Record.of("statements", finished)}
        masked = [replace(statement, sql=context.redactor.text(statement.sql)) for statement in finished]
        return {"statements": Record.of("statements", masked)}

    def _before(self, *, conn: Connection, statement: str, context: ExecutionContext | None, **_: Any) -> None:
        if self._context is None or context is None:
            return
        number, pid = self._context.connections.identify(conn.connection.dbapi_connection)
        self._running[id(context)] = _Running(
            execution=context,
            sql=statement,
            start=self._context.clock(),
            connection=number,
            backend_pid=pid,
            who=attributed(),
        )

    def _after(self, *, context: ExecutionContext | None, **_: Any) -> None:
        self._end(context, failed=False)

    def _failed(self, exception: ExceptionContext) -> None:
        """If a delay failed, the statement that it stands before is never run, and has failed with it."""
        execution = exception.execution_context
        injected = self._running.get(id(execution)) if is_injected(execution) else None
        self._end(execution, failed=True)
        if injected is not None:
            for running in tuple(self._running.values()):
                if (running.connection, running.who) == (injected.connection, injected.who):
                    self._end(running.execution, failed=True)

    def _end(self, execution: ExecutionContext | None, *, failed: bool) -> None:
        running = self._running.pop(id(execution), None)
        if running is None or self._context is None:
            return
        self._finished.append(
            Statement(
                sql=running.sql,
                interval=Interval(start=running.start, end=self._context.clock()),
                connection=running.connection,
                backend_pid=running.backend_pid,
                turn=running.who.turn,
                tool_call_id=running.who.tool_call_id,
                task=running.who.task,
                failed=failed,
                injected=is_injected(running.execution),
            )
        )
