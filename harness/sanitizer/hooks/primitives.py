"""asyncio's synchronisation primitives: what orders tasks, and what only keeps them apart.

Problem: a primitive orders two tasks also if nobody had to wait, and then nothing is scheduled. And a lock orders
nobody, though it wakes up the next in line: in another run the other one may be first.

Mechanism: `Event`, `Condition` and `Barrier` keep a clock of what was released into them, and hand it to who passes.
`Lock` and semaphores of one place are held, which makes the mutexes of an access; waking up the next in line releases
nothing. A semaphore that starts at zero is a signal, and orders; one of several places does neither.

Guarantee: a lock or a semaphore of one place that is let go by somebody else than its holder was a signal, and
orders. Conditions of database libraries hand over pooled connections and order nobody.
"""

import asyncio
import sys
from asyncio import locks
from collections.abc import Callable
from functools import reduce, wraps
from types import CodeType
from typing import Any

from harness.patching import Patches
from harness.sanitizer.actors import TaskActor
from harness.sanitizer.clocks import EMPTY, Actor, Clock, Holding
from harness.sanitizer.hooks.accesses import like_a_coroutine_function
from harness.sanitizer.runtime import runtime

__all__ = ["Mutex", "deaf", "ignored", "install", "quiet", "used_by_a_database_library"]
__tracebackhide__ = True

_live = runtime.clocks.live
_DATABASE_LIBRARIES = frozenset({"sqlalchemy", "asyncpg", "psycopg", "psycopg_pool"})


def install(patches: Patches) -> None:
    """Instrument `asyncio.locks`."""
    for name in ("acquire", "release"):
        patches.replace(locks.Lock, name, _HELD[name](getattr(locks.Lock, name), 1))
        patches.replace(locks.Semaphore, name, _HELD[name](getattr(locks.Semaphore, name), None))
    for owner, name in ((locks.Lock, "_wake_up_first"), (locks.Semaphore, "_wake_up_next")):
        patches.replace(owner, name, _wake_up(getattr(owner, name)))
    patches.replace(locks.Semaphore, "__init__", _semaphore(locks.Semaphore.__init__))
    for name, wrap in _EVENT.items():
        patches.replace(locks.Event, name, wrap(getattr(locks.Event, name)))
    for name, wrap in _CONDITION.items():
        patches.replace(locks.Condition, name, wrap(getattr(locks.Condition, name)))
    patches.replace(locks.Barrier, "wait", _barrier(locks.Barrier.wait))


def quiet(original: Callable[..., Any]) -> Callable[..., Any]:
    """The function, such that what it schedules and completes orders nobody."""

    @wraps(original)
    def silent(*args: Any, **kwargs: Any) -> Any:
        local = runtime.local
        local.quiet += 1
        try:
            return original(*args, **kwargs)
        finally:
            local.quiet -= 1

    return silent


def _wake_up(original: Callable[..., Any]) -> Callable[..., Any]:
    silent = quiet(original)

    @wraps(original)
    def wake_up(self: Any) -> Any:
        return silent(self) if self._waiters else original(self)

    return wake_up


def deaf(original: Callable[..., Any]) -> Callable[..., Any]:
    """The function, such that its looks at futures, whether somebody waits still, teach the caller nothing."""

    @wraps(original)
    def unlearning(*args: Any) -> Any:
        local = runtime.local
        local.deaf += 1
        try:
            return original(*args)
        finally:
            local.deaf -= 1

    return unlearning


def used_by_a_database_library() -> bool:
    """Whether the nearest caller outside of asyncio belongs to SQLAlchemy or a driver."""
    frame: Any = sys._getframe(2)  # noqa: SLF001  # `inspect.currentframe` is the same, and slower
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in {"asyncio", "harness"}:
            return package in _DATABASE_LIBRARIES
        frame = frame.f_back
    return False


# -- locks and semaphores ---------------------------------------------------------------------------------------


class Mutex:
    """What is known of one lock or semaphore: how many may be in, who holds it, and what was released as a signal."""

    __slots__ = ("holding", "is_ignored", "places", "signal")

    def __init__(self, places: int | None) -> None:
        self.places = places
        self.is_ignored = places is None
        self.holding: Holding | None = None
        self.signal: Clock = EMPTY

    def acquired(self) -> None:
        """The current actor has got in."""
        if self.signal:
            runtime.acquire(self.signal)
        if self.places == 1:
            self.holding = runtime.clocks.hold(_holder(), self)

    def released(self) -> None:
        """Somebody was let out, by the current actor."""
        holding, self.holding = self.holding, None
        if holding is not None:
            runtime.clocks.let_go(holding)
        if self.places == 0 or (holding is not None and holding.actor is not runtime.current()):
            self.signal = runtime.joined(self.signal, runtime.release())


_ACQUISITIONS: set[CodeType] = set()
"""The code of coroutines that do nothing but acquire."""


def _holder() -> Actor:
    """The current actor; or its creator, if it is a task for the acquisition alone, as of `wait_for` in Python 3.11."""
    actor = runtime.current()
    if isinstance(actor, TaskActor) and actor.parent is not None:
        task = actor.task()
        coroutine: Any = task.get_coro() if isinstance(task, asyncio.Task) else None
        if getattr(coroutine, "cr_code", None) in _ACQUISITIONS:
            return actor.parent
    return actor


ignored = Mutex(None)
"""What is known of a lock of which nothing can be known."""


def _mutex(lock: Any, places: int | None) -> Mutex:
    return runtime.looked_up(lambda lock: _new_mutex(lock, places), lock, ignored)


def _new_mutex(lock: Any, places: int | None) -> Mutex:
    if used_by_a_database_library():
        places = None
    elif places is None:
        places = _guess_places(lock)
    found = lock._sessionproof = Mutex(places)  # noqa: SLF001  # asyncio's locks have a dictionary
    return found


def _guess_places(semaphore: Any) -> int | None:
    """How many places a semaphore has that was made before it was watched, if that can be told."""
    bound = getattr(semaphore, "_bound_value", None)
    if bound is not None:
        return int(bound)
    return 1 if getattr(semaphore, "_value", None) == 1 else None


def _acquire(original: Callable[..., Any], places: int | None) -> Callable[..., Any]:
    async def take(lock: Any, mutex: Mutex) -> Any:
        taken = await original(lock)
        if runtime.active:
            runtime.note(mutex.acquired, "the taking of a lock")
        return taken

    _ACQUISITIONS.add(take.__code__)

    @wraps(original)
    def acquire(self: Any) -> Any:
        try:
            mutex: Mutex = self._sessionproof  # ours: these locks have a dictionary
        except AttributeError:
            mutex = _mutex(self, places)
        return take(self, mutex) if runtime.active and not mutex.is_ignored else original(self)

    return like_a_coroutine_function(acquire)


def _release(original: Callable[..., Any], places: int | None) -> Callable[..., Any]:
    @wraps(original)
    def release(self: Any) -> None:
        original(self)
        try:
            mutex: Mutex = self._sessionproof  # as above
        except AttributeError:
            mutex = _mutex(self, places)
        if runtime.active and not mutex.is_ignored:
            runtime.note(mutex.released, "the release of a lock")

    return release


_HELD = {"acquire": _acquire, "release": _release}


def _semaphore(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def initialise(self: Any, value: int = 1) -> None:
        original(self, value)
        self._sessionproof = runtime.looked_up(Mutex, value, ignored)

    return initialise


# -- events and conditions --------------------------------------------------------------------------------------


def _set(original: Callable[..., Any]) -> Callable[..., Any]:
    unlearning = deaf(original)

    @wraps(original)
    def set_event(self: Any) -> None:
        if _live and not self._value:
            self._sessionproof = runtime.release()
        unlearning(self)

    return set_event


def _is_set(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def is_set(self: Any) -> bool:
        if _live and self._value:
            _pass(self)
        return bool(original(self))

    return is_set


def _wait(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def wait(self: Any) -> Any:
        result = await original(self)
        if _live:
            _pass(self)
        return result

    return wait


def _pass(primitive: Any) -> None:
    runtime.acquire(getattr(primitive, "_sessionproof", EMPTY))


def _put_in(primitive: Any) -> None:
    clock = getattr(primitive, "_sessionproof", EMPTY)
    primitive._sessionproof = runtime.joined(clock, runtime.release())  # noqa: SLF001  # they have a dictionary


_EVENT: dict[str, Callable[..., Any]] = {"set": _set, "is_set": _is_set, "wait": _wait}


def _notify(original: Callable[..., Any]) -> Callable[..., Any]:
    unlearning, silent = deaf(original), quiet(original)

    @wraps(original)
    def notify(self: Any, *args: Any) -> None:
        if runtime.active and runtime.looked_up(_is_a_pools, self, False):
            silent(self, *args)
            return
        if _live and not getattr(self, "_sessionproof_barrier", False):  # which keeps a clock for each filling
            _put_in(self)
        unlearning(self, *args)

    return notify


def _wait_on(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def wait(self: Any, *args: Any) -> Any:
        runtime.looked_up(_rebind, self, None)
        result = await original(self, *args)
        if _live:
            _pass(self)
        return result

    return wait


def _enter(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def enter(self: Any) -> None:
        """Whoever enters sees what was notified: it may find the condition true, and then does not wait."""
        runtime.looked_up(_rebind, self, None)
        await original(self)
        if _live:
            _pass(self)

    return enter


def _rebind(condition: Any) -> None:
    """A condition keeps its lock's methods as they were when it was made."""
    if getattr(condition.acquire, "__func__", None) is not type(condition._lock).acquire:  # noqa: SLF001  # asyncio's own
        condition.acquire = condition._lock.acquire  # noqa: SLF001  # as above
        condition.release = condition._lock.release  # noqa: SLF001  # as above


def _is_a_pools(condition: Any) -> bool:
    """Whether a database library uses the condition to hand over connections, which orders nobody."""
    found: bool | None = getattr(condition, "_sessionproof_pool", None)
    if found is None:
        found = condition._sessionproof_pool = used_by_a_database_library()  # noqa: SLF001  # they have a dictionary
    return found


_CONDITION: dict[str, Callable[..., Any]] = {
    "notify": _notify,
    "wait": _wait_on,
    "wait_for": _wait_on,
    "__aenter__": _enter,
}


class _Arrivals:
    """What those had done who have called `wait` and not come back, and what opened the barrier the last time."""

    __slots__ = ("opened", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[object, Clock] = {}
        self.opened = EMPTY


def _barrier(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def wait(self: Any) -> Any:
        if not runtime.active:
            return await original(self)
        arrivals, arrival = runtime.looked_up(_arrivals, self, None), object()
        if arrivals is None:
            return await original(self)
        arrivals.waiting[arrival] = runtime.release()
        try:
            index = await original(self)
            if index == self.parties - 1:  # it came last, and has opened it in this very step
                arrivals.opened = reduce(runtime.joined, arrivals.waiting.values())
        finally:  # who is cancelled, or finds it broken, leaves the others waiting, and orders nobody
            del arrivals.waiting[arrival]
        runtime.acquire(arrivals.opened)
        return index

    return wait


def _arrivals(barrier: Any) -> _Arrivals:
    barrier._cond._sessionproof_barrier = True  # noqa: SLF001  # see `_notify`
    known: _Arrivals | None = getattr(barrier, "_sessionproof", None)
    if known is None:
        known = barrier._sessionproof = _Arrivals()  # noqa: SLF001  # as above
    return known
