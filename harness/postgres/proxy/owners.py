"""On whose behalf an application uses which of its connections.

Problem: the proxy sees connections, and a fault is meant for a tool call.

Mechanism: the engine's events, in the caller's own context: when a connection is taken from the pool and given back,
and, because one connection can serve several tool calls while it is out, before every statement and commit. A
connection is known by its server process, which asyncpg and psycopg tell without asking the server.

Guarantee: the proxy is told before the driver sends anything. After `close` there are no listeners left. A connection
whose driver does not tell its server process belongs to nobody.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.server_process import server_process

__all__ = ["Owners"]


class Owners:
    """Tells `assign` whose each connection of an engine is; `caller` says which turn and tool call runs now."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        caller: Callable[[], tuple[str | None, str | None]],
        assign: Callable[[int, tuple[str | None, str | None] | None], None],
    ) -> None:
        self._engine = engine.sync_engine
        self._caller = caller
        self._assign = assign
        self._listeners: dict[str, Callable[..., None]] = {
            "checkout": self._checked_out,
            "checkin": self._checked_in,
            "before_cursor_execute": self._used,
            "commit": self._used,
        }

    def open(self) -> None:
        """Listen."""
        for name, listener in self._listeners.items():
            event.listen(self._engine, name, listener, named=True)

    def close(self) -> None:
        """Listen no more; harmless when called twice."""
        for name, listener in self._listeners.items():
            if event.contains(self._engine, name, listener):
                event.remove(self._engine, name, listener)

    def _checked_out(self, *, dbapi_connection: object, **_: Any) -> None:
        self._tell(dbapi_connection, self._caller())

    def _checked_in(self, *, dbapi_connection: object | None, **_: Any) -> None:
        self._tell(dbapi_connection, None)

    def _used(self, *, conn: Connection, **_: Any) -> None:
        if not conn.closed and not conn.invalidated:  # it has a connection, and need not get one to be asked
            self._tell(conn.connection.dbapi_connection, self._caller())

    def _tell(self, dbapi_connection: object | None, caller: tuple[str | None, str | None] | None) -> None:
        pid = server_process(dbapi_connection)
        if pid is not None:
            self._assign(pid, caller)
