"""Cancelling a task at one chosen await, and at each of them in turn.

Problem: a task can be cancelled wherever it waits, and racing `task.cancel()` against a network does not say where it
struck, nor does it strike there again.

Mechanism: the coroutine is driven one step at a time, and each step that ends in waiting is counted. At the chosen one
the task that runs it is cancelled, as soon as it has begun to wait: whatever it waits for is cancelled with it, as by
a client that went away. Cancelling at each await in turn is the idea of `sqlalchemy.testing.cancellation`.

Guarantee: no timing is involved in where it strikes. What the coroutine does with the cancellation is its own affair;
it is told once.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

__all__ = ["CancelledAt"]

T = TypeVar("T")


class CancelledAt(Generic[T]):
    """An awaitable that runs `coroutine`, and cancels the task that awaits it at its await number `at`, from 1.

    `awaits` counts them; `struck` says whether that one came.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], at: int) -> None:
        self._coroutine = coroutine
        self._at = at
        self.awaits = 0

    @property
    def struck(self) -> bool:
        """Whether the coroutine came to that await."""
        return self.awaits >= self._at

    def __await__(self) -> Generator[Any, Any, T]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            self._count()
            error = None
            try:
                yield waits_for
            except BaseException as thrown:  # noqa: BLE001  # it is thrown on, into the coroutine
                error = thrown

    def _count(self) -> None:
        self.awaits += 1
        task = asyncio.current_task()
        if self.awaits == self._at and task is not None:
            asyncio.get_running_loop().call_soon(task.cancel)
