"""anyio's primitives: those that asyncio's do not already tell of.

Problem: anyio's locks, semaphores and limiters on asyncio are its own, and its memory object streams hand items over
in a buffer, or directly to who waits.

Mechanism: `Lock` and `Semaphore(1)` are held as asyncio's are; a limiter orders nobody. A stream keeps a clock of what
was sent, and hands it to who receives. `Event`, and through it waiting on a condition or a stream, is asyncio's.

Guarantee: nothing here is touched unless anyio is loaded. Of several senders on one stream, a receiver also acquires
what those did whose items it did not get.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from harness.patching import Patches
from harness.sanitizer.clocks import EMPTY, Clock
from harness.sanitizer.hooks.primitives import Mutex, ignored, quiet
from harness.sanitizer.runtime import runtime

__all__ = ["install"]
__tracebackhide__ = True

_live = runtime.clocks.live


def install(patches: Patches) -> None:
    """Instrument anyio, if it is loaded."""
    backend = sys.modules.get("anyio._backends._asyncio")
    if backend is None:
        return
    mutexes: WeakKeyDictionary[Any, Mutex] = WeakKeyDictionary()
    for owner, mutex_of in ((backend.Lock, _lock(mutexes)), (backend.Semaphore, _semaphore(mutexes))):
        patches.replace(owner, "acquire", _acquire(owner.acquire, mutex_of))
        patches.replace(owner, "acquire_nowait", _acquire_nowait(owner.acquire_nowait, mutex_of))
        patches.replace(owner, "release", _release(owner.release, mutex_of))
    patches.replace(backend.Semaphore, "__init__", _places(backend.Semaphore.__init__, mutexes))
    limiter = backend.CapacityLimiter
    for name in ("release_on_behalf_of", "_notify_next_waiter"):
        patches.replace(limiter, name, quiet(getattr(limiter, name)))
    condition = sys.modules["anyio._core._synchronization"].Condition
    clocks: WeakKeyDictionary[Any, Clock] = WeakKeyDictionary()
    for name in ("notify", "notify_all"):
        patches.replace(condition, name, _notify(getattr(condition, name), clocks))
    for name in ("acquire", "wait"):
        patches.replace(condition, name, _enter(getattr(condition, name), clocks))
    memory = sys.modules.get("anyio.streams.memory")
    if memory is not None:
        sender, receiver = memory.MemoryObjectSendStream, memory.MemoryObjectReceiveStream
        for name in ("send_nowait", "close"):
            patches.replace(sender, name, _send(getattr(sender, name)))
        patches.replace(sender, "send", _send_and_wait(sender.send))
        patches.replace(receiver, "receive_nowait", _receive(receiver.receive_nowait))


def _lock(mutexes: "WeakKeyDictionary[Any, Mutex]") -> Callable[[Any], Mutex]:
    def mutex_of(lock: Any) -> Mutex:
        if lock not in mutexes:
            mutexes[lock] = Mutex(1)
        return mutexes[lock]

    return mutex_of


def _semaphore(mutexes: "WeakKeyDictionary[Any, Mutex]") -> Callable[[Any], Mutex]:
    def mutex_of(semaphore: Any) -> Mutex:
        if semaphore not in mutexes:
            one = semaphore.max_value == 1 or semaphore.value == 1
            mutexes[semaphore] = Mutex(1 if one else None)
        return mutexes[semaphore]

    return mutex_of


def _places(original: Callable[..., Any], mutexes: "WeakKeyDictionary[Any, Mutex]") -> Callable[..., Any]:
    @wraps(original)
    def initialise(self: Any, initial_value: int, **kwargs: Any) -> None:
        original(self, initial_value, **kwargs)
        mutexes[self] = runtime.looked_up(Mutex, initial_value, ignored)

    return initialise


def _acquire(original: Callable[..., Any], mutex_of: Callable[[Any], Mutex]) -> Callable[..., Any]:
    @wraps(original)
    async def acquire(self: Any) -> None:
        mutex = runtime.looked_up(mutex_of, self, None) if runtime.active else None
        await original(self)
        if mutex is not None and runtime.active:
            runtime.note(mutex.acquired, "the taking of a lock")

    return acquire


def _acquire_nowait(original: Callable[..., Any], mutex_of: Callable[[Any], Mutex]) -> Callable[..., Any]:
    @wraps(original)
    def acquire_nowait(self: Any) -> None:
        mutex = runtime.looked_up(mutex_of, self, None) if runtime.active else None
        original(self)
        if mutex is not None:
            runtime.note(mutex.acquired, "the taking of a lock")

    return acquire_nowait


def _release(original: Callable[..., Any], mutex_of: Callable[[Any], Mutex]) -> Callable[..., Any]:
    silent = quiet(original)

    @wraps(original)
    def release(self: Any) -> None:
        if not runtime.active:
            original(self)
            return
        mutex = runtime.looked_up(mutex_of, self, ignored)
        silent(self)
        runtime.note(mutex.released, "the release of a lock")

    return release


def _notify(original: Callable[..., Any], clocks: "WeakKeyDictionary[Any, Clock]") -> Callable[..., Any]:
    @wraps(original)
    def notify(self: Any, *args: Any, **kwargs: Any) -> None:
        if _live:
            clocks[self] = runtime.joined(clocks.get(self, EMPTY), runtime.release())
        original(self, *args, **kwargs)

    return notify


def _enter(original: Callable[..., Any], clocks: "WeakKeyDictionary[Any, Clock]") -> Callable[..., Any]:
    @wraps(original)
    async def enter(self: Any) -> Any:
        result = await original(self)
        if _live:
            runtime.acquire(clocks.get(self, EMPTY))
        return result

    return enter


def _put_in(stream: Any) -> None:
    if _live:
        state = stream._state  # noqa: SLF001  # what both ends and their clones share
        clock = getattr(state, "_sessionproof", EMPTY)
        state._sessionproof = runtime.joined(clock, runtime.release())  # noqa: SLF001  # it has a dictionary


def _send(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def send(self: Any, *args: Any) -> None:
        _put_in(self)
        original(self, *args)

    return send


def _send_and_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def send(self: Any, item: Any) -> None:
        _put_in(self)
        await original(self, item)

    return send


def _receive(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def receive_nowait(self: Any) -> Any:
        if _live:
            runtime.acquire(getattr(self._state, "_sessionproof", EMPTY))  # as above
        return original(self)

    return receive_nowait
