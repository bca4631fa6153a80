"""Repetitions of several arms, side by side in one process, until their ratios are known well enough.

Problem: a machine that gets slower while one arm is measured makes the other one look faster; too few repetitions say
nothing, and too many cost time.

Mechanism: each repetition runs every arm once, in an order that moves by one place from repetition to repetition (A B
C, C A B, B C A), so that every arm stands in every place equally often. The first repetitions warm up, and are not
counted. It goes on until the interval of every arm's ratio to the reference is narrow enough, or a limit is reached;
without a reference, that of every arm's median, and where there is nothing else than the reference, that of its own.
Looking at the intervals on the way makes them somewhat less sure than they say; `LOOKS` keeps the looks few.

Guarantee: what was measured is kept, whether limits, failures or `stop` end the measurement. An arm that fails takes no
further part, and says why; the reference that fails ends it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from time import perf_counter
from typing import Protocol

from harness.bench.estimate import LEAST, Estimate, median_of, ratio_of_medians
from harness.errors import MissingEvidence, SessionproofError, UsageError

__all__ = ["Ended", "Limits", "Measurement", "Progress", "Sample", "Series", "interleave", "orders"]

PATIENCE = 3.0
"""How many times the time it may take to have as many repetitions as an interval needs."""

LOOKS = 1.25
"""After how many times the repetitions of the last look the intervals are looked at again."""


class Ended(StrEnum):
    """What ended a measurement."""

    INTERVAL = "interval"
    """Every interval is as narrow as was asked for."""
    REPETITIONS = "repetitions"
    TIME = "time"
    FAILURE = "failure"
    """The reference failed, or everything that was compared with it."""
    INTERRUPTED = "interrupted"
    """Somebody asked for the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of one arm: its seconds, and by `parts` what those of its mean turn were spent on.

    `overlapped` says whether its tools worked at the same time, `gained` which part (0…1) was gained of what that can
    gain at most, and `lost` on what seconds of the rest were spent; `None` where there is no such question. In `fixed`
    of the mean turn's seconds planned work was going on.
    """

    seconds: float
    parts: Mapping[str, float] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
    fixed: float = 0.0
    gained: float | None = None
    overlapped: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop: `half_width` of each interval relative to its value, numbers of repetitions, and `seconds`."""

    half_width: float = 0.02
    warm_up: int = 1
    least: int = 8
    most: int = 100
    seconds: float = 60.0


@dataclass(slots=True, kw_only=True)
class Series:
    """What was measured of one arm, in the order of the repetitions; `failure` says why it took no further part.

    `unseen` is true if that is no failure of the arm: the harness could not see what it has to.
    """

    name: str
    samples: list[Sample] = field(default_factory=list)
    failure: str | None = None
    unseen: bool = False

    @property
    def seconds(self) -> list[float]:
        """The seconds of each repetition."""
        return [sample.seconds for sample in self.samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The series of all arms, the reference first if there is one, and what ended it."""

    reference: str | None
    series: Mapping[str, Series]
    ended: Ended
    elapsed: float

    def ratio(self, name: str) -> Estimate:
        """How many times the reference's seconds an arm took.

        Raises:
            MissingEvidence: the arm or the reference failed, or there are too few repetitions; or nothing is compared.
        """
        if self.reference is None:
            raise MissingEvidence(f"{name}: there is nothing that it is compared with")
        series = self.series[name]
        for each in (self.series[self.reference], series):
            if each.failure is not None:
                raise MissingEvidence(f"{each.name}: {each.failure}")
        return ratio_of_medians(series.seconds, self.series[self.reference].seconds)


class Progress(Protocol):
    """Is told after each repetition how many there were, and the widest interval as far as it is known."""

    def __call__(self, repetitions: int, half_width: float | None) -> None:
        """Take note of it."""
        ...


def orders(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The order of the arms in each repetition, without end: each stands in each place equally often."""
    for repetition in count():
        first = -repetition % len(names)
        yield (*names[first:], *names[:first])


async def interleave(
    arms: Mapping[str, Callable[[], Awaitable[Sample]]],
    *,
    reference: str | None,
    limits: Limits,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = perf_counter,
) -> Measurement:
    """Run the arms in turn, and measure how long each takes against the reference, if there is one.

    `stop` is asked before each run of an arm whether to end. The repetition in which it says so does not count.

    Raises:
        UsageError: there is no arm of the reference's name.
    """
    if reference is not None and reference not in arms:
        raise UsageError(f"there is no arm {reference!r} to compare with; there are {', '.join(arms)}")
    begun = clock()
    series = {name: Series(name=name) for name in sorted(arms, key=lambda name: name != reference)}
    measurement = _Measuring(series=series, reference=reference, limits=limits)
    for repetition, order in enumerate(orders(list(series)), start=1 - limits.warm_up):
        whole = await _repeat(arms, series, order, counted=repetition > 0, stop=stop)
        ended = measurement.ended(repetition, clock() - begun) if whole else Ended.INTERRUPTED
        if progress is not None:
            progress(max(repetition, 0), measurement.half_width)
        if ended is not None:
            return Measurement(reference=reference, series=series, ended=ended, elapsed=clock() - begun)
    raise AssertionError("orders go on for ever")


async def _repeat(
    arms: Mapping[str, Callable[[], Awaitable[Sample]]],
    series: Mapping[str, Series],
    order: Sequence[str],
    *,
    counted: bool,
    stop: Callable[[], bool],
) -> bool:
    """Run each arm once, and keep its sample if it is `counted`; returns false if it was stopped on the way."""
    samples: dict[str, Sample] = {}
    for name in order:
        if stop():
            return False
        if series[name].failure is not None:
            continue
        try:
            samples[name] = await arms[name]()
        except SessionproofError as error:
            series[name].failure, series[name].unseen = str(error), isinstance(error, MissingEvidence)
    for name, sample in samples.items():
        if counted:
            series[name].samples.append(sample)
    return True


@dataclass(slots=True, kw_only=True)
class _Measuring:
    """Decides whether to go on."""

    series: Mapping[str, Series]
    reference: str | None
    limits: Limits
    half_width: float | None = None
    next_look: int = 0

    def ended(self, repetition: int, elapsed: float) -> Ended | None:
        if self.reference is not None and self.series[self.reference].failure is not None:
            return Ended.FAILURE
        others = [each for each in self.series.values() if each.name != self.reference]
        if repetition >= self.limits.least and others and all(each.failure is not None for each in others):
            return Ended.FAILURE
        limit = self._limit(repetition, elapsed)
        due = repetition >= max(self.limits.least, self.next_look)
        if due or (limit is not None and repetition >= LEAST):
            self.half_width = self._widest()
            self.next_look = max(repetition + 1, round(repetition * LOOKS))
            if self.half_width <= self.limits.half_width:
                return Ended.INTERVAL
        return limit

    def _limit(self, repetition: int, elapsed: float) -> Ended | None:
        if repetition >= self.limits.most:
            return Ended.REPETITIONS
        late = elapsed >= self.limits.seconds and (repetition >= LEAST or elapsed >= PATIENCE * self.limits.seconds)
        return Ended.TIME if late else None

    def _widest(self) -> float:
        sound = [each for each in self.series.values() if each.failure is None]
        if self.reference is None:
            return max(median_of(each.seconds).half_width for each in sound)
        reference = self.series[self.reference].seconds
        compared = [ratio_of_medians(each.seconds, reference) for each in sound if each.name != self.reference]
        return max((each.half_width for each in compared), default=median_of(reference).half_width)
