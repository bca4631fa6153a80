"""Lanes of a trace: slices that overlap without enclosing each other stand on lanes of their own.

Problem: the trace-event format draws what lies on one thread as a stack of calls, and viewers drop or bend what does
not nest. Two tools of one name, or two turns at once, do not.

Mechanism: slices are laid in the order of their starts, the longest first, each on the first lane of its name on which
it nests; a further lane gets a number behind the name.

Guarantee: on each lane every two slices are apart or one encloses the other. The same slices give the same lanes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Lanes", "Slice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Something that took time, in seconds of any clock."""

    name: str
    start: float
    end: float
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Lane:
    label: str
    slices: list[Slice] = field(default_factory=list)
    open: list[Slice] = field(default_factory=list)

    def take(self, piece: Slice) -> bool:
        """Lay the slice on this lane, if it nests there."""
        while self.open and self.open[-1].end <= piece.start:
            self.open.pop()
        if self.open and self.open[-1].end < piece.end:
            return False
        self.open.append(piece)
        self.slices.append(piece)
        return True


class Lanes:
    """The lanes of one process of a trace, numbered from 1 in the order in which their names were first given."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[Slice]] = {}
        self._lanes: list[_Lane] = []
        self._first: dict[str, int] = {}
        self._numbers: dict[int, int] = {}

    def name(self, label: str) -> None:
        """Let there be a lane of that name, also if nothing is laid on it."""
        self._wanted.setdefault(label, [])

    def add(self, label: str, piece: Slice) -> None:
        """Lay a slice on the lane of that name, or beside it."""
        self._wanted.setdefault(label, []).append(piece)

    def lay(self) -> None:
        """Find the lanes; to be called once, when all slices were added and before anything is asked."""
        for label, pieces in self._wanted.items():
            lanes = [_Lane(label)]
            for piece in sorted(pieces, key=lambda each: (each.start, -each.end)):
                if not any(lane.take(piece) for lane in lanes):
                    lanes.append(_Lane(f"{label} ({len(lanes) + 1})"))
                    lanes[-1].take(piece)
            self._first[label] = len(self._lanes) + 1
            self._lanes += lanes
        self._numbers = {id(piece): number for number, _, pieces in self for piece in pieces}

    def __iter__(self) -> Iterator[tuple[int, str, list[Slice]]]:
        """Number, name and slices of each lane."""
        return ((number, lane.label, lane.slices) for number, lane in enumerate(self._lanes, 1))

    def number(self, label: str) -> int:
        """The number of the first lane of that name."""
        return self._first[label]

    def number_of(self, piece: Slice) -> int:
        """The number of the lane on which a slice was laid."""
        return self._numbers[id(piece)]
