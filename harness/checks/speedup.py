"""Were parallel turns faster than the same turns with their tools one by one?

Each pair of a parallel and a sequential turn, run one after the other in one process, gives a ratio. Their
median is judged by its confidence interval, which assumes nothing about the distribution: of n ordered
ratios, those k-th from either end enclose the median with probability 1 - 2·P(Binomial(n, 1/2) < k), for k =
1 that is 1 - 2/2ⁿ (Meeker, Hahn and Escobar, *Statistical Intervals*, 2nd edition, chapter 5,
"Distribution-Free Statistical Intervals"). The narrowest such interval that keeps the demanded confidence is
used. It must lie wholly below the required speed-up for a finding, and wholly at or above it to pass; an
interval on both sides decides nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import comb
from statistics import median

from harness.checks.conclusion import Conclusion
from harness.evidence import Evidence, PlannedCall, Turn
from harness.verdict import FindingKind

__all__ = ["MedianInterval", "compare_pairs", "ideal_speedup", "median_interval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianInterval:
    """The sample's median, and the interval that encloses the true one with probability `coverage` (0…1)."""

    median: float
    low: float
    high: float
    coverage: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}], coverage {self.coverage:.1%}"


def median_interval(sample: Sequence[float], *, confidence: float) -> MedianInterval:
    """The narrowest symmetric interval with at least `confidence`, or else from end to end.

    An empty sample raises `statistics.StatisticsError`.
    """
    ordered, size = sorted(sample), len(sample)
    middle = median(ordered)
    ranks = range(1, size // 2 + 1)
    kept = [rank for rank in ranks if _coverage(size, rank) >= confidence]
    rank = max(kept, default=1)
    return MedianInterval(
        median=middle, low=ordered[rank - 1], high=ordered[size - rank], coverage=_coverage(size, rank)
    )


def _coverage(size: int, rank: int) -> float:
    outside = sum(comb(size, below) for below in range(rank))
    return 1 - outside / 2.0 ** (size - 1)


def ideal_speedup(turns: Iterable[Turn]) -> float:
    """Database time one by one, divided by database time together, over all rounds; 1.0 without any."""
    one_by_one = together = 0.0
    for turn in turns:
        for calls in rounds_of(turn):
            one_by_one += sum(call.database_seconds for call in calls)
            together += max(call.database_seconds for call in calls)
    return one_by_one / together if together > 0 else 1.0


def rounds_of(turn: Turn) -> list[tuple[PlannedCall, ...]]:
    """The turn's planned calls, those made together side by side."""
    ordered = sorted(turn.planned, key=lambda call: call.round)
    return [tuple(calls) for _, calls in groupby(ordered, key=lambda call: call.round)]


def compare_pairs(evidence: Evidence, conclusion: Conclusion, *, required: float | None, confidence: float) -> None:
    """Add `NO_SPEEDUP`, or a doubt if the pairs do not decide, and always the figures as a note.

    `required` is the speed-up below which there is none worth the name; by default half of what the plan's
    database times make possible. Without any pair nothing is said.
    """
    pairs = evidence.pairs.items
    if not pairs:
        conclusion.notes.append("no pairs of parallel and sequential turns: nothing is said of their times")
        return
    ideal = ideal_speedup(evidence.turns)
    threshold = 1 + (ideal - 1) / 2 if required is None else required
    interval = median_interval([pair.speedup for pair in pairs], confidence=confidence)
    figures = f"median speed-up of {len(pairs)} pairs: {interval}; ideal {ideal:.2f}, required {threshold:.2f}"
    conclusion.notes.append(figures)
    if required is None and ideal <= 1:
        conclusion.doubts.append("speed-up: no round of the plan has two tools with database time to save")
    elif interval.coverage < confidence:
        conclusion.doubts.append(
            f"speed-up: {len(pairs)} pairs are too few: their extremes enclose the median with "
            f"{interval.coverage:.1%}, and {confidence:.1%} is demanded"
        )
    elif interval.high < threshold:
        conclusion.find(
            FindingKind.NO_SPEEDUP,
            f"running the tools together saved too little time: {figures}",
        )
    elif interval.low < threshold:
        conclusion.doubts.append(f"speed-up: the interval lies on both sides of what is required; {figures}")
