"""What one recorder saw, or why it saw nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from harness.errors import MissingEvidence

__all__ = ["Interval", "Record"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """What one recorder saw, or the reason why it saw nothing.

    Iterating a record that could not be made raises `MissingEvidence` with that reason: absence is never emptiness.
    """

    recorder: str
    entries: tuple[T, ...] = ()
    missing: str | None = None

    @classmethod
    def of(cls, recorder: str, entries: "tuple[T, ...] | list[T]") -> "Record[T]":
        """A record that was made."""
        return cls(recorder, tuple(entries))

    @classmethod
    def absent(cls, recorder: str, reason: str) -> "Record[T]":
        """A record that could not be made."""
        return cls(recorder, (), reason)

    @property
    def items(self) -> tuple[T, ...]:
        """What was recorded; raises `MissingEvidence` if nothing could be."""
        if self.missing is not None:
            raise MissingEvidence(f"recorder {self.recorder!r}: {self.missing}")
        return self.entries

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `start` to `end`, in seconds of one monotonic clock."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    def overlap(self, other: Self) -> float:
        """For how many seconds both lasted; 0.0 if they do not meet."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))
