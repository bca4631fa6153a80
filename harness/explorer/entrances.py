"""The places where an application enters SQLAlchemy's asyncio API.

Problem: a task must be held before it enters the library. Held inside it, between two steps that the
library does without a break, it shows errors that cannot happen.

Mechanism: while active, the methods of `AsyncSession` and `AsyncConnection` that may go to the database
are wrapped on the classes, also for subclasses: the method is called inside the guard, an async context manager. So are
methods that a loaded subclass adds and that go into the library by themselves, as SQLModel's `exec` does: their code
names SQLAlchemy's `greenlet_spawn`.

Guarantee: results and exceptions are untouched, a guard that does not wait adds no switch of tasks, and
after `close` the classes are what they were. `AsyncConnection.stream`, which is no coroutine function,
and lazy loads through `awaitable_attrs` are not entrances.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import wraps
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

__all__ = ["Entrances"]

_METHODS: dict[type, tuple[str, ...]] = {
    AsyncSession: (
        "commit",
        "connection",
        "delete",
        "delete_all",
        "execute",
        "flush",
        "get",
        "get_one",
        "merge",
        "merge_all",
        "refresh",
        "rollback",
        "run_sync",
        "scalar",
        "scalars",
        "stream",
        "stream_scalars",
    ),
    AsyncConnection: (
        "commit",
        "exec_driver_sql",
        "execute",
        "rollback",
        "run_sync",
        "scalar",
        "scalars",
        "start",
    ),
}

_SPAWN = "greenlet_spawn"
"""By what asynchronous methods of SQLAlchemy call its synchronous core."""

Guard = Callable[[], AbstractAsyncContextManager[None]]


class Entrances:
    """Guards every entrance from `open` to `close`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._originals: list[tuple[type, str, Any]] = []

    def open(self) -> None:
        """Wrap the methods."""
        for owner, name in _present():
            original = vars(owner)[name]
            self._originals.append((owner, name, original))
            setattr(owner, name, _guarded(original, self._guard))

    def close(self) -> None:
        """Put them back; harmless when called twice."""
        while self._originals:
            setattr(*self._originals.pop())


def _present() -> Iterator[tuple[type, str]]:
    """Those that the installed SQLAlchemy has as coroutine functions, and those that subclasses add."""
    for owner, names in _METHODS.items():
        yield from ((owner, name) for name in names if inspect.iscoroutinefunction(vars(owner).get(name)))
        for subclass in set(_subclasses(owner)):
            yield from [(subclass, name) for name, value in vars(subclass).items() if _goes_in(value)]


def _subclasses(owner: type) -> Iterator[type]:
    below: list[type] = owner.__subclasses__()
    for subclass in below:
        yield subclass
        yield from _subclasses(subclass)


def _goes_in(value: object) -> bool:
    """Whether it is a coroutine method that calls synchronous code of the library, and not only other methods."""
    if not inspect.isfunction(value) or not inspect.iscoroutinefunction(value):
        return False
    return _SPAWN in inspect.unwrap(value).__code__.co_names


def _guarded(original: Callable[..., Awaitable[Any]], guard: Guard) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def entrance(*args: Any, **kwargs: Any) -> Any:
        async with guard():
            return await original(*args, **kwargs)

    return entrance
