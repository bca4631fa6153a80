"""Which locks of `threading` the functions of this thread's stack have in hand, as far as they name them.

Problem: synchronous tools run in threads, and a common repair of theirs is one lock around one synchronous session.
`threading.Lock` is made in C and cannot be instrumented: nobody tells who takes it.

Mechanism: when a thread uses a synchronous session, the application's frames on its stack are read. What such a
function can reach by the names in its code (a local or global variable, an attribute of one, or an attribute of that)
is looked at without running anything; if it is a lock, and locked now, it counts as held.

Guarantee: it errs towards silence. A lock that another thread has locked just then is taken for this one's, and what
overlaps is found all the same, whatever is held. A lock that no frame names (it was taken in a context manager that is
a generator, say) is not seen.
"""

import sys
import threading
from collections.abc import Iterator, Mapping
from types import FrameType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

from harness.stacks import is_application

__all__ = ["held"]

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_LOCKS = (_LOCK, _RLOCK, threading.Condition, threading.Semaphore)
_APPLICATION_FRAMES = 6
_FRAMES = 60
_ATTRIBUTES_DEEP = 2
_PLAIN = frozenset({bool, bytes, dict, float, int, list, set, str, tuple, type(None)})
_SLOTS = (GetSetDescriptorType, MemberDescriptorType)
_of_class = vars(type)["__dict__"].__get__

_getframe = sys._getframe  # noqa: SLF001  # `inspect.currentframe` is the same, and slower


def held(depth: int) -> tuple[object, ...]:
    """The locks that are locked now, of those that the caller's `depth`-th caller and the functions below it name."""
    found: dict[int, object] = {}
    for frame in _application_frames(_getframe(depth + 1)):
        for lock in _locks_named(frame):
            if _is_locked(lock):
                found[id(lock)] = lock
    return tuple(found.values())


def _application_frames(frame: FrameType | None) -> Iterator[FrameType]:
    left = _APPLICATION_FRAMES
    for _ in range(_FRAMES):
        if frame is None or not left:
            return
        if is_application(frame.f_code.co_filename):
            left -= 1
            yield frame
        frame = frame.f_back


def _locks_named(frame: FrameType) -> Iterator[object]:
    """The locks among a frame's variables and their attributes, whose names stand in its code."""
    names = frozenset(frame.f_code.co_names)
    variables = frame.f_globals
    values: list[object] = [*frame.f_locals.values(), *(variables[name] for name in names if name in variables)]
    for _ in range(_ATTRIBUTES_DEEP):
        yield from (value for value in values if isinstance(value, _LOCKS))
        values = [value for owner in values if type(owner) not in _PLAIN for value in _attributes(owner, names)]
    yield from (value for value in values if isinstance(value, _LOCKS))


def _attributes(owner: object, names: frozenset[str]) -> Iterator[object]:
    """An object's attributes of those names, without running what a property or a proxy would."""
    classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    for attributes in (_namespace(owner), *map(_namespace, classes)):
        for name in names & attributes.keys():
            yield attributes[name]


def _namespace(owner: object) -> Mapping[str, Any]:
    for each in type(owner).__mro__:
        slot = _of_class(each).get("__dict__")
        if slot is not None:
            return slot.__get__(owner) if isinstance(slot, _SLOTS) else {}
    return {}


def _is_locked(lock: Any) -> bool:
    kind = type(lock)
    if kind is _LOCK:
        return bool(lock.locked())
    if kind is _RLOCK:
        return bool(lock._is_owned())  # noqa: SLF001  # what `threading.Condition` asks as well
    if isinstance(lock, threading.Condition):
        return _is_locked(lock._lock)  # type: ignore[attr-defined]  # noqa: SLF001  # there is no public question
    return bool(lock._value == 0 and getattr(lock, "_initial_value", 1) == 1)  # noqa: SLF001  # as above
