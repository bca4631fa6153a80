"""Event loops: whatever is handed to them to be run later runs with what its creator knew.

Problem: nearly all order in an asyncio program goes through its event loop: a task is created, woken or cancelled by a
callback that somebody scheduled.

Mechanism: `call_soon`, `call_soon_threadsafe` and `call_at` of the loop classes. If the callback is a step of a task,
the task acquires what the caller released; if not, it runs as an actor of its own that has acquired it. Tasks and
futures that the loop makes are tracked ones.

Guarantee: asyncio's loops (selector and proactor) and uvloop's. For tasks of another loop, or of a task factory that
makes other tasks, what cannot be seen is not made up: their accesses are compared only while somebody can tell their
order, and `limits` of the watch says so.
"""

import asyncio
import asyncio.base_events
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from harness.patching import Patches
from harness.sanitizer.actors import CallbackActor
from harness.sanitizer.hooks.futures import TrackedFuture, TrackedTask, watch_future_class
from harness.sanitizer.runtime import runtime

__all__ = ["install", "loop_classes", "loop_factories", "registers", "tracked"]
__tracebackhide__ = True

_live = runtime.clocks.live
_Future, _Task = asyncio.Future, asyncio.Task
_gathering: Any = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]  # noqa: SLF001  # what `gather` returns
tracked = frozenset({TrackedFuture, TrackedTask, _gathering})
"""Classes that remember what was known when an instance was completed."""


_REGISTRATIONS = ("add_reader", "add_signal_handler", "create_server", "create_unix_server")


def loop_classes() -> tuple[type, ...]:
    """The classes of event loops that can be instrumented in this process."""
    uvloop = sys.modules.get("uvloop")
    return (asyncio.base_events.BaseEventLoop, *([uvloop.Loop] if uvloop is not None else []))


def loop_factories() -> tuple[type[asyncio.AbstractEventLoop], ...]:
    """The classes of which event loops are made."""
    uvloop = sys.modules.get("uvloop")
    return (asyncio.SelectorEventLoop, *([uvloop.Loop] if uvloop is not None else []))


def install(patches: Patches) -> None:
    """Instrument the loops, the future class, and `gather`."""
    for owner in loop_classes():
        patches.replace(owner, "call_soon", _call_soon(owner.call_soon))  # type: ignore[attr-defined]  # all have them
        threadsafe = owner.call_soon_threadsafe  # type: ignore[attr-defined]  # as above
        patches.replace(owner, "call_soon_threadsafe", _call_soon_threadsafe(threadsafe))
        patches.replace(owner, "call_at", _call_at(owner.call_at))  # type: ignore[attr-defined]  # as above
        if owner is not asyncio.base_events.BaseEventLoop:
            patches.replace(owner, "call_later", _call_at(owner.call_later))  # type: ignore[attr-defined]  # as above
        patches.replace(owner, "create_future", _create_future(owner.create_future))  # type: ignore[attr-defined]  # as above
        patches.replace(owner, "create_task", _create_task(owner, owner.create_task))  # type: ignore[attr-defined]  # as above
    for factory in loop_factories():
        for name in _REGISTRATIONS:
            # uvloop's base class cannot be changed, and asyncio's loops do not all inherit from the one that is made
            asyncios = (each for each in factory.__mro__ if name in vars(each))
            owner = next(asyncios) if issubclass(factory, asyncio.base_events.BaseEventLoop) else factory
            patches.replace(owner, name, registers(getattr(owner, name)))
    patches.replace(asyncio, "Future", TrackedFuture)
    patches.replace(asyncio.futures, "Future", TrackedFuture)
    watch_future_class(patches.replace, _gathering)


def registers(original: Callable[..., Any]) -> Callable[..., Any]:
    """The method, such that the callbacks that it asks for come after what its caller has done."""

    @wraps(original)
    def register(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _live:
            runtime.registers()
        return original(self, *args, **kwargs)

    return register


def _call_soon(original: Callable[..., Any]) -> Callable[..., Any]:
    local, current_task, task_class = runtime.local, asyncio.current_task, _Task
    running_loop = asyncio._get_running_loop  # noqa: SLF001  # documented for those who implement event loops

    @wraps(original)
    def call_soon(self: Any, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        if _live:
            task = current_task(self)
            if (
                task is None
                and local.callback is None
                and running_loop() is not None
                and _knows_nothing(local.anonymous)
            ):
                # Scheduled by an answer of the network, which knows nothing, unless this is about a tracked future.
                if args and args[0].__class__ in tracked and not _is_step(callback):
                    callback = runtime.scheduled(self, callback, args)
            else:
                owner = getattr(callback, "__self__", None)
                if owner is None or not isinstance(owner, task_class):
                    callback = runtime.scheduled(self, callback, args)
                elif task is not owner:  # most steps are a task's own next one
                    runtime.wakes(owner)
        return original(self, callback, *args, context=context)

    return call_soon


def _knows_nothing(anonymous: Any) -> bool:
    return anonymous is None or not anonymous.clock


def _is_step(callback: Callable[..., Any]) -> bool:
    """Whether a callback is a step of a task."""
    return isinstance(getattr(callback, "__self__", None), _Task)


def _call_soon_threadsafe(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call_soon_threadsafe(self: Any, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        if _live:
            owner = getattr(callback, "__self__", None)
            if isinstance(owner, _Task):
                runtime.wakes(owner)
            else:
                callback = runtime.scheduled(self, callback, args)
        return original(self, callback, *args, context=context)

    return call_soon_threadsafe


def _call_at(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call_at(self: Any, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        if _live and callback.__class__ is not CallbackActor:
            callback = runtime.scheduled(self, callback, args)
        return original(self, when, callback, *args, context=context)

    return call_at


def _create_future(original: Callable[..., Any]) -> Callable[..., Any]:
    frame, drivers = sys._getframe, _DriverFiles()  # noqa: SLF001  # `inspect.currentframe` is the same, and slower

    @wraps(original)
    def create_future(self: Any) -> Any:
        if drivers[frame(1).f_code.co_filename]:
            return _Future(loop=self)  # a driver awaits its answers at once; the network completes them
        return TrackedFuture(loop=self)

    return create_future


class _DriverFiles(dict[str, bool]):
    """Whether a file belongs to a driver."""

    def __missing__(self, file: str) -> bool:
        self[file] = any(f"{separator}asyncpg{separator}" in file for separator in "/\\")
        return self[file]


_eager_factory: Any = getattr(asyncio, "eager_task_factory", None)
_make_eager_factory: Any = getattr(asyncio, "create_eager_task_factory", None)
_tracked_eager_factory: Any = _make_eager_factory(TrackedTask) if _make_eager_factory is not None else None


def _create_task(owner: type, original: Callable[..., Any]) -> Callable[..., Any]:
    check_closed: Callable[[Any], None] | None = getattr(owner, "_check_closed", None)

    @wraps(original)
    def create_task(self: Any, coro: Any, *, name: Any = None, context: Any = None, **kwargs: Any) -> Any:
        factory = self.get_task_factory()
        if factory is None:
            if check_closed is not None:
                check_closed(self)
            task = TrackedTask(coro, loop=self, name=name, context=context, **kwargs)
            if task._source_traceback:  # noqa: SLF001  # in debug mode; asyncio leaves its own frame out, too
                del task._source_traceback[-2:]  # noqa: SLF001  # as above
            return task
        if factory is _eager_factory:
            return _tracked_eager_factory(self, coro, name=name, context=context, **kwargs)
        return _by_another_factory(original, self, coro, name=name, context=context, **kwargs)

    return create_task


def _by_another_factory(original: Callable[..., Any], loop: Any, coro: Any, **kwargs: Any) -> Any:
    """The task is not ours, but it may begin at once, and then runs after what its creator did."""
    if not runtime.active:
        return original(loop, coro, **kwargs)
    before = runtime.local.creating
    runtime.note(runtime.creates, "the creation of a task")
    try:
        task = original(loop, coro, **kwargs)
    finally:
        runtime.local.creating = before
    if _live and isinstance(task, asyncio.Task):
        runtime.note(lambda: runtime.follow(task), "the first step of a task")
    return task
