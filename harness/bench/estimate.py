"""Ratios of medians, with their intervals.

Problem: absolute times are the machine's and drift; a ratio without an interval says nothing about the next run.

Mechanism: repetitions that were made side by side stay together. `scipy.stats.bootstrap` draws whole repetitions
(`paired`) with replacement, and takes the ratio of the medians of each drawing; the interval is that of the percentiles
(Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13). The smallest change that would be found is
that of a two-sided test at level a against an estimate of the same precision, by the normal approximation on the
logarithm of the ratio: (z(1 - a/2) + z(power)) · √2 · its standard error (Bloom, "Minimum Detectable Effects",
*Evaluation Review* 19, 1995).

Guarantee: nothing is left out. Outliers are by Tukey's fences (beyond 1.5 interquartile ranges from the quartiles);
they are told, and counted like all others. The same samples give the same estimate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import expm1, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.errors import MissingEvidence

__all__ = [
    "CONFIDENCE",
    "LEAST",
    "Estimate",
    "Measured",
    "growth_of",
    "median_of",
    "outliers_of",
    "ratio_of_medians",
]

CONFIDENCE = 0.95
POWER = 0.8
LEAST = 5
"""How many repetitions an interval needs: fewer leave the bootstrap of a median next to nothing to draw from."""

_RESAMPLES = 4_999
_SEED = 20_260_301
_FENCE = 1.5
_LEAST_REST = 1e-6
"""Seconds: nothing takes less beside what is fixed of it; a clock's rounding must not turn the sign."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval, which encloses the true one with probability `confidence` (0…1).

    `detectable` is the smallest relative change (0.05: five hundredths) that a comparison with an estimate of the same
    precision would find with a power of 0.8; `None` where that was not asked for.
    """

    value: float
    low: float
    high: float
    repetitions: int
    confidence: float = CONFIDENCE
    detectable: float | None = None

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the value."""
        return (self.high - self.low) / 2 / self.value

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio_of_medians(
    numerators: Sequence[float], denominators: Sequence[float], *, confidence: float = CONFIDENCE
) -> Estimate:
    """The ratio of the medians of two samples whose elements with the same index were measured side by side.

    Raises:
        ValueError: the samples are not of the same length.
        MissingEvidence: there are too few repetitions for an interval.
    """
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} and {len(denominators)} repetitions cannot be pairs")
    result = _bootstrap((numerators, denominators), _log_ratio, confidence=confidence)
    above, below = float(np.median(numerators)), float(np.median(denominators))
    spread = float(stats.norm.ppf(1 - (1 - confidence) / 2) + stats.norm.ppf(POWER)) * sqrt(2)
    return Estimate(
        value=above / below,
        low=float(np.exp(result.confidence_interval.low)),
        high=float(np.exp(result.confidence_interval.high)),
        repetitions=len(numerators),
        confidence=confidence,
        detectable=expm1(spread * float(result.standard_error)),
    )


def median_of(sample: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """The median of a sample.

    Raises:
        MissingEvidence: there are too few repetitions for an interval.
    """
    result = _bootstrap((sample,), _median, confidence=confidence)
    return Estimate(
        value=float(np.median(sample)),
        low=float(result.confidence_interval.low),
        high=float(result.confidence_interval.high),
        repetitions=len(sample),
        confidence=confidence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The seconds of something and of a yardstick, measured side by side: the same index is the same repetition.

    `fixed` and `yardstick_fixed` are those of the seconds that no machine makes shorter or longer, such as sleep.
    """

    seconds: Sequence[float]
    yardstick: Sequence[float]
    fixed: float
    yardstick_fixed: float


def growth_of(now: Measured, before: Measured, *, confidence: float = CONFIDENCE) -> Estimate:
    """How many times what was to be expected something takes now.

    To be expected is the fixed part, and the rest of what it took before, times what became of the yardstick's rest: so
    much the machine changed. Whole repetitions of each measurement are drawn, independently of the other's.

    Raises:
        ValueError: two sequences that should be pairs are of different lengths.
        MissingEvidence: there are too few repetitions for an interval.
    """
    for each in (now, before):
        if len(each.seconds) != len(each.yardstick):
            raise ValueError(f"{len(each.seconds)} and {len(each.yardstick)} repetitions cannot be pairs")

    def log_growth(ours: Floats, theirs: Floats, axis: int = -1) -> Floats:
        taken, machine = _medians(now, ours, axis)
        took, machine_before = _medians(before, theirs, axis)
        rest = np.maximum(took - before.fixed, _LEAST_REST) * (machine / machine_before)
        growth: Floats = np.log(taken / (before.fixed + rest))
        return growth

    places = np.arange(len(now.seconds), dtype=np.float64), np.arange(len(before.seconds), dtype=np.float64)
    result = _bootstrap(places, log_growth, confidence=confidence, paired=False)
    return Estimate(
        value=float(np.exp(log_growth(*places))),
        low=float(np.exp(result.confidence_interval.low)),
        high=float(np.exp(result.confidence_interval.high)),
        repetitions=min(len(now.seconds), len(before.seconds)),
        confidence=confidence,
    )


def _medians(measured: Measured, places: Floats, axis: int) -> tuple[Floats, Floats]:
    """The median seconds of the repetitions in these places, and those of the yardstick beyond what is fixed of it."""
    chosen = places.astype(np.intp)
    seconds: Floats = np.median(np.asarray(measured.seconds)[chosen], axis=axis)
    yardstick: Floats = np.median(np.asarray(measured.yardstick)[chosen], axis=axis)
    return seconds, np.maximum(yardstick - measured.yardstick_fixed, _LEAST_REST)


def outliers_of(sample: Sequence[float]) -> tuple[int, ...]:
    """The indices of those that lie outside of Tukey's fences."""
    values = np.asarray(sample, dtype=np.float64)
    if values.size == 0:
        return ()
    first, third = np.quantile(values, (0.25, 0.75))
    reach = _FENCE * (third - first)
    outside = (values < first - reach) | (values > third + reach)
    return tuple(int(index) for index in np.flatnonzero(outside))


def _log_ratio(numerators: Floats, denominators: Floats, axis: int = -1) -> Floats:
    ratio: Floats = np.log(np.median(numerators, axis=axis) / np.median(denominators, axis=axis))
    return ratio


def _median(sample: Floats, axis: int = -1) -> Floats:
    median: Floats = np.median(sample, axis=axis)
    return median


def _bootstrap(
    samples: tuple[Sequence[float] | Floats, ...],
    statistic: Callable[..., Floats],
    *,
    confidence: float,
    paired: bool = True,
) -> Any:
    fewest = min(map(len, samples))
    if fewest < LEAST:
        raise MissingEvidence(f"{fewest} repetitions have no interval; at least {LEAST} are needed")
    return stats.bootstrap(
        samples,
        statistic,
        n_resamples=_RESAMPLES,
        paired=paired and len(samples) > 1,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
