"""Signals between threads: queues and events of the standard library order who uses a session after them.

Problem: a thread that gets a synchronous session from a `queue.Queue`, or waits for an `Event` before it goes on with
one, comes after whoever put it there, or set it.

Mechanism: what was known when something was put or set stays with the object, joined with what was there, and
is acquired by whoever gets, joins, waits or is told that it is set.

Guarantee: nobody is accused who might be right: a queue orders all that was put before what is got, also the items that
another got. `queue.SimpleQueue` and locks are made in C, and tell nothing.
"""

import queue
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from harness.patching import Patches
from harness.sanitizer.clocks import EMPTY
from harness.sanitizer.runtime import runtime

__all__ = ["install"]
__tracebackhide__ = True

_live = runtime.clocks.live
_joining = threading.RLock()  # a finaliser or a signal's handler may set an event, too
_threads = threading._active  # type: ignore[attr-defined]  # noqa: SLF001  # one that just starts, and says so by an event, is none yet
_KNOWN, _DONE = "_sessionproof", "_sessionproof_done"


def install(patches: Patches) -> None:
    """Instrument `queue.Queue` and what inherits from it, and `threading.Event`."""
    for owner, gives, takes, slot in (
        (queue.Queue, "put", "get", _KNOWN),
        (queue.Queue, "task_done", "join", _DONE),
        (threading.Event, "set", "wait", _KNOWN),
    ):
        patches.replace(owner, gives, _gives(getattr(owner, gives), slot))
        taking = _takes if owner is queue.Queue else _is_told
        patches.replace(owner, takes, taking(getattr(owner, takes), slot))
    patches.replace(threading.Event, "is_set", _is_told(threading.Event.is_set, _KNOWN))


def _gives(original: Callable[..., Any], slot: str) -> Callable[..., Any]:
    @wraps(original)
    def give(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _live and threading.get_ident() in _threads:
            known = runtime.release()
            with _joining:
                vars(self)[slot] = runtime.joined(vars(self).get(slot, EMPTY), known)
        return original(self, *args, **kwargs)

    return give


def _takes(original: Callable[..., Any], slot: str) -> Callable[..., Any]:
    @wraps(original)
    def take(self: Any, *args: Any, **kwargs: Any) -> Any:
        taken = original(self, *args, **kwargs)
        if _live:
            runtime.acquire(vars(self).get(slot, EMPTY))
        return taken

    return take


def _is_told(original: Callable[..., Any], slot: str) -> Callable[..., Any]:
    @wraps(original)
    def is_told(self: Any, *args: Any, **kwargs: Any) -> Any:
        told = original(self, *args, **kwargs)
        if _live and told:
            runtime.acquire(vars(self).get(slot, EMPTY))
        return told

    return is_told
