"""Reads what belongs to a backend, whose attributes and texts are code that may raise anything.

Mechanism: what is raised is described, and not raised; also what is no `Exception`. An interrupt is told from one that
the backend raises by where it comes from: while asyncio runs, it handles the signal, so that its own frame is the last.

Guarantee: only the user's own interrupt passes.
"""

import signal
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

__all__ = ["Unreadable", "described_error", "is_interrupt", "read", "shown_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What an attribute raised in place of having a value; `missing` if there is none."""

    missing: bool
    said: str


def read(thing: object, name: str) -> object:
    """The attribute's value, or `Unreadable`."""
    try:
        return getattr(thing, name)
    except BaseException as error:
        if is_interrupt(error):
            raise
        return Unreadable(missing=isinstance(error, AttributeError), said=described_error(error))


def shown_value(value: object) -> str:
    """The value's `repr`, or words for it if that raises."""
    try:
        return repr(value)
    except BaseException as error:
        if is_interrupt(error):
            raise
        return f"<a {type(value).__name__}, whose repr raises {type(error).__name__}>"


def described_error(error: BaseException) -> str:
    """Type and text of an error; the type alone if the text cannot be had."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException as another:
        if is_interrupt(another):
            raise
        return type(error).__name__


def is_interrupt(error: BaseException) -> bool:
    """Whether it is the user's own interrupt, and not one that the backend raised."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True  # which may come at any line
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and Path(last.tb_frame.f_code.co_filename).parts[-2:] == ("asyncio", "runners.py")
