"""Measurements as parts of the document."""

from collections.abc import Mapping, Sequence

import pytest

from harness.bench.arm import Setting
from harness.bench.describe import describe_case
from harness.bench.interleave import Ended, Limits, Measurement, Sample, Series
from harness.bench.messages import message
from harness.bench.parts import Part
from harness.report.bench_document import ArmDocument
from harness.scenario import SessionMode


def described(parts: Sequence[Mapping[str, float]], *, seconds: Sequence[float] | None = None) -> ArmDocument:
    """An arm whose repetitions were spent on these parts; each took 0.1 s, or what `seconds` says."""
    taken = seconds or (0.1,) * len(parts)
    samples = [
        Sample(seconds=each, parts={str(part): spent.get(part, 0.0) for part in Part})
        for each, spent in zip(taken, parts, strict=True)
    ]
    setting = Setting(name="a", mode=SessionMode.PER_OPERATION, messages=(message(2, seconds=0.1),))
    series = {"a": Series(name="a", samples=samples)}
    measured = Measurement(reference="a", series=series, ended=Ended.INTERRUPTED, elapsed=1.0)
    return describe_case("case", "How long?", {"a": setting}, measured, limits=Limits()).arms[0]


def test_efficiency_is_the_inverse_of_the_stretch() -> None:
    """With its interval; no clock makes it more than all of the turn."""
    arm = described([{"work": 0.1}] * 6)
    spread = described([{"work": 0.1}] * 5, seconds=(0.0999, 0.1, 0.11, 0.125, 0.2))

    assert arm.efficiency is not None
    assert (arm.efficiency.low, arm.efficiency.value, arm.efficiency.high) == pytest.approx((1.0, 1.0, 1.0))
    assert spread.efficiency is not None
    assert spread.stretch is not None
    assert spread.efficiency.value == pytest.approx(1 / spread.stretch.value)
    assert spread.efficiency.low == pytest.approx(1 / spread.stretch.high)
    assert spread.efficiency.high == 1.0
    assert spread.stretch.low < 1.0
    assert spread.efficiency.repetitions == 5


def test_the_reference_tells_no_change() -> None:
    """Its ratio to itself would find the smallest one, whatever became of it."""
    ratio = described([{"work": 0.1}] * 6).ratio

    assert ratio is not None
    assert (ratio.low, ratio.value, ratio.high, ratio.detectable) == (1.0, 1.0, 1.0, None)


def test_shares_are_medians_over_the_repetitions() -> None:
    """Each repetition's part of its own turn: a turn that took ten times as long counts like the others."""
    ten_times = {"work": 0.9, "pool": 0.1}
    turns = [{"work": 0.1 * (1 - waited), "pool": 0.1 * waited} for waited in (0.1, 0.2, 0.3, 0.3, 0.4)]
    arm = described([ten_times, *turns])

    waited = arm.shares["pool"]
    assert waited.value == pytest.approx(0.25)
    assert waited.low < waited.value < waited.high
    assert waited.low >= 0.1
    assert waited.high <= 0.4
    assert waited.repetitions == 6
    assert waited.confidence == 0.95
    assert set(arm.shares) == set(arm.parts) == set(map(str, Part))
    assert (arm.shares["loop"].low, arm.shares["loop"].high) == (0.0, 0.0)


def test_what_each_repetition_spent_on_each_part_is_kept() -> None:
    """To the microsecond, and without parts on which nothing was spent."""
    arm = described([{"work": 0.1, "pool": 0.0123456789}, {"work": 0.1 + 1e-9}])

    assert arm.part_samples == {"work": (0.1, 0.1), "pool": (0.012346, 0.0)}


def test_a_turn_of_one_part_is_that_part() -> None:
    """All of it, and no more than that by rounding."""
    arm = described([{"work": seconds} for seconds in (0.1, 0.3, 0.7, 1.1, 1e-9)])

    assert (arm.shares["work"].low, arm.shares["work"].value, arm.shares["work"].high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("repetitions", range(5))
def test_too_few_repetitions_have_no_shares(repetitions: int) -> None:
    """The mean is there as soon as there is a repetition; the share would have no interval."""
    arm = described([{"work": 0.1}] * repetitions)

    assert arm.shares == {}
    assert arm.efficiency is None
    assert bool(arm.parts) is (repetitions > 0)


def test_turns_of_which_nothing_is_known_have_no_shares() -> None:
    """Nothing is divided by nothing."""
    assert described([{}] * 6).shares == {}
