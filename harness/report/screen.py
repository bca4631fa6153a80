"""What of a list has a place on the first screen of a page.

Problem: a run may have one cell that is not as expected, or thousands, with texts of any length; the page is to stay
small in either case.

Mechanism: pieces of markup are made one by one, and counted in bytes as they will stand in the file, until the room
for them is used up.

Guarantee: what is taken never needs more bytes than there is room, and what is not taken is counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

__all__ = ["Screen", "Shown"]

_T = TypeVar("_T")
_MISSES = 20
"""So many pieces that do not fit are tried before it is concluded that the others do not either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The pieces that have a place, in the order of their list; how many have none, and the numbers of these."""

    pieces: tuple[Markup, ...]
    without: tuple[int, ...]

    @property
    def left(self) -> int:
        """How many have no place."""
        return len(self.without)


@dataclass(slots=True)
class Screen:
    """So many bytes that are still free."""

    room: int

    def fit(
        self,
        items: Sequence[_T],
        make: Callable[[_T], str],
        *,
        most: int | None = None,
        later: Callable[[_T], bool] = lambda _: False,
    ) -> Shown:
        """What `make` makes of the items, in at most `most` bytes; those that may come `later` get what is left."""
        room = self.room if most is None else min(most, self.room)
        kept: dict[int, Markup] = {}
        misses = 0
        for number in sorted(range(len(items)), key=lambda each: later(items[each])):
            piece = Markup(make(items[number]))  # noqa: S704  # a template of ours made it, which escapes
            size = len(piece.encode("utf-8"))
            if size <= room:
                kept[number] = piece
                room -= size
                self.room -= size
            elif (misses := misses + 1) >= _MISSES:
                break
        return Shown(
            pieces=tuple(kept[number] for number in sorted(kept)),
            without=tuple(number for number in range(len(items)) if number not in kept),
        )
