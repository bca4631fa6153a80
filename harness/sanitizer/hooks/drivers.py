"""Driver connections: asyncpg's and psycopg 3's, raw and below SQLAlchemy.

Problem: a driver connection is shared where no session is: by an asyncpg pool, by a stream that one task reads while
another executes, by code that takes the driver's connection out of SQLAlchemy's.

Mechanism: the methods of the driver's connection, of its transactions, prepared statements and cursors are accesses
to the connection, and so are those of SQLAlchemy's asyncpg adapter, which begin before its mutex is taken. A
connection that goes back to its pool starts afresh, but stays in its event loop.

Guarantee: drivers that are not loaded are not touched. Of the asynchronous drivers of SQLAlchemy that are none of
these, `unwatched` names those that are loaded: their sessions and connections are watched, the driver itself is not.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import finalize

from sqlalchemy import event
from sqlalchemy.pool import Pool

from harness.patching import Patches
from harness.sanitizer.hooks.accesses import ShadowOf, Writes, hooked, hooked_coroutine, new_shadow
from harness.sanitizer.hooks.loops import registers
from harness.sanitizer.ownership import AccessKind, Shadow
from harness.sanitizer.runtime import runtime
from harness.sql import writes_rows

__all__ = ["NEEDED", "WATCHED", "Drivers", "limit_of", "unwatched"]
__tracebackhide__ = True

_AWAITED, _BOUNDARY = AccessKind.AWAITED, AccessKind.BOUNDARY
WATCHED = frozenset({"asyncpg", "psycopg", "psycopg_async"})
"""The names that SQLAlchemy gives to the drivers that are watched."""
_UNWATCHED = ("aiosqlite", "aiomysql", "asyncmy", "aioodbc", "oracledb")

_ASYNCPG_AWAITED = (
    "add_listener",
    "copy_from_query",
    "copy_from_table",
    "copy_records_to_table",
    "copy_to_table",
    "execute",
    "executemany",
    "fetch",
    "fetchmany",
    "fetchrow",
    "fetchval",
    "prepare",
    "reload_schema_state",
    "remove_listener",
    "reset_type_codec",
    "set_builtin_type_codec",
    "set_type_codec",
)
_STATEMENT = ("executemany", "explain", "fetch", "fetchmany", "fetchrow", "fetchval")


NEEDED = (
    ("asyncpg.cursor", "_connection"),
    ("asyncpg.pool", "_con"),
    ("asyncpg.prepared_stmt", "_connection"),
    ("asyncpg.transaction", "_connection"),
    ("asyncpg.transaction", "_nested"),
    ("sqlalchemy.dialects.postgresql.asyncpg", "_connection"),
)
"""Private attributes that the hooks look at, by the module whose code has to use them."""


def unwatched() -> tuple[str, ...]:
    """The loaded asynchronous drivers that are watched through SQLAlchemy alone."""
    return tuple(name for name in _UNWATCHED if name in sys.modules)


def limit_of(name: str) -> str:
    """What is to be said of a driver that is watched through SQLAlchemy alone."""
    return f"the driver {name} is not watched itself: of its connections only what goes through SQLAlchemy is seen"


class Drivers:
    """The hooks on drivers, and what is remembered of their connections."""

    def __init__(self) -> None:
        self._shadows: dict[int, Shadow] = {}
        self._listens = False

    def install(self, patches: Patches) -> None:
        """Instrument the drivers that are loaded, and listen to SQLAlchemy's pools."""
        if "asyncpg" in sys.modules:
            self._asyncpg(patches)
        if "sqlalchemy.dialects.postgresql.asyncpg" in sys.modules and "asyncpg" in sys.modules:
            self._asyncpg_adapter(patches)
        if "psycopg" in sys.modules:
            self._psycopg(patches)
        event.listen(Pool, "checkin", self._checked_in)
        self._listens = True

    def remove(self) -> None:
        """Listen no more."""
        if self._listens:
            event.remove(Pool, "checkin", self._checked_in)
            self._listens = False

    def shadow_of(self, connection: Any) -> Shadow:
        """The shadow of a driver's connection."""
        shadow = self._shadows.get(id(connection))
        if shadow is None or shadow.generation != runtime.generation:
            name = f"{type(connection).__module__.partition('.')[0]}.{type(connection).__name__}"
            shadow = self._shadows[id(connection)] = new_shadow(connection, name, lambda _: True)
            finalize(connection, self._shadows.pop, id(connection), None).atexit = False
        return shadow

    def _below(self, owner: Any) -> Shadow:
        """The shadow of the connection that something belongs to."""
        connection = owner._connection  # noqa: SLF001  # asyncpg, psycopg and the adapters all call it so
        shadow = self._shadows.get(id(connection))
        return shadow if shadow is not None and shadow.generation == runtime.generation else self.shadow_of(connection)

    def _checked_in(self, dbapi_connection: Any, _record: Any) -> None:
        driver_connection = getattr(dbapi_connection, "_connection", None)
        if driver_connection is not None and runtime.active:
            self._forget(driver_connection)

    def _forget(self, connection: Any) -> None:
        shadow = self._shadows.get(id(connection))
        if shadow is not None:
            try:
                shadow.forget()
            except Exception as failure:  # noqa: BLE001  # whatever it is, it must not reach the program
                runtime.fail(failure, "the return of a connection")

    # -- asyncpg ------------------------------------------------------------------------------------------------

    def _asyncpg(self, patches: Patches) -> None:
        asyncpg = sys.modules["asyncpg"]
        connection = asyncpg.connection.Connection
        for name in _ASYNCPG_AWAITED:
            original = getattr(connection, name)
            method = hooked_coroutine(
                registers(original) if name == "add_listener" else original,
                _AWAITED,
                f"asyncpg.Connection.{name}",
                self.shadow_of,
                writes=_always if name.endswith("to_table") else _writes,
            )
            patches.replace(connection, name, method)
        _coroutine(patches, connection, "close", _BOUNDARY, "asyncpg.Connection", self.shadow_of, cleans_up=True)
        _coroutine(patches, connection, "reset", _BOUNDARY, "asyncpg.Connection", self.shadow_of, cleans_up=True)
        transaction = asyncpg.transaction.Transaction
        _coroutine(patches, transaction, "start", _BOUNDARY, "asyncpg.Transaction", self._below)
        for name in ("commit", "rollback"):
            patches.replace(transaction, name, self._transaction_end(getattr(transaction, name), name))
        for name in _STATEMENT:
            owner = asyncpg.prepared_stmt.PreparedStatement
            _coroutine(patches, owner, name, _AWAITED, "asyncpg.PreparedStatement", self._below)
        for name in ("_bind", "_bind_exec", "_exec"):
            _coroutine(patches, asyncpg.cursor.BaseCursor, name, _AWAITED, "asyncpg.Cursor", self._below)
        holder = asyncpg.pool.PoolConnectionHolder
        patches.replace(holder, "release", self._released(holder.release))
        patches.replace(holder, "acquire", self._acquired(holder.acquire))

    def _transaction_end(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        cleans_up = name == "rollback"

        @wraps(original)
        async def end(transaction: Any) -> Any:
            if not runtime.active:
                return await original(transaction)
            shadow = runtime.shadow(self._below, transaction)
            if shadow is None:
                return await original(transaction)
            access = runtime.enter(shadow, _BOUNDARY, f"asyncpg.Transaction.{name}")
            try:
                error = None if runtime.looked_up(_is_nested, transaction, True) else runtime.decided(shadow)
                if error is not None and not cleans_up:
                    raise error
                return await original(transaction)
            finally:
                if access is not None:
                    runtime.leave(access)

        return end

    def _acquired(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        async def acquire(holder: Any, *args: Any, **kwargs: Any) -> Any:
            found = await original(holder, *args, **kwargs)
            connection = runtime.looked_up(_held, holder, None)
            if connection is not None and runtime.active:
                self._forget(connection)  # what the pool did to make it ready
            return found

        return acquire

    def _released(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        async def release(holder: Any, *args: Any, **kwargs: Any) -> Any:
            connection = runtime.looked_up(_held, holder, None)
            try:
                return await original(holder, *args, **kwargs)
            finally:
                if connection is not None and runtime.active:
                    self._forget(connection)

        return release

    def _asyncpg_adapter(self, patches: Patches) -> None:
        adapter: Any = sys.modules["sqlalchemy.dialects.postgresql.asyncpg"]
        cursor, stream = adapter.AsyncAdapt_asyncpg_cursor, adapter.AsyncAdapt_asyncpg_ss_cursor
        for name in ("execute", "executemany"):
            _method(patches, cursor, name, _AWAITED, "asyncpg cursor", self._below)
        for name in ("_buffer_rows", "fetchmany", "fetchall"):
            _method(patches, stream, name, _AWAITED, "stream", self._below)
        connection = adapter.AsyncAdapt_asyncpg_connection
        for name in ("commit", "rollback", "ping"):
            _method(patches, connection, name, _BOUNDARY, "asyncpg connection", self._below)

    # -- psycopg ------------------------------------------------------------------------------------------------

    def _psycopg(self, patches: Patches) -> None:
        psycopg = sys.modules["psycopg"]
        connection, cursor = psycopg.AsyncConnection, psycopg.AsyncCursor
        _coroutine(patches, connection, "execute", _AWAITED, "psycopg.AsyncConnection", self.shadow_of, writes=_writes)
        _coroutine(patches, connection, "wait", _AWAITED, "psycopg.AsyncConnection", self.shadow_of)
        for name in ("commit", "rollback"):
            patches.replace(connection, name, self._psycopg_end(getattr(connection, name), name))
        for name in ("set_autocommit", "set_isolation_level", "set_read_only", "set_deferrable"):
            _coroutine(patches, connection, name, _BOUNDARY, "psycopg.AsyncConnection", self.shadow_of)
        _coroutine(patches, connection, "close", _BOUNDARY, "psycopg.AsyncConnection", self.shadow_of, cleans_up=True)
        for name in ("execute", "executemany"):
            _coroutine(patches, cursor, name, _AWAITED, "psycopg.AsyncCursor", self._of_cursor, writes=_writes)
        server: Any = psycopg.AsyncServerCursor
        for name in ("execute", "fetchone", "fetchmany", "fetchall", "scroll"):
            _coroutine(patches, server, name, _AWAITED, "psycopg.AsyncServerCursor", self._of_cursor)
        pool = sys.modules.get("psycopg_pool")
        if pool is not None:
            owner = pool.AsyncConnectionPool
            patches.replace(owner, "putconn", self._put(owner.putconn))
            patches.replace(owner, "getconn", self._got(owner.getconn))

    def _psycopg_end(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        cleans_up = name == "rollback"

        @wraps(original)
        async def end(connection: Any) -> Any:
            shadow = runtime.shadow(self.shadow_of, connection) if runtime.active else None
            if shadow is None:
                return await original(connection)
            access = runtime.enter(shadow, _BOUNDARY, f"psycopg.AsyncConnection.{name}")
            try:
                error = runtime.decided(shadow)
                if error is not None and not cleans_up:
                    raise error
                return await original(connection)
            finally:
                if access is not None:
                    runtime.leave(access)

        return end

    def _of_cursor(self, cursor: Any) -> Shadow:
        return self.shadow_of(cursor.connection)

    def _got(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        async def getconn(pool: Any, *args: Any, **kwargs: Any) -> Any:
            connection = await original(pool, *args, **kwargs)
            if runtime.active:
                self._forget(connection)  # as above
            return connection

        return getconn

    def _put(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        async def putconn(pool: Any, conn: Any) -> None:
            if runtime.active:
                self._forget(conn)
            await original(pool, conn)

        return putconn


def _is_nested(transaction: Any) -> bool:
    """Whether it is a savepoint, whose end decides about nothing that is known here."""
    return bool(transaction._nested)  # noqa: SLF001  # asyncpg's own


def _held(holder: Any) -> Any:
    return holder._con  # noqa: SLF001  # asyncpg's own: what the holder of a pool holds


def _always(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:  # noqa: ARG001  # the signature of such questions
    return True


def _writes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    query = args[0] if args else kwargs.get("query")
    return isinstance(query, str) and writes_rows(query)


def _coroutine(  # noqa: PLR0917  # what, where, as what
    patches: Patches,
    owner: Any,
    name: str,
    kind: AccessKind,
    label: str,
    shadow_of: ShadowOf,
    *,
    writes: Writes | None = None,
    cleans_up: bool = False,
) -> None:
    operation = f"{label}.{name.removeprefix('_')}"
    method = hooked_coroutine(getattr(owner, name), kind, operation, shadow_of, writes=writes, cleans_up=cleans_up)
    patches.replace(owner, name, method)


def _method(  # noqa: PLR0917  # as above
    patches: Patches, owner: Any, name: str, kind: AccessKind, label: str, shadow_of: ShadowOf
) -> None:
    operation = f"{label}.{name.removeprefix('_')}"
    patches.replace(owner, name, hooked(getattr(owner, name), kind, operation, shadow_of, drives=True))
