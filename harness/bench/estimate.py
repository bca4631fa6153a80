"""Ratios of medians, with their intervals.

Problem: absolute times are the machine's and drift; a ratio without an interval says nothing about the next run.

Mechanism: repetitions that were made side by side stay together. `scipy.stats.bootstrap` draws whole repetitions
(`paired`) with replacement, and takes the ratio of the medians of each drawing; the interval is that of the percentiles
(Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13). The smallest change that would be found is
that of a two-sided test at level a against an estimate of the same precision, by the normal approximation on the
logarithm of the ratio: (z(1 - a/2) + z(power)) · √2 · its standard error (Bloom, "Minimum Detectable Effects",
*Evaluation Review* 19, 1995). The interval of a share is Wilson's (E. B. Wilson, "Probable Inference, the Law of
Succession, and Statistical Inference", *Journal of the American Statistical Association* 22, 1927): it says something
of five repetitions too.

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
    "Grown",
    "Measured",
    "grown_by",
    "growth_of",
    "median_of",
    "outliers_of",
    "ratio_of_medians",
    "share_of",
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

    `fixed` and `yardstick_fixed` are those of each repetition's seconds that no machine makes shorter or longer, such
    as sleep.
    """

    seconds: Sequence[float]
    yardstick: Sequence[float]
    fixed: Sequence[float]
    yardstick_fixed: Sequence[float]


def growth_of(now: Measured, before: Measured, *, confidence: float = CONFIDENCE) -> Estimate:
    """How many times what was to be expected something takes now.

    To be expected of each repetition before is what was fixed of it, and its rest times what became of the median of
    the yardstick's rest: so much the machine changed. The growth is the median now against the median of what is to be
    expected, so that repetitions of two kinds, with different fixed seconds, are not mixed into one that none of them
    is. What is fixed now is not used but for the yardstick's: more of it is growth too. Whole repetitions of each
    measurement are drawn, with their fixed seconds, independently of the other's.

    Raises:
        ValueError: sequences that should be of the same repetitions are of different lengths.
        MissingEvidence: there are too few repetitions for an interval.
    """
    for each in (now, before):
        _check_pairs(each.seconds, each.yardstick, each.fixed, each.yardstick_fixed)
    seconds, fixed = np.asarray(now.seconds), np.asarray(before.fixed)
    rest = np.maximum(np.asarray(before.seconds) - fixed, _LEAST_REST)

    def log_growth(ours: Floats, theirs: Floats, axis: int = -1) -> Floats:
        here, there = ours.astype(np.intp), theirs.astype(np.intp)
        machine = _machine(now, before, here, there, axis)
        expected = np.median(fixed[there] + rest[there] * np.expand_dims(machine, axis), axis=axis)
        growth: Floats = np.log(np.median(seconds[here], axis=axis) / expected)
        return growth

    places = _places(now.seconds), _places(before.seconds)
    result = _bootstrap(places, log_growth, confidence=confidence, paired=False)
    return Estimate(
        value=float(np.exp(log_growth(*places))),
        low=float(np.exp(result.confidence_interval.low)),
        high=float(np.exp(result.confidence_interval.high)),
        repetitions=min(len(now.seconds), len(before.seconds)),
        confidence=confidence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """By how many seconds something grew, with the interval of that; without one where nobody knows it."""

    seconds: float
    low: float | None = None
    high: float | None = None


def grown_by(
    part: Sequence[float],
    part_before: Sequence[float],
    *,
    now: Measured,
    before: Measured,
    fixed: float = 0.0,
    confidence: float = CONFIDENCE,
) -> Grown:
    """By how many seconds the mean of a part of the turn grew beyond what is to be expected of it.

    `part` and `part_before` are what was spent on it in each repetition. To be expected of the share (0…1) of it that
    is `fixed` is the same again, and of its rest what became of the median of the yardstick's rest. Whole repetitions
    of each measurement are drawn, independently of the other's.

    Raises:
        ValueError: sequences that should be of the same repetitions are of different lengths.
        MissingEvidence: there are too few repetitions for an interval.
    """
    _check_pairs(part, now.yardstick, now.yardstick_fixed)
    _check_pairs(part_before, before.yardstick, before.yardstick_fixed)
    ours, theirs = np.asarray(part), np.asarray(part_before)

    def difference(here: Floats, there: Floats, axis: int = -1) -> Floats:
        here_places, there_places = here.astype(np.intp), there.astype(np.intp)
        machine = _machine(now, before, here_places, there_places, axis)
        expected = np.mean(theirs[there_places], axis=axis) * (fixed + (1.0 - fixed) * machine)
        grown: Floats = np.mean(ours[here_places], axis=axis) - expected
        return grown

    places = _places(part), _places(part_before)
    interval = _bootstrap(places, difference, confidence=confidence, paired=False).confidence_interval
    return Grown(seconds=float(difference(*places)), low=float(interval.low), high=float(interval.high))


def share_of(count: int, known: int, *, confidence: float = CONFIDENCE) -> Estimate:
    """Which part (0…1) of all repetitions something is the case in, if it was in `count` of the `known` ones.

    Raises:
        MissingEvidence: of no repetition it is known.
    """
    if known == 0:
        raise MissingEvidence("of no repetition it is known")
    interval = stats.binomtest(count, known).proportion_ci(confidence_level=confidence, method="wilson")
    return Estimate(
        value=count / known,
        low=float(interval.low),
        high=float(interval.high),
        repetitions=known,
        confidence=confidence,
    )


def _check_pairs(seconds: Sequence[float], *others: Sequence[float]) -> None:
    for other in others:
        if len(seconds) != len(other):
            raise ValueError(f"{len(seconds)} and {len(other)} repetitions cannot be pairs")


def _places(sample: Sequence[float]) -> Floats:
    return np.arange(len(sample), dtype=np.float64)


def _machine(now: Measured, before: Measured, here: NDArray[np.intp], there: NDArray[np.intp], axis: int) -> Floats:
    """How many times what it was the yardstick's rest is: so much the machine changed."""
    machine: Floats = _yardstick_rest(now, here, axis) / _yardstick_rest(before, there, axis)
    return machine


def _yardstick_rest(measured: Measured, places: NDArray[np.intp], axis: int) -> Floats:
    """The median of what the yardstick took beyond what is fixed of it, in the repetitions in these places."""
    rest = np.asarray(measured.yardstick) - np.asarray(measured.yardstick_fixed)
    median: Floats = np.maximum(np.median(rest[places], axis=axis), _LEAST_REST)
    return median


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
