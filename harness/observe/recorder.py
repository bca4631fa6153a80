"""The seam for recorders: whoever turns what happens in the process into a record.

Problem: evidence comes from engine events, spans, log records, threads; each source can fail by itself,
and a source that failed must not look like one that saw nothing.

Mechanism: a `Recorder` says which fields of `Evidence` it fills, is started and stopped, and gives its
records. `harness.observe.observation.Observation` composes them, and makes absent records of those that
raise.

Guarantee: what a recorder shares with another travels in the `Context`, by argument.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.evidence import Record
from harness.observe.connections import Connections
from harness.observe.error_log import ErrorLog
from harness.observe.redaction import Redactor
from harness.observe.tool_log import ToolLog

__all__ = ["Clock", "Context", "Recorder"]

Clock = Callable[[], float]
"""Seconds of one monotonic clock: `time.perf_counter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What recorders work with: the application's engine, the loop, and the logs that several write to."""

    engine: AsyncEngine
    loop: asyncio.AbstractEventLoop
    clock: Clock
    redactor: Redactor
    errors: ErrorLog
    tools: ToolLog
    connections: Connections = field(default_factory=Connections)


class Recorder(Protocol):
    """Records one kind of thing.

    Contract: `start` is called once, in the event loop's thread, and leaves nothing behind if it raises.
    `stop` may be called without a successful `start`, and restores everything that `start` changed.
    `records` is asked after `stop`, and gives a record for each of `fields`.
    """

    @property
    def name(self) -> str:
        """What it is called in reasons: `statements`."""
        ...

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of `Evidence` that it fills."""
        ...

    def start(self, context: Context) -> None:
        """Begin to record."""
        ...

    def stop(self) -> None:
        """Record no more."""
        ...

    def records(self) -> Mapping[str, Record[Any]]:
        """What was recorded, by field."""
        ...
