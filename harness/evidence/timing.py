"""What came when: at the barrier, on the event loop, and beside each other."""

from dataclasses import dataclass

from harness.evidence.record import Interval

__all__ = ["Arrival", "LoopStall", "TimingPair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStall:
    """A time in which the event loop ran nothing else, with the stack that was seen most often in it.

    `share` is the part of the samples (0…1) in which exactly that innermost frame held the loop.
    """

    interval: Interval
    stack: tuple[str, ...]
    samples: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One tool's arrival at the barrier before its first database operation.

    `released` tells by what it went on: `together` (all planned tools were there) or `timeout`.
    """

    tool_call_id: str
    turn: str | None
    at: float
    released: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingPair:
    """The seconds of one parallel turn and of the sequential turn next to it."""

    parallel: float
    sequential: float

    @property
    def speedup(self) -> float:
        """How many times faster the parallel turn was."""
        return self.sequential / self.parallel
