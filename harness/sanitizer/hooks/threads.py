"""Threads: work that is handed to another thread begins with what its creator knew, and its result tells what it did.

Problem: `asyncio.to_thread`, executors and anyio's worker threads run code that may come back to the event loop with
`call_soon_threadsafe`, and whoever waits for it goes on after it.

Mechanism: a function that is submitted to a `ThreadPoolExecutor`, or to anyio's worker threads, runs as an actor of its
own. `concurrent.futures.Future` remembers what was known when it was completed. A `threading.Thread` begins with what
its starter knew, and `join` acquires what it did.

Guarantee: `queue.Queue`, `threading.Lock` and their like order nobody here: sessions of asyncio belong to one thread.
"""

import concurrent.futures
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from harness.patching import Patches
from harness.sanitizer.actors import ThreadActor
from harness.sanitizer.clocks import EMPTY, Actor
from harness.sanitizer.places import NEAR, RawPlaces, capture
from harness.sanitizer.runtime import runtime

__all__ = ["install"]
__tracebackhide__ = True

_live = runtime.clocks.live


def install(patches: Patches) -> None:
    """Instrument executors, threads, and anyio's worker threads if anyio is loaded."""
    executor = concurrent.futures.ThreadPoolExecutor
    patches.replace(executor, "submit", _submit(executor.submit))
    future = concurrent.futures.Future
    for name in ("set_result", "set_exception"):
        patches.replace(future, name, _complete(getattr(future, name)))
    for name in ("result", "exception", "done"):
        patches.replace(future, name, _read(getattr(future, name)))
    patches.replace(threading.Thread, "start", _start(threading.Thread.start))
    patches.replace(threading.Thread, "join", _join(threading.Thread.join))
    backend = sys.modules.get("anyio._backends._asyncio")
    if backend is not None:
        run = vars(backend.AsyncIOBackend)["run_sync_in_worker_thread"]
        patches.replace(backend.AsyncIOBackend, "run_sync_in_worker_thread", classmethod(_run_sync(run.__func__)))


class _Job:
    """A function that runs in another thread, as an actor that knows what its creator knew."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._clock = runtime.release() if _live else EMPTY
        self._parent: Actor | None = None
        self._created: RawPlaces = ()
        runtime.note(self._look, "the submission of a job")

    def _look(self) -> None:
        self._parent = runtime.current()
        if runtime.sampler.all or runtime.sampler.takes():
            self._created = capture(1, NEAR)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        runtime.note(self._begin, "the beginning of a job")
        actor = runtime.local.thread
        try:
            return self._function(*args, **kwargs)
        finally:
            if actor is not None:
                actor.ended = True
                runtime.note(lambda: _collect(actor), "the end of a job")

    def _begin(self) -> None:
        # The thread stays this actor until its next job: its result is reported after the function has returned.
        actor = runtime.local.thread = ThreadActor(self._parent, clock=self._clock)
        actor.created = self._created


def _collect(actor: Actor) -> None:
    """What a job did happened before whatever follows the end of its thread."""
    thread = vars(threading.current_thread())
    done = thread.get("_sessionproof_done", EMPTY)
    thread["_sessionproof_done"] = runtime.joined(done, runtime.clocks.release(actor))


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return original(self, _Job(fn) if runtime.active else fn, *args, **kwargs)

    return submit


def _run_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def run_sync_in_worker_thread(cls: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await original(cls, _Job(func) if runtime.active else func, *args, **kwargs)

    return run_sync_in_worker_thread


def _complete(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def complete(self: Any, outcome: Any) -> None:
        if _live:
            self._sessionproof = runtime.release()
        original(self, outcome)

    return complete


def _read(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            if _live:
                runtime.acquire(getattr(self, "_sessionproof", EMPTY))

    return read


def _start(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def start(self: threading.Thread) -> None:
        if _live:
            vars(self)["_sessionproof"] = runtime.release()
        original(self)

    return start


def _join(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def join(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not _live or self.is_alive():
            return
        runtime.acquire(vars(self).get("_sessionproof_done", EMPTY))
        actor = vars(self).get("_sessionproof_actor")
        if actor is not None:
            runtime.note(lambda: runtime.acquire(runtime.clocks.release(actor)), "the end of a thread")

    return join
