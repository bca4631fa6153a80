"""Stacks that cost little to take: code objects and instruction offsets, resolved when somebody reads them.

Problem: every access needs its stack, because only later does one turn out to be half of a race, and most never do.

Mechanism: a walk up the frames that keeps (code object, offset) pairs of application frames only, crosses from a
greenlet to the one that drives it, and ends at the event loop's step. Lines are looked up when a report is made.

Guarantee: no frame, and so no local variable, is kept alive.
"""

import asyncio.events
import sys
from types import CodeType, FrameType
from typing import Any

import greenlet  # type: ignore[import-untyped]  # its types are a package of their own

from harness.evidence import PlaceSeen
from harness.stacks import is_application, is_harness

__all__ = ["NEAR", "RawPlaces", "Sampler", "capture", "capture_foreign", "of_waiting", "resolve"]

RawPlaces = tuple[tuple[CodeType, int], ...]
"""Code objects and offsets of instructions, innermost first."""

_STEP = asyncio.events.Handle._run.__code__  # noqa: SLF001  # where a task's stack begins
NEAR = 8
"""How many frames of libraries lie between an application that creates a task and the creation, at most."""
_APPLICATION_FRAMES = 8
_FRAMES_BELOW_THE_FIRST = 12
_FOREIGN_FRAMES = 6

_DRAWS = 2**32
_FACTOR, _ADDEND = 1_664_525, 1_013_904_223
"""A linear congruential generator modulo 2**32 (Knuth, and Numerical Recipes in C, 7.1)."""

_getframe = sys._getframe  # noqa: SLF001  # `inspect.currentframe` is the same, and slower
_getcurrent = greenlet.getcurrent

_LIBRARY, _APPLICATION, _EVENTS = 0, 1, 2


class Sampler:
    """Which stacks are taken, of all that could be: a share, and the same ones in the same program.

    Every hundredth one would be in step with a program that does the same ten things again and again, and always take
    the same one of them; so draws are made, always the same. Whoever asks looks at `all` first, which costs less.
    """

    __slots__ = ("_drawn", "_threshold", "all")

    def __init__(self) -> None:
        self.take(1.0)

    def take(self, share: float) -> None:
        """From now on take that share, from 0 to 1."""
        self.all = share >= 1
        self._threshold = int(share * _DRAWS)
        self._drawn = 0

    def takes(self) -> bool:
        """Whether the next one is taken."""
        self._drawn = (self._drawn * _FACTOR + _ADDEND) % _DRAWS
        return self._drawn < self._threshold


class _Roles(dict[str, int]):
    """What a file is: a library's, the application's, or the one in which a task's stack begins."""

    def __missing__(self, file: str) -> int:
        role = _EVENTS if file == _STEP.co_filename else _APPLICATION if is_application(file) else _LIBRARY
        self[file] = role
        return role


_roles = _Roles()


def capture(depth: int, reach: int = 1_000, most: int = 8) -> RawPlaces:
    """The application's frames, `most` of them, innermost first, from the caller's `depth`-th caller on.

    The first one is looked for among `reach` frames, the others not far below it.
    A greenlet's stack may be no deeper than the hook in it, so that a greater depth than is sure to exist is no option.
    """
    frame: FrameType = _getframe(depth + 1)
    places: list[tuple[CodeType, int]] = []
    parent: greenlet.greenlet | None = None
    roles = _roles
    below: FrameType | None
    for limit in (reach, _FRAMES_BELOW_THE_FIRST):
        for _ in range(limit):
            role = roles[frame.f_code.co_filename]
            below = frame.f_back
            if role:
                if frame.f_code is _STEP:
                    return tuple(places)
                if role is _APPLICATION:
                    places.append((frame.f_code, frame.f_lasti))
                    if len(places) == most:
                        return tuple(places)
            if below is None:
                parent = _getcurrent().parent if parent is None else parent.parent
                below = None if parent is None else parent.gr_frame
                if below is None:
                    return tuple(places)
            frame = below
            if role and limit is reach:
                break
        else:
            break
    return tuple(places)


def of_waiting(task: Any) -> RawPlaces:
    """The application's frames, innermost first, of the coroutines in which a task waits."""
    places: list[tuple[CodeType, int]] = []
    waiting = task.get_coro()
    while waiting is not None:
        frame = _attribute(waiting, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        if is_application(frame.f_code.co_filename):
            places.append((frame.f_code, frame.f_lasti))
        waiting = _attribute(waiting, "cr_await", "gi_yieldfrom", "ag_await")
    return tuple(reversed(places))[:_APPLICATION_FRAMES]


def _attribute(waiting: Any, *names: str) -> Any:
    """Of a coroutine, a generator, or an asynchronous generator."""
    return next((getattr(waiting, name) for name in names if hasattr(waiting, name)), None)


def capture_foreign(depth: int) -> RawPlaces:
    """The innermost frames that are not the harness's own, for a stack without application frames."""
    frame: FrameType | None = _getframe(depth + 1)
    places: list[tuple[CodeType, int]] = []
    while frame is not None and len(places) < _FOREIGN_FRAMES and frame.f_code is not _STEP:
        if not is_harness(frame.f_code.co_filename):
            places.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(places)


def resolve(places: RawPlaces) -> tuple[PlaceSeen, ...]:
    """The places with their lines, innermost last."""
    return tuple(
        PlaceSeen(file=code.co_filename, line=_line(code, offset), function=code.co_qualname)
        for code, offset in reversed(places)
    )


def _line(code: CodeType, offset: int) -> int:
    found = code.co_firstlineno
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return found
