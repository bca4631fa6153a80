"""One thing about a backend that is not as the protocol has it."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from harness.backend.import_failure import shown
from harness.stacks import is_application

__all__ = ["Violation", "place_of"]

_MOST_PARTS = 3
_PASSING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|call-[0-9a-f]{8}-\d+|0x[0-9a-f]+|Task-\d+|sessionproof_\w+"
)
"""Identifiers of turns and calls, addresses of objects, and names of tasks and databases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What is wrong with one `part`: what was `asked` of it, what was `seen`, and what to `change`.

    `place` is the line of the code, `path:line`, where that is known. `also` are further parts of which the same was
    seen, and which the same change mends. Each text is the part of a sentence.
    """

    part: str
    seen: str
    asked: str
    change: str
    place: str = ""
    also: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """What was seen, and where else."""
        if not self.also:
            return self.seen
        more = len(self.also) - _MOST_PARTS
        return f"{self.seen} (also {', '.join(self.also[:_MOST_PARTS])}{f', and {more} more' if more > 0 else ''})"

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.part}{where}: {self.whole}; {self.asked}: {self.change}"

    def with_same(self, other: "Violation") -> "Violation | None":
        """Itself, with the other's part, if that is the same violation of another part; `None` if it is another."""
        if _key(self) != _key(other):
            return None
        parts = dict.fromkeys([*self.also, other.part, *other.also])
        return replace(self, also=tuple(part for part in parts if part != self.part))


def _key(violation: Violation) -> tuple[str, str, str, str]:
    """What makes two violations one: all but the part, without what differs with every turn and database."""
    return _PASSING.sub("…", violation.seen), violation.asked, violation.change, violation.place


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
