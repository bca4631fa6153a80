"""One thing about a backend that is not as the protocol has it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.backend.import_failure import shown
from harness.stacks import is_application

__all__ = ["Violation", "place_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What is wrong with one `part`: what was `asked` of it, what was `seen`, and what to `change`.

    `place` is the line of the code, `path:line`, where that is known. Each text is the part of a sentence.
    """

    part: str
    seen: str
    asked: str
    change: str
    place: str = ""

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.part}{where}: {self.seen}; {self.asked}: {self.change}"


def place_of(thing: Callable[..., Any] | type) -> str:
    """Where a function or class of the application is written, `path:line`; empty if nobody knows."""
    try:
        thing = inspect.unwrap(thing)
        file, (_, line) = inspect.getsourcefile(thing), inspect.getsourcelines(thing)
    except (TypeError, ValueError, OSError):
        return ""
    if file is None or not is_application(file):
        return ""
    return f"{shown(file)}:{line}"
