"""SQLAlchemy's `Connection`, the synchronous core below every `AsyncConnection`, and the pool.

Mechanism: what executes, and what begins or ends a transaction or savepoint, is an access to the connection; a
session's operation is also one to the session's connection, or, where the driver is watched, to the driver's, so that
whoever uses them side by side is seen.

Guarantee: writes count here only if they were not made through a session, which tells of them itself.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from sqlalchemy.engine import Connection

from harness.patching import Patches
from harness.sanitizer.hooks import drivers
from harness.sanitizer.hooks.accesses import attached, hooked
from harness.sanitizer.hooks.orm import is_dml
from harness.sanitizer.ownership import AccessKind
from harness.sanitizer.runtime import runtime

__all__ = ["connection_shadow", "install"]
__tracebackhide__ = True

_EXECUTES = ("exec_driver_sql", "execute", "scalar", "scalars")
_BOUNDARIES = ("begin", "begin_nested", "begin_twophase", "close", "commit", "detach", "invalidate", "rollback")
_SAVEPOINTS = ("_release_savepoint_impl", "_savepoint_impl")
_ENDS = ("_commit_impl", "_commit_twophase_impl", "_rollback_impl", "_rollback_twophase_impl")
_CLEANS_UP = frozenset({"close", "invalidate", "_rollback_impl"})


def _is_asynchronous(connection: Any) -> bool:
    return connection is not None and bool(connection.dialect.is_async)


def _is_covered(connection: Any) -> bool:
    """Whether the driver below is watched itself, so that a session's operations are seen there."""
    dialect = connection.dialect
    is_watched = dialect.is_async and dialect.driver in drivers.WATCHED
    if dialect.is_async and not is_watched:
        runtime.limits.add(drivers.limit_of(dialect.driver))
    return is_watched


connection_shadow = attached("Connection", _is_asynchronous, is_covered=_is_covered)


def install(patches: Patches) -> None:
    """Instrument `Connection`."""
    for name in _EXECUTES:
        method = hooked(
            getattr(Connection, name), AccessKind.AWAITED, f"Connection.{name}", connection_shadow, writes=is_dml
        )
        patches.replace(Connection, name, method)
    for name in (*_BOUNDARIES, "_begin_impl", *_SAVEPOINTS):
        original = getattr(Connection, name)
        cleans_up = name in _CLEANS_UP
        method = hooked(
            original, AccessKind.BOUNDARY, f"Connection.{_public(name)}", connection_shadow, cleans_up=cleans_up
        )
        patches.replace(Connection, name, _savepoint(method) if name == "_savepoint_impl" else method)
    for name in (*_ENDS, "_rollback_to_savepoint_impl"):
        patches.replace(Connection, name, _end(getattr(Connection, name), f"Connection.{_public(name)}"))


def _public(name: str) -> str:
    return name.removeprefix("_").removesuffix("_impl")


def _savepoint(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def savepoint(self: Any, *args: Any) -> Any:
        moment = runtime.clocks.moment()
        name = method(self, *args)
        self.__dict__.setdefault("_sessionproof_savepoints", {})[name] = moment
        return name

    return savepoint


def _end(original: Callable[..., Any], operation: str) -> Callable[..., Any]:
    cleans_up = "rollback" in operation

    @wraps(original)
    def end(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active:
            return original(self, *args, **kwargs)
        shadow = runtime.shadow(connection_shadow, self)
        if shadow is None:
            return original(self, *args, **kwargs)
        access = runtime.enter(shadow, AccessKind.BOUNDARY, operation)
        try:
            if shadow.written is not None or shadow.work:
                since = self.__dict__.get("_sessionproof_savepoints", {}).get(args[0], 0) if args else 0
                error = runtime.decided(shadow, since=since)
                if error is not None and not cleans_up:
                    raise error
            return original(self, *args, **kwargs)
        finally:
            if access is not None:
                runtime.leave(access)

    return end
