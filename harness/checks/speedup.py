"""Were parallel turns faster than the same turns with their tools one by one?

Each pair of a parallel and a sequential turn, run one after the other in one process, gives a ratio. Their
median is judged by its confidence interval, which assumes nothing about the distribution: of n ordered
ratios, those k-th from either end enclose the median with probability 1 - 2·P(Binomial(n, 1/2) < k), for k =
1 that is 1 - 2/2ⁿ (Meeker, Hahn and Escobar, *Statistical Intervals*, 2nd edition, chapter 5,
"Distribution-Free Statistical Intervals"). The narrowest such interval that keeps the demanded confidence is
used. It must lie wholly below the required speed-up for a finding, and wholly at or above it to pass; an
interval on both sides decides nothing.

What is required is measured by the turn, not by the tools alone: the model, the network and the ledger take the same
time in both halves, and hide part of the gain. A turn of S seconds that can save s of them is S / (S - s) times faster
at best; the default asks for S / (S - s/2), half of the saving, which lies between a backend that saves nothing and one
that saves all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import comb
from statistics import median

from harness.checks.conclusion import Conclusion, seconds
from harness.evidence import Evidence, PlannedCall, Record, TimingPair, Turn
from harness.verdict import FindingKind

__all__ = ["MedianInterval", "Saving", "compare_pairs", "is_decided", "median_interval", "rounds_of", "saving_of"]

CONFIDENCE = 0.9
"""The probability with which the interval is to enclose the median."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a plan's tools take in the database one by one, and together, in seconds of one turn."""

    one_by_one: float
    together: float

    @property
    def seconds(self) -> float:
        """What running them together can save."""
        return self.one_by_one - self.together


def saving_of(turns: Sequence[Turn]) -> Saving:
    """The saving of the turns that ran one by one (those of the pairs), or failing that of all, on average."""
    compared = [turn for turn in turns if not turn.parallel] or turns
    rounds = [[call.database_seconds for call in calls] for turn in compared for calls in rounds_of(turn)]
    return Saving(
        one_by_one=sum(map(sum, rounds)) / len(compared),
        together=sum(map(max, rounds)) / len(compared),
    )


def rounds_of(turn: Turn) -> list[tuple[PlannedCall, ...]]:
    """The turn's planned calls, those made together side by side."""
    ordered = sorted(turn.planned, key=lambda call: call.round)
    return [tuple(calls) for _, calls in groupby(ordered, key=lambda call: call.round)]


def compare_pairs(evidence: Evidence, conclusion: Conclusion, *, required: float | None, confidence: float) -> None:
    """Add `NO_SPEEDUP`, or a doubt if the pairs do not decide, and always the figures as a note.

    `required` is the speed-up below which there is none worth the name; by default that of a turn that saves half of
    what its plan can save, measured by how long the sequential turns really took. Without any pair nothing is said.
    """
    pairs = evidence.pairs.items
    if not pairs:
        conclusion.notes.append("no pairs of parallel and sequential turns: nothing is said of their times")
        return
    interval = median_interval([pair.speedup for pair in pairs], confidence=confidence)
    figures = f"median speed-up of {len(pairs)} pairs: {interval}"
    sequential, saving = median(pair.sequential for pair in pairs), saving_of(evidence.turns)
    if required is None and not 0 < saving.seconds < sequential:
        conclusion.notes.append(figures)
        conclusion.doubts.append(
            f"speed-up: the plan can save {seconds(saving.seconds)} of {seconds(sequential)}, which gives no measure"
        )
        return
    threshold = sequential / (sequential - saving.seconds / 2) if required is None else required
    figures += f"; possible {sequential / (sequential - saving.seconds):.2f}" if saving.seconds < sequential else ""
    figures += f", required {threshold:.2f}"
    conclusion.notes.append(figures)
    _judge(interval, threshold, confidence, figures, conclusion)


def is_decided(turns: Sequence[Turn], pairs: Sequence[TimingPair]) -> bool:
    """Whether these pairs say, either way, if running tools together pays; more of them may, where they do not.

    Looking again after every pair makes a wrong decision likelier than the stated coverage says. What is told apart
    here, a saving of nothing and of everything, lies far enough from the threshold to bear that.
    """
    conclusion = Conclusion("pairs")
    evidence = Evidence(turns=tuple(turns), pairs=Record.of("pairs", tuple(pairs)))
    compare_pairs(evidence, conclusion, required=None, confidence=CONFIDENCE)
    return bool(pairs) and not conclusion.doubts


def _judge(interval: MedianInterval, threshold: float, confidence: float, figures: str, conclusion: Conclusion) -> None:
    if interval.coverage < confidence:
        conclusion.doubts.append(
            f"speed-up: too few pairs: their extremes enclose the median with {interval.coverage:.1%}, "
            f"and {confidence:.1%} is demanded"
        )
    elif interval.high < threshold:
        conclusion.find(FindingKind.NO_SPEEDUP, f"running the tools together saved too little time: {figures}")
    elif interval.low < threshold:
        conclusion.doubts.append(f"speed-up: the interval lies on both sides of what is required; {figures}")
