"""What happened to the pool's connections, and who caused it.

Problem: a connection that is never returned, or that comes back broken, takes the service down long after
the turn that did it.

Mechanism: the pool's events on the application's engine, with the application's frames; connections carry
the numbers that statements carry.

Guarantee: also with `NullPool`, and also when the engine is disposed of meanwhile. The moment of a
checkout is when the application has the connection, not when it began to wait for one.
"""

import weakref
from collections.abc import Mapping
from typing import Any

from harness.evidence import PoolEvent, PoolEventKind, Record
from harness.observe.attribution import attributed
from harness.observe.listeners import Listeners
from harness.observe.recorder import Context
from harness.stacks import capture, format_stack

__all__ = ["PoolRecorder"]


class PoolRecorder:
    """Records `pool`."""

    name = "pool"
    fields = ("pool",)

    def __init__(self) -> None:
        self._context: Context | None = None
        self._listeners = Listeners()
        self._last: weakref.WeakKeyDictionary[object, tuple[int, int | None]] = weakref.WeakKeyDictionary()
        self._events: list[PoolEvent] = []

    def start(self, context: Context) -> None:
        """Listen to the engine's pool."""
        self._context = context
        engine = context.engine.sync_engine
        self._listeners.add(engine, "connect", self._connected, named=True)
        self._listeners.add(engine, "checkout", self._checked_out, named=True)
        self._listeners.add(engine, "checkin", self._checked_in, named=True)
        self._listeners.add(engine, "invalidate", self._invalidated, named=True)
        self._listeners.add(engine, "close", self._closed, named=True)
        self._listeners.add(engine, "close_detached", self._closed, named=True)

    def stop(self) -> None:
        """Listen no more."""
        self._listeners.remove_all()

    def records(self) -> Mapping[str, Record[Any]]:
        """The `pool` events, in their order."""
        return {"pool": Record.of("pool", self._events)}

    def _connected(self, **event: Any) -> None:
        self._add(PoolEventKind.CONNECT, event)

    def _checked_out(self, **event: Any) -> None:
        self._add(PoolEventKind.CHECKOUT, event)

    def _checked_in(self, **event: Any) -> None:
        self._add(PoolEventKind.CHECKIN, event)

    def _invalidated(self, **event: Any) -> None:
        self._add(PoolEventKind.INVALIDATE, event)

    def _closed(self, **event: Any) -> None:
        self._add(PoolEventKind.CLOSE, event)

    def _add(self, kind: PoolEventKind, event: Mapping[str, Any]) -> None:
        """An invalidated connection is checked in as `None`; its record still knows which one it was."""
        if self._context is None:
            return
        connection, record = event["dbapi_connection"], event.get("connection_record")
        if connection is not None:
            identity = self._context.connections.identify(connection)
            if record is not None:
                self._last[record] = identity
        else:
            identity = self._last.get(record, (0, None))
        who = attributed()
        self._events.append(
            PoolEvent(
                kind=kind,
                connection=identity[0],
                backend_pid=identity[1],
                at=self._context.clock(),
                turn=who.turn,
                tool_call_id=who.tool_call_id,
                task=who.task,
                stack=format_stack(capture()),
            )
        )
