"""Futures and tasks that tell whoever reads their result what was done before it was there.

Problem: `await future` orders two tasks also if the future was done before it was awaited; then nothing is scheduled,
and asyncio's own classes, which are C, have no place to look at.

Mechanism: subclasses that remember the clock of whoever completed them, and hand it on to whoever reads the result,
the exception, or that it is done. The event loops are made to create them; the names `asyncio.Future` and
`asyncio.futures.Future` stand for the subclass meanwhile, which knows every future as its instance.

Guarantee: they are asyncio's futures and tasks in every other respect, also when nothing is watched any more.
"""

import asyncio
from abc import ABCMeta
from collections.abc import Callable, Generator
from typing import Any

from harness.sanitizer.actors import TaskActor
from harness.sanitizer.clocks import EMPTY, Actor, Clock
from harness.sanitizer.places import NEAR, capture
from harness.sanitizer.runtime import runtime

__all__ = ["TrackedFuture", "TrackedTask", "watch_future_class"]
__tracebackhide__ = True

_Future: Any = asyncio.Future
_Task: Any = asyncio.Task
_future_done = _Future.done
_live = runtime.clocks.live


class _EveryFuture(ABCMeta):
    """Makes `isinstance(future, asyncio.Future)` true of all futures while the name stands for the subclass.

    It is an `ABCMeta`, so that an application's future may have an abstract base class beside it.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Future) if cls is TrackedFuture else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Future) if cls is TrackedFuture else super().__subclasscheck__(subclass)


class TrackedFuture(_Future, metaclass=_EveryFuture):  # type: ignore[misc]  # the base is asyncio's, in C
    """A future that remembers what was known when it was completed."""

    _sessionproof: Clock = EMPTY
    _sessionproof_callbacks: dict[int, Clock] | None = None

    def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
        """Call it when it is completed."""
        if _live and not isinstance(getattr(fn, "__self__", None), _Task):
            _note_callback(self, fn)
        _add_done_callback(self, fn, context=context)

    def set_result(self, result: Any) -> None:
        """Complete it."""
        if _live:
            self._sessionproof = runtime.release()
        _set_result(self, result)

    def set_exception(self, exception: Any) -> None:
        """Complete it with an exception."""
        if _live:
            self._sessionproof = runtime.release()
        _set_exception(self, exception)

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it."""
        if _live and not _future_done(self):
            self._sessionproof = runtime.release()
        cancelled: bool = _cancel(self, msg)
        return cancelled

    def result(self) -> Any:
        """What it was completed with."""
        if self._sessionproof:
            runtime.acquire(self._sessionproof)
        return _result(self)

    def exception(self) -> Any:
        """The exception that it was completed with."""
        if self._sessionproof:
            runtime.acquire(self._sessionproof)
        return _exception(self)

    def done(self) -> bool:
        """Whether it is completed."""
        if self._sessionproof:
            runtime.acquire(self._sessionproof)
        done: bool = _future_done(self)
        return done

    def __await__(self) -> Generator[Any, None, Any]:
        if self._sessionproof:
            runtime.acquire(self._sessionproof)
        iterator: Generator[Any, None, Any] = _await(self)
        return iterator

    __iter__ = __await__


_add_done_callback = _Future.add_done_callback
_set_result = _Future.set_result
_set_exception = _Future.set_exception
_cancel = _Future.cancel
_result = _Future.result
_exception = _Future.exception
_await = _Future.__await__
TrackedFuture.__name__ = TrackedFuture.__qualname__ = "Future"


class TrackedTask(_Task):  # type: ignore[misc]  # the base is asyncio's, in C
    """A task that is an actor, and hands on what it did to those who see that it is done."""

    __slots__ = ("_sessionproof", "_sessionproof_callbacks")

    def __init__(self, coro: Any, **kwargs: Any) -> None:
        self._sessionproof_callbacks: dict[int, Clock] | None = None
        creator = self._begin(kwargs) if runtime.active else None
        _initialise(self, coro, **kwargs)
        if creator is not None and kwargs.get("eager_start"):
            runtime.note(lambda: _follow(creator, self._sessionproof), "the first step of an eager task")

    def _begin(self, kwargs: dict[str, Any]) -> Actor | None:
        """Become an actor; returns the one that creates it."""
        try:
            creator = runtime.current()
            actor = TaskActor(self, creator, runtime.clocks.moment())
            if runtime.sampler.all or runtime.sampler.takes():
                actor.created = capture(1, NEAR)
            actor.loop = kwargs.get("loop")
            if _live and kwargs.get("eager_start"):
                runtime.clocks.acquire(actor, runtime.clocks.release(creator))
        except Exception as failure:  # noqa: BLE001  # whatever it is, it must not reach the program
            runtime.fail(failure, "the creation of a task")
            return None
        self._sessionproof = actor
        return creator

    def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
        """Call it when its coroutine has ended."""
        if _live and not isinstance(getattr(fn, "__self__", None), _Task):
            _note_callback(self, fn)
        _task_add_done_callback(self, fn, context=context)

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it: it goes on after that, also if it was about to go on in any case."""
        if _live and not _task_done(self):
            runtime.wakes(self)
        cancelled: bool = _task_cancel(self, msg)
        return cancelled

    def result(self) -> Any:
        """What its coroutine returned."""
        if _live:
            _acquire(self)
        return _task_result(self)

    def exception(self) -> Any:
        """What its coroutine raised."""
        if _live:
            _acquire(self)
        return _task_exception(self)

    def done(self) -> bool:
        """Whether its coroutine has ended."""
        done: bool = _task_done(self)
        if done and _live:
            _acquire(self)
        return done

    def __await__(self) -> Generator[Any, None, Any]:
        if _live:
            _acquire(self)
        iterator: Generator[Any, None, Any] = _task_await(self)
        return iterator

    __iter__ = __await__


_initialise = _Task.__init__
_task_add_done_callback = _Task.add_done_callback
_task_cancel = _Task.cancel
_task_result = _Task.result
_task_exception = _Task.exception
_task_done = _Task.done
_task_await = _Task.__await__
TrackedTask.__name__ = TrackedTask.__qualname__ = "Task"


def _note_callback(future: Any, callback: Any) -> None:
    """Whoever adds a callback has done so before it is called."""
    clock = runtime.release()
    if clock:
        if future._sessionproof_callbacks is None:  # noqa: SLF001  # ours
            future._sessionproof_callbacks = {}  # noqa: SLF001  # as above
        future._sessionproof_callbacks[id(callback)] = clock  # noqa: SLF001  # as above


def _follow(creator: Actor, actor: Actor) -> None:
    """What an eager task did at once happened before what its creator does next."""
    if actor.clock is not creator.clock:
        runtime.clocks.acquire(creator, runtime.clocks.release(actor))


def _acquire(task: Any) -> None:
    if _task_done(task):
        runtime.acquire(runtime.done_by(task))
        actor: Actor | None = getattr(task, "_sessionproof", None)
        if actor is not None and actor.holdings:
            runtime.note(lambda: _inherit_locks(actor), "the locks of a task that is done")


def _inherit_locks(actor: Actor) -> None:
    """Locks that a task took, and did not let go before it ended, are held by the task that awaited it."""
    heir = runtime.current()
    if heir is not actor and isinstance(heir, TaskActor):
        runtime.clocks.hand_on(actor, heir)


def watch_future_class(replace: Callable[[Any, str, Any], None], owner: Any) -> None:
    """Give a subclass of `asyncio.Future` that somebody else wrote the same memory."""
    base_result, base_exception = owner.set_result, owner.set_exception
    base_await, base_read, base_done = owner.__await__, owner.result, owner.done

    def set_result(self: Any, result: Any) -> None:
        if _live:
            children = runtime.looked_up(_children, self, EMPTY)
            self._sessionproof = runtime.joined(children, runtime.release())
            runtime.acquire(self._sessionproof)
        base_result(self, result)

    def set_exception(self: Any, exception: Any) -> None:
        if _live:
            runtime.acquire(runtime.looked_up(_cancelled_children, self, EMPTY))
            self._sessionproof = runtime.release()
        base_exception(self, exception)

    def read(self: Any) -> Any:
        runtime.acquire(getattr(self, "_sessionproof", EMPTY))
        return base_read(self)

    def done(self: Any) -> bool:
        runtime.acquire(getattr(self, "_sessionproof", EMPTY))
        return bool(base_done(self))

    def awaited(self: Any) -> Generator[Any, None, Any]:
        runtime.acquire(getattr(self, "_sessionproof", EMPTY))
        iterator: Generator[Any, None, Any] = base_await(self)
        return iterator

    for name, replacement in {
        "set_result": set_result,
        "set_exception": set_exception,
        "result": read,
        "done": done,
        "__await__": awaited,
        "__iter__": awaited,
    }.items():
        replace(owner, name, replacement)


def _cancelled_children(future: Any) -> Clock:
    """The same, if it is cancelled: then all of them are done, and otherwise only one needs to be."""
    return _children(future) if future._cancel_requested else EMPTY  # noqa: SLF001  # as above


def _children(future: Any) -> Clock:
    """What all that a gathering future waited for had done."""
    clock = EMPTY
    for child in future._children:  # noqa: SLF001  # asyncio's own, of `gather`
        clock = runtime.joined(clock, runtime.done_by(child))
    return clock
