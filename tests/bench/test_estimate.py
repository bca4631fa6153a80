"""Ratios of medians: their intervals hold what they should, and say how small a change would be found."""

from dataclasses import replace

import numpy as np
import pytest

from harness.bench.estimate import (
    Measured,
    grown_by,
    growth_of,
    median_of,
    outliers_of,
    ratio_of_medians,
    share_of,
)
from harness.errors import MissingEvidence

ROUNDS = 200
"""How many experiments a statement about coverage is looked at in."""


def noisy(seed: int, *, size: int, ratio: float, spread: float = 0.05) -> tuple[list[float], list[float]]:
    """Pairs whose medians have a ratio, on a machine that gets slower all the time."""
    random = np.random.default_rng(seed)
    drift = np.linspace(1.0, 1.5, size)
    below = drift * random.lognormal(0.0, spread, size)
    above = drift * random.lognormal(np.log(ratio), spread, size)
    return list(above), list(below)


def test_the_ratio_of_exact_repetitions_is_exact() -> None:
    """Without any spread the interval has no width, and any change would be found."""
    estimate = ratio_of_medians([4.8] * 10, [2.4] * 10)

    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((2.0, 2.0, 2.0))
    assert estimate.half_width == pytest.approx(0.0)
    assert estimate.detectable == pytest.approx(0.0)
    assert estimate.repetitions == 10


@pytest.mark.searching
def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    """Though the machine drifts by half meanwhile: what was measured side by side stays together."""
    held = 0
    for seed in range(ROUNDS):
        estimate = ratio_of_medians(*noisy(seed, size=20, ratio=1.3))
        held += estimate.low <= 1.3 <= estimate.high

    assert 0.9 <= held / ROUNDS <= 1.0


@pytest.mark.searching
def test_a_change_as_large_as_detectable_is_mostly_told_apart() -> None:
    """Of two estimates whose true ratios differ by that much, 8 in 10 differ by more than chance would let them."""
    detectable = float(np.median([ratio_of_medians(*noisy(seed, size=20, ratio=1.0)).detectable for seed in range(50)]))
    values = {
        ratio: [ratio_of_medians(*noisy(seed, size=20, ratio=ratio)).value for seed in seeds]
        for ratio, seeds in ((1.0, range(1000, 1000 + ROUNDS)), (1.0 + detectable, range(5000, 5000 + ROUNDS)))
    }
    differences = np.log(values[1.0 + detectable]) - np.log(values[1.0])
    threshold = 1.96 * np.sqrt(2) * np.std(np.log(values[1.0]))

    assert 0.65 <= float(np.mean(differences > threshold)) <= 0.95


def test_more_repetitions_find_smaller_changes() -> None:
    """By about the square root of their number."""
    few, many = (ratio_of_medians(*noisy(7, size=size, ratio=1.0)) for size in (10, 160))

    assert few.detectable is not None
    assert many.detectable is not None
    assert many.detectable < few.detectable / 2
    assert many.half_width < few.half_width / 2


def test_the_same_samples_give_the_same_estimate() -> None:
    """The drawings are the same each time."""
    assert ratio_of_medians(*noisy(1, size=12, ratio=1.1)) == ratio_of_medians(*noisy(1, size=12, ratio=1.1))


def test_a_median_has_an_interval_too() -> None:
    """Around it, in its own unit, without a smallest change."""
    estimate = median_of([0.24, 0.25, 0.241, 0.239, 0.242, 0.3])

    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.value == pytest.approx(0.2415)
    assert estimate.detectable is None


@pytest.mark.parametrize("size", [0, 1, 4])
def test_too_few_repetitions_have_no_interval(size: int) -> None:
    """Rather than one that means nothing."""
    with pytest.raises(MissingEvidence, match=f"{size} repetitions have no interval; at least 5 are needed"):
        ratio_of_medians([1.0] * size, [1.0] * size)
    with pytest.raises(MissingEvidence):
        median_of([1.0] * size)


def test_repetitions_that_are_no_pairs_are_refused() -> None:
    """They were not measured side by side."""
    with pytest.raises(ValueError, match="6 and 5 repetitions cannot be pairs"):
        ratio_of_medians([1.0] * 6, [1.0] * 5)


def test_outliers_are_told_by_their_place() -> None:
    """Beyond one and a half interquartile ranges from the quartiles; alike, none is."""
    assert outliers_of([1.0, 1.1, 0.9, 1.0, 5.0, 1.05, 0.1]) == (4, 6)
    assert outliers_of([1.0] * 6) == ()
    assert outliers_of([]) == ()


def measured(seconds: list[float], yardstick: list[float]) -> Measured:
    fixed, yardstick_fixed = [2.0] * len(seconds), [1.0] * len(yardstick)
    return Measured(seconds=seconds, yardstick=yardstick, fixed=fixed, yardstick_fixed=yardstick_fixed)


def test_growth_is_against_what_the_yardstick_makes_one_expect() -> None:
    """Fixed seconds stay, and the rest doubles with the yardstick's; the interval is that of both measurements."""
    before, on_half_a_machine = measured([3.0] * 6, [1.5] * 6), measured([4.0] * 8, [2.0] * 8)

    same = growth_of(on_half_a_machine, before)
    slower = growth_of(measured([6.0] * 8, [2.0] * 8), before)

    assert (same.value, same.low, same.high, same.repetitions) == pytest.approx((1.0, 1.0, 1.0, 6))
    assert slower.value == pytest.approx(1.5)


def test_growth_takes_whole_repetitions() -> None:
    """A repetition in which the machine was slow is slow for both, and widens no interval."""
    slow = [1.0, 1.3, 1.1, 1.9, 1.2, 1.6, 1.4]
    together = measured([2.0 + each for each in slow], [1.0 + each / 2 for each in slow])

    growth = growth_of(together, measured([3.0] * 6, [1.5] * 6))

    assert growth.value == pytest.approx(1.0)
    assert growth.high - growth.low < 0.001
    apart = measured(list(together.seconds)[::-1], list(together.yardstick))
    wide = growth_of(apart, measured([3.0] * 6, [1.5] * 6))
    assert wide.high - wide.low > 0.05


def test_growth_expects_of_each_repetition_what_is_fixed_of_it() -> None:
    """Half of them waited for another tool: on half a machine the rest doubles of both kinds, and nothing else."""
    waits = [0.0, 2.0, 2.0, 0.0, 2.0, 0.0, 2.0]

    def on(machine: float) -> Measured:
        return Measured(
            seconds=[2.0 + wait + machine for wait in waits],
            yardstick=[1.0 + wait / 4 + machine / 2 for wait in waits],
            fixed=[2.0 + wait for wait in waits],
            yardstick_fixed=[1.0 + wait / 4 for wait in waits],
        )

    assert growth_of(on(2.0), on(1.0)).value == pytest.approx(1.0)
    assert growth_of(on(0.5), on(1.0)).value == pytest.approx(1.0)
    assert growth_of(replace(on(2.0), seconds=[each * 1.5 for each in on(2.0).seconds]), on(1.0)).value == (
        pytest.approx(1.5)
    )


def test_more_planned_work_is_growth() -> None:
    """A tool that has to wait for another one now: no machine explains that."""
    waiting = replace(measured([5.0] * 6, [1.5] * 6), fixed=[4.0] * 6)

    assert growth_of(waiting, measured([3.0] * 6, [1.5] * 6)).value == pytest.approx(5.0 / 3.0)


def test_a_clock_that_rounds_does_not_turn_the_sign_of_a_rest() -> None:
    """Less than what is fixed is taken for next to nothing beside it."""
    rounded = measured([1.999] * 6, [0.999] * 6)

    assert growth_of(rounded, rounded).value == pytest.approx(1.0, abs=0.001)


def test_growth_of_too_few_or_of_no_pairs_is_none() -> None:
    """It is not made up."""
    with pytest.raises(MissingEvidence, match="4 repetitions have no interval"):
        growth_of(measured([3.0] * 4, [1.5] * 4), measured([3.0] * 6, [1.5] * 6))
    with pytest.raises(ValueError, match="6 and 5 repetitions cannot be pairs"):
        growth_of(measured([3.0] * 6, [1.5] * 6), measured([3.0] * 6, [1.5] * 5))
    with pytest.raises(ValueError, match="6 and 1 repetitions cannot be pairs"):
        growth_of(measured([3.0] * 6, [1.5] * 6), replace(measured([3.0] * 6, [1.5] * 6), fixed=[2.0]))


def spending(machine: float, beyond: float = 0.0) -> tuple[Measured, list[float]]:
    """On a machine that takes so many times as long: a yardstick, and a part whose half is waiting for planned work."""
    slow = [1.0, 1.02, 0.99, 1.01, 0.98, 1.03, 1.0]
    seconds = [2.0 + 0.2 * machine * each for each in slow]
    yardstick = [1.0 + 0.1 * machine * each for each in slow]
    measured = Measured(seconds=seconds, yardstick=yardstick, fixed=[2.0] * 7, yardstick_fixed=[1.0] * 7)
    return measured, [0.1 + 0.1 * machine * each + beyond for each in slow]


def test_a_part_grows_by_what_the_machine_does_not_explain() -> None:
    """On half a machine its rest doubles, and what is fixed of it does not; what it spends beyond that is growth."""
    before, part_before = spending(1.0)
    now, part = spending(2.0)
    slower, grown = spending(2.0, beyond=0.05)

    same = grown_by(part, part_before, now=now, before=before, fixed=0.5)
    more = grown_by(grown, part_before, now=slower, before=before, fixed=0.5)

    assert same.seconds == pytest.approx(0.0, abs=0.002)
    assert same.low is not None
    assert same.high is not None
    assert same.low < 0 < same.high
    assert more.seconds == pytest.approx(0.05, abs=0.002)
    assert more.low is not None
    assert more.high is not None
    assert 0.04 < more.low < more.seconds < more.high < 0.06


@pytest.mark.searching
def test_the_interval_of_a_part_holds_its_growth_about_as_often_as_it_says() -> None:
    """From ten repetitions of each run; that of a mean of few is somewhat too narrow."""

    def measured(random: np.random.Generator, beyond: float) -> tuple[Measured, list[float]]:
        rest, part = random.normal(0.03, 0.001, 10), random.normal(0.02 + beyond, 0.002, 10)
        fixed = [0.24] * 10
        seconds, yardstick = 0.24 + part, 0.24 + rest
        return Measured(seconds=list(seconds), yardstick=list(yardstick), fixed=fixed, yardstick_fixed=fixed), list(
            part
        )

    held = 0
    for seed in range(ROUNDS):
        random = np.random.default_rng(seed)
        (before, part_before), (now, part) = measured(random, 0.0), measured(random, 0.01)
        grown = grown_by(part, part_before, now=now, before=before)
        assert grown.low is not None
        assert grown.high is not None
        held += grown.low <= 0.01 <= grown.high

    assert 0.85 <= held / ROUNDS <= 1.0


def test_a_part_of_other_repetitions_is_refused() -> None:
    """And of too few of them there is no interval."""
    measured, part = spending(1.0)
    few = Measured(seconds=[1.0] * 4, yardstick=[1.0] * 4, fixed=[0.5] * 4, yardstick_fixed=[0.5] * 4)

    with pytest.raises(ValueError, match="6 and 7 repetitions cannot be pairs"):
        grown_by(part[1:], part, now=measured, before=measured)
    with pytest.raises(MissingEvidence, match="4 repetitions have no interval"):
        grown_by([0.1] * 4, [0.1] * 4, now=few, before=few)


@pytest.mark.parametrize(
    ("count", "known", "interval"),
    [(5, 5, (0.57, 1.0)), (0, 5, (0.0, 0.43)), (2, 5, (0.12, 0.77)), (10, 10, (0.72, 1.0)), (1, 10, (0.02, 0.40))],
)
def test_a_share_of_few_repetitions_has_a_wide_interval(count: int, known: int, interval: tuple[float, float]) -> None:
    """Wilson's: all of five are more than half beyond doubt, and two of five are anything."""
    share = share_of(count, known)

    assert (share.low, share.high) == pytest.approx(interval, abs=0.005)
    assert share.low <= share.value <= share.high
    assert (share.value, share.repetitions) == (count / known, known)


def test_a_share_of_nothing_is_not_known() -> None:
    """It is neither none nor all."""
    with pytest.raises(MissingEvidence, match="of no repetition it is known"):
        share_of(0, 0)
