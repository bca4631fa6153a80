"""Cancelling a task at one chosen await, and at each of them in turn.

Problem: a task can be cancelled wherever it, or a task that it waits for, is waiting; racing `task.cancel()` against a
network does not say where it struck, nor does it strike there again.

Mechanism: the coroutine is driven one step at a time, and each step that ends in waiting is counted; so are the steps
of the tasks that are created on its behalf, which the loop's task factory tells. At the chosen one the task that runs
the coroutine is cancelled, as soon as it has begun to wait: whatever it waits for is cancelled with it, as by a client
that went away. Cancelling at each await in turn is the idea of `sqlalchemy.testing.cancellation`.

Guarantee: no timing is involved in where it strikes. What the coroutine does with the cancellation is its own affair;
it is told once. Several may run at the same time, each with a count of its own; when the last has ended, the loop has
its own task factory again.
"""

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

__all__ = ["CancelledAt"]

T = TypeVar("T")


class CancelledAt(Generic[T]):
    """An awaitable that runs `coroutine`, and cancels the task that awaits it at its await number `at`, from 1.

    `awaits` counts them; `struck` says whether that one came. Awaited once, and not inside of another.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], at: int) -> None:
        self._coroutine = coroutine
        self._at = at
        self._task: asyncio.Task[Any] | None = None
        self.awaits = 0

    @property
    def struck(self) -> bool:
        """Whether the coroutine came to that await."""
        return self.awaits >= self._at

    def __await__(self) -> Generator[Any, Any, T]:
        self._task = asyncio.current_task()
        token = _running.set(self)
        try:
            with _task_factory(asyncio.get_running_loop()):
                result: T = yield from _Steps(self._coroutine, self).__await__()
        finally:
            _running.reset(token)
            self._task = None
        return result

    def count(self) -> None:
        """A step of it has ended in waiting."""
        if self._task is not None:
            self.awaits += 1
            if self.awaits == self._at:
                asyncio.get_running_loop().call_soon(self._task.cancel)


_running: ContextVar[CancelledAt[Any] | None] = ContextVar("cancelled_at", default=None)


class _Steps(Generic[T]):
    """Runs a coroutine step by step, and counts those that end in waiting."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], counter: CancelledAt[Any]) -> None:
        self._coroutine = coroutine
        self._counter = counter

    def __await__(self) -> Generator[Any, Any, T]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            self._counter.count()
            error = None
            try:
                yield waits_for
            except BaseException as thrown:  # noqa: BLE001  # it is thrown on, into the coroutine
                error = thrown


_counting: dict[asyncio.AbstractEventLoop, int] = {}
"""In how many coroutines of a loop awaits are counted now."""


@contextmanager
def _task_factory(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have the loop's tasks counted; the last of those who want that puts back what the first one found."""
    if loop not in _counting:
        _counting[loop] = 0
        loop.set_task_factory(_Factory(loop.get_task_factory()))
    _counting[loop] += 1
    try:
        yield
    finally:
        _counting[loop] -= 1
        if not _counting[loop]:
            del _counting[loop]
            factory = loop.get_task_factory()
            if isinstance(factory, _Factory):  # unless somebody else has put another in its place
                loop.set_task_factory(factory.before)


class _Factory:
    """Makes tasks whose steps are counted, if they are created on behalf of a coroutine whose steps are."""

    def __init__(self, before: Any) -> None:
        self.before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **arguments: Any) -> Any:
        counter = _running.get()
        driven = coroutine if counter is None else _drive(coroutine, counter)
        if self.before is not None:
            return self.before(loop, driven, **arguments)
        return asyncio.Task(driven, loop=loop, **arguments)


async def _drive(coroutine: Coroutine[Any, Any, T], counter: CancelledAt[Any]) -> T:
    return await _Steps(coroutine, counter)
