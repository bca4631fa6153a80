"""Everything that is recorded while an application answers.

Problem: eight recorders hook into five libraries; each can fail by itself, and each must be gone
afterwards.

Mechanism: `Observation` starts them in order and stops them in reverse. What a recorder raises becomes
the reason of its absent records, and never disturbs the application. Exceptions of the application pass
through.

Guarantee: after the block nothing of the observation is left in the process, and `records` has all fields
of `ObservedRecords`. An observation is used once.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, cast

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.evidence import (
    ErrorRecord,
    ErrorSource,
    LoopStall,
    ModelResponseSeen,
    PoolEvent,
    PoolWait,
    Record,
    SessionOperation,
    SpanRecord,
    Statement,
    ToolRun,
)
from harness.observe.error_log import ErrorLog
from harness.observe.errors import ErrorsRecorder
from harness.observe.operations import OperationsRecorder
from harness.observe.pool import PoolRecorder
from harness.observe.pool_waits import PoolWaitsRecorder
from harness.observe.recorder import Clock, Context, Recorder
from harness.observe.redaction import Redactor
from harness.observe.server_log import ServerLog
from harness.observe.spans import SpansRecorder
from harness.observe.stalls import StallsRecorder
from harness.observe.statements import StatementsRecorder
from harness.observe.tool_log import ToolLog
from harness.observe.tools import ToolsRecorder

__all__ = ["Observation", "ObservedRecords"]

_ERROR_SOURCES = ("tools", "spans")


class ObservedRecords(TypedDict):
    """The fields of `Evidence` that an observation fills."""

    errors: Record[ErrorRecord]
    spans: Record[SpanRecord]
    tools: Record[ToolRun]
    statements: Record[Statement]
    operations: Record[SessionOperation]
    pool: Record[PoolEvent]
    waits: Record[PoolWait]
    stalls: Record[LoopStall]
    responses: Record[ModelResponseSeen]


class Observation:
    """Observes an application through its engine, as an async context manager.

    `server_log` is the PostgreSQL server's log file, if there is one to read. `recorders` replaces the
    usual ones.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        server_log: Path | None = None,
        clock: Clock = time.perf_counter,
        stall_threshold: float = 0.1,
        recorders: Sequence[Recorder] | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        redactor = Redactor.for_url(engine.url)
        self._redactor = redactor
        self._errors = ErrorLog(clock=clock, redactor=redactor)
        self._tools = ToolLog(clock=clock)
        self._server_log = ServerLog(server_log, engine.url.database or "")
        usual: Sequence[Recorder] = (
            ErrorsRecorder(server_log=self._server_log),
            ToolsRecorder(),
            SpansRecorder(),
            StatementsRecorder(),
            OperationsRecorder(),
            PoolRecorder(),
            PoolWaitsRecorder(),
            StallsRecorder(threshold=stall_threshold),
        )
        self._recorders = usual if recorders is None else recorders
        self._failures: dict[str, str] = {}
        self._records: ObservedRecords | None = None

    async def __aenter__(self) -> Self:
        context = Context(
            engine=self._engine,
            loop=asyncio.get_running_loop(),
            clock=self._clock,
            redactor=self._redactor,
            errors=self._errors,
            tools=self._tools,
        )
        for recorder in self._recorders:
            self._guard(recorder, lambda recorder=recorder: recorder.start(context), "start")  # type: ignore[misc]  # mypy cannot infer a lambda's default
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for recorder in reversed(self._recorders):
            self._guard(recorder, recorder.stop, "stop")
        for recorder in self._recorders:
            if recorder.name in _ERROR_SOURCES and recorder.name in self._failures:
                self._errors.incomplete(f"its source {recorder.name!r} is missing: {self._failures[recorder.name]}")
        self._records = self._collect()

    @property
    def records(self) -> ObservedRecords:
        """The records, once the block has been left; pass them on as `Evidence(**observation.records)`."""
        if self._records is None:
            raise RuntimeError("the observation still runs: its records are complete after the `async with` block")
        return self._records

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked at without making a record absent."""
        return (self._server_log.note,) if self._server_log.note else ()

    def note(self, exception: BaseException) -> None:
        """Record an exception that a turn raised; call it in the turn's task."""
        self._errors.add_exception(ErrorSource.RAISED, exception)

    def on_tool_end(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the `tool_call_id` of each tool call that ends, in its task."""
        self._tools.on_end(listener)

    def _guard(self, recorder: Recorder, action: Callable[[], None], verb: str) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001  # a broken recorder must not break the application
            reason = self._redactor.text(f"it did not {verb}: {type(error).__name__}: {error}")
            self._failures.setdefault(recorder.name, reason)

    def _collect(self) -> ObservedRecords:
        collected: dict[str, Record[Any]] = {
            name: Record.absent(name, "no recorder for it was installed") for name in ObservedRecords.__annotations__
        }
        for recorder in self._recorders:
            collected.update(self._records_of(recorder))
        return cast("ObservedRecords", collected)

    def _records_of(self, recorder: Recorder) -> dict[str, Record[Any]]:
        if recorder.name not in self._failures:
            try:
                return dict(recorder.records())
            except Exception as error:  # noqa: BLE001  # as above
                text = f"it gave no records: {type(error).__name__}: {error}"
                self._failures[recorder.name] = self._redactor.text(text)
        reason = self._failures[recorder.name]
        return {name: Record.absent(recorder.name, reason) for name in recorder.fields}
