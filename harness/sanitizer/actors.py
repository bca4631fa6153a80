"""Who acts: tasks, threads, and callbacks of event loops.

Each has a clock of its own (`harness.sanitizer.clocks`), and tells what a report says of it. What ended, or was asked
for by one, tells those who learn of it what that one knew.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from weakref import ref

from harness.sanitizer.clocks import EMPTY, Actor, Clock, Clocks
from harness.sanitizer.places import of_waiting

__all__ = ["AnonymousCallbacks", "CallbackActor", "Local", "TaskActor", "ThreadActor", "completion", "registration"]
__tracebackhide__ = True  # pytest shows the program's frames, not these

_C_TASK_DONE = asyncio.Future.done


class TaskActor(Actor):
    """An asyncio task; `tracked` tasks tell those who wait for them what they did."""

    def __init__(self, task: "asyncio.Future[Any]", parent: Actor | None, born: int) -> None:
        super().__init__(parent)
        self.task = ref(task)
        self.born = born

    @property
    def done(self) -> bool:
        """Whether the task is done, or gone."""
        task = self.task()
        return task is None or _C_TASK_DONE(task)

    def thread(self) -> int:
        """The present one: it is asked for while the task runs."""
        return threading.get_ident()

    def waits_at(self) -> Any:
        """Where its coroutines wait."""
        task = self.task()
        return () if task is None or _C_TASK_DONE(task) else of_waiting(task)

    def describe(self) -> str:
        """The task's name."""
        task = self.task()
        return task.get_name() if isinstance(task, asyncio.Task) else self.name or "a task that is gone"


class ThreadActor(Actor):
    """A thread outside of any event loop's step, or one piece of work in it."""

    def __init__(self, parent: Actor | None = None, *, clock: Clock = EMPTY) -> None:
        super().__init__(parent, name=threading.current_thread().name, clock=clock)
        self._thread = threading.get_ident()

    def thread(self) -> int:
        """The one that it was made in."""
        return self._thread


class CallbackActor(Actor):
    """One run of a callback of an event loop, with what was known when it was scheduled."""

    def __init__(self, callback: Callable[..., Any], clock: Clock, parent: Actor, local: "Local") -> None:
        super().__init__(parent, clock=clock)
        self._callback = callback
        self._local = local

    def __call__(self, *args: Any) -> Any:
        """Run the callback as this actor."""
        local = self._local
        outer, local.callback = local.callback, self
        try:
            return self._callback(*args)
        finally:
            local.callback = outer
            self.ended = True

    def __repr__(self) -> str:
        return repr(self._callback)

    def describe(self) -> str:
        """The callback's name."""
        return f"callback {getattr(self._callback, '__qualname__', self._callback)}"


class Local(threading.local):
    """What belongs to one thread."""

    callback: CallbackActor | None = None
    thread: ThreadActor | None = None
    anonymous: "AnonymousCallbacks | None" = None
    quiet: int = 0
    deaf: int = 0
    creating: Actor | None = None


class AnonymousCallbacks(Actor):
    """Callbacks of which nothing is known: those of sockets, and those scheduled before anything was accessed.

    They are one actor, so that nothing is made up about their order, and learn nothing, so that they order nobody, but
    for one thing: what whoever asked for such callbacks had done by then.
    """

    @property
    def done(self) -> bool:
        """A callback that ran is done, and only one runs at a time."""
        return True


def completion(future: Any) -> Clock:
    """What whoever completed a future or task had seen and done by then; empty if nobody saw that."""
    state = getattr(future, "_sessionproof", None)
    if state is None:
        return EMPTY
    if isinstance(state, Actor):
        return Clocks.release(state) if state.done else EMPTY
    return state  # type: ignore[no-any-return]  # the clock of a tracked future


def registration(future: Any, callback: Callable[..., Any]) -> Clock:
    """What whoever added a done callback had seen and done by then."""
    added = getattr(future, "_sessionproof_callbacks", None)
    return added.get(id(callback), EMPTY) if added else EMPTY
