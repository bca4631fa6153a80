"""Stacks that show the application: where it was, not how the libraries got there.

Problem: SQLAlchemy runs its synchronous core in greenlets, whose stack begins at the greenlet, so that
the caller's frames are not among a frame's `f_back`s. And of forty frames, three say something to the
application's author.

Mechanism: `capture` walks the frames and then those of the greenlet's parents, and keeps code objects and
line numbers; `format_stack` makes text of them later. Frames of installed packages, of the standard
library and of the harness are left out.

Guarantee: a capture holds no frame, and so no local variable, alive.
"""

import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType

import greenlet  # type: ignore[import-untyped]  # its types are a package of their own

__all__ = [
    "RawStack",
    "application_stack",
    "capture",
    "format_stack",
    "is_application",
    "is_harness",
    "is_loop_step",
    "of_exception",
]

RawStack = tuple[tuple[CodeType, int], ...]
"""Code objects and line numbers, innermost last."""

_HARNESS = Path(__file__).resolve().parent
_BUNDLED = _HARNESS / "_bundled"
_LIBRARIES = tuple(
    Path(folder).resolve()
    for folder in (
        *site.getsitepackages(),
        site.getusersitepackages(),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)


def capture() -> RawStack:
    """The application's frames on the caller's stack, across greenlets.

    Down to the event loop's step: below it stands only who started the loop. A line number is worked out when it is
    asked for, which is why only those of the application's few frames are.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # `inspect.currentframe` is the same, and slower
    current, found = greenlet.getcurrent(), []
    while frame is not None and not is_loop_step(code := frame.f_code):
        if is_application(code.co_filename):
            found.append((code, frame.f_lineno))
        frame = frame.f_back
        while frame is None and current.parent is not None:
            current = current.parent
            frame = current.gr_frame
    return tuple(reversed(found))


def of_exception(error: BaseException) -> RawStack:
    """The application's frames on the traceback of an exception, or of its nearest cause that has any."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        found = tuple(pair for pair in _traceback(current.__traceback__) if is_application(pair[0].co_filename))
        if found:
            return found
        current = current.__cause__ or current.__context__
    return ()


def application_stack(pairs: Iterable[tuple[CodeType, int]], *, fallback: int = 0) -> RawStack:
    """The application's part of a stack; if there is none, its `fallback` innermost frames as they are."""
    everything = tuple(pairs)
    found = tuple(pair for pair in everything if is_application(pair[0].co_filename))
    return found or (everything[-fallback:] if fallback else ())


def format_stack(stack: RawStack) -> tuple[str, ...]:
    """`path:line in function` for each frame; paths below the working directory are relative to it."""
    directory = os.getcwd()  # noqa: PTH109  # a path object for each stack costs more than the rest of it
    return tuple(f"{_shown(code.co_filename, directory)}:{line} in {code.co_qualname}" for code, line in stack)


@lru_cache(maxsize=4096)
def is_application(filename: str) -> bool:
    """Whether a file is the application's: no installed package's, not Python's, not the harness's."""
    if filename.startswith("<"):
        return False
    path = Path(filename).resolve()
    if path.is_relative_to(_BUNDLED):
        return True
    return not (path.is_relative_to(_HARNESS) or any(path.is_relative_to(folder) for folder in _LIBRARIES))


def is_loop_step(code: CodeType) -> bool:
    """Whether code is the event loop's for running one callback."""
    return code.co_name == "_run" and code.co_filename.endswith(("asyncio/events.py", "asyncio\\events.py"))


@lru_cache(maxsize=4096)
def is_harness(filename: str) -> bool:
    """Whether a file is the harness's own."""
    path = Path(filename).resolve()
    return path.is_relative_to(_HARNESS) and not path.is_relative_to(_BUNDLED)


def _traceback(traceback: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code, traceback.tb_lineno
        traceback = traceback.tb_next


@lru_cache(maxsize=4096)
def _shown(filename: str, directory: str) -> str:
    try:
        return str(Path(filename).resolve().relative_to(directory))
    except (ValueError, OSError):
        return filename
