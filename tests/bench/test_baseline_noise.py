"""What is worse, and what is not, in repetitions that differ by chance, and on a machine that became slower."""

from statistics import fmean
from typing import Any

import numpy as np
import pytest

from harness.bench.baseline import compare
from harness.bench.estimate import Grown
from harness.report.bench_document import (
    ArmDocument,
    BenchDocument,
    ChangeOutcome,
)
from tests.bench.compared import GATE, apart, grown, measured_run, reference, yardstick
from tests.report.bench_documents import arm, benchmark, case


def noisy(seed: int, *, sessions: float, machine: float = 1.0) -> dict[str, Any]:
    """Thirteen repetitions of an arm, and what each spent on its parts."""
    random = np.random.default_rng(seed)
    rest = {
        "sessions": sessions * machine * random.normal(1.0, 0.1, 13),
        "model": 0.01 * machine * random.normal(1.0, 0.1, 13),
    }
    by_part = {"work": (0.24,) * 13, **{part: tuple(map(float, seconds)) for part, seconds in rest.items()}}
    samples = tuple(map(sum, zip(*by_part.values(), strict=True)))
    parts = {part: fmean(seconds) for part, seconds in by_part.items()}
    return {"samples": samples, "fixed": (0.24,) * 13, "parts": parts, "part_samples": by_part}


def noisy_yardstick(seed: int, machine: float) -> ArmDocument:
    return arm("yardstick", 0.27, **noisy(seed, sessions=0.02, machine=machine))


def test_the_growth_of_a_part_has_an_interval() -> None:
    """On a machine that is half as fast the model takes twice as long: chance grew, or did not, and sessions did."""
    before = benchmark(case(reference(**noisy(1, sessions=0.02)), noisy_yardstick(2, 1.0), yardstick="yardstick"))
    now = benchmark(
        case(reference(**noisy(3, sessions=0.05, machine=2.0)), noisy_yardstick(4, 2.0), yardstick="yardstick")
    )

    (time, _) = compare(now, before, GATE).changes

    assert time.outcome is ChangeOutcome.WORSE
    sessions, model = time.parts["sessions"], time.parts["model"]
    assert sessions.low is not None
    assert sessions.high is not None
    assert 0.05 < sessions.low < sessions.seconds < sessions.high < 0.07
    assert model.low is not None
    assert model.high is not None
    assert model.low < 0 < model.high
    assert time.parts["work"] == Grown(seconds=0.0, low=0.0, high=0.0)


@pytest.mark.parametrize("whose", ["the baseline", "this run"])
def test_parts_of_a_run_that_has_their_means_alone_are_told_without_an_interval(whose: str) -> None:
    """Of an earlier version: it is read, and nothing is decided by it."""
    means: dict[str, Any] = {"part_samples": {}}
    now = {**noisy(3, sessions=0.08), **(means if whose == "this run" else {})}
    was = {**noisy(1, sessions=0.02), **(means if whose == "the baseline" else {})}
    this, last = (
        benchmark(case(reference(**each), noisy_yardstick(2, 1.0), yardstick="yardstick")) for each in (now, was)
    )

    (time, _) = compare(this, last, GATE).changes

    assert (time.parts["sessions"].low, time.parts["sessions"].high) == (None, None)
    assert time.parts["sessions"].seconds == pytest.approx(0.06, abs=0.005)


SEEDS = range(20)


def noisy_run(seed: int, taken: float, *, machine: float = 1.0) -> BenchDocument:
    """Thirteen repetitions with a noise of two hundredths; of the yardstick they leave little beside its work."""
    random = np.random.default_rng(seed)

    def repeated(seconds: float) -> dict[str, Any]:
        samples = tuple(map(float, seconds * random.normal(1.0, 0.02, 13)))
        return {"samples": samples, "fixed": (0.24,) * 13, "parts": apart(fmean(samples))}

    arms = reference(**repeated(taken)), yardstick(**repeated(0.24 + 0.015 * machine))
    return benchmark(case(*arms, yardstick="yardstick"))


def became(seed: int, taken: float, *, machine: float = 1.0) -> ChangeOutcome:
    """What became of the time of a turn of 0.27 s, by the interval alone."""
    now = noisy_run(2 * seed, taken, machine=machine)
    (time, _) = compare(now, noisy_run(2 * seed + 1, 0.27), GATE).changes
    assert time.what == "time"
    return time.outcome


def test_a_turn_that_takes_a_seventh_more_is_never_not_worse() -> None:
    """Sessions that take 0.018 s more each: with noise the interval may reach over the gate, and never below it."""
    found = {became(seed, 0.306) for seed in SEEDS}

    assert found <= {ChangeOutcome.WORSE, ChangeOutcome.UNDECIDED}


def test_a_turn_that_takes_a_quarter_more_is_worse() -> None:
    """The whole interval lies above the gate."""
    assert {became(seed, 0.27 * 1.25) for seed in SEEDS} == {ChangeOutcome.WORSE}


@pytest.mark.parametrize(("machine", "taken"), [(1.0, 0.27), (2.0, 0.30)])
def test_noise_and_a_slow_machine_make_nothing_worse(machine: float, taken: float) -> None:
    """The same turn again is not worse, all but now and then, also on half a machine."""
    found = [became(seed, taken, machine=machine) for seed in SEEDS]

    assert ChangeOutcome.WORSE not in found
    assert found.count(ChangeOutcome.NOT_WORSE) >= 0.8 * len(SEEDS)


@pytest.mark.parametrize("machine", [0.5, 2.0])
def test_waiting_for_a_connection_while_another_tool_works_is_the_same_on_every_machine(machine: float) -> None:
    """Wherever the parts lay it: the other tool's planned work goes on meanwhile."""

    def impatient(machine: float) -> ArmDocument:
        parts = {"work": 0.24, "pool": 0.24 + 0.01 * machine, "sessions": 0.06 * machine}
        return reference(sum(parts.values()), parts=parts, fixed=(0.48,) * 10)

    def held_up(machine: float) -> ArmDocument:
        parts = {**impatient(machine).parts, "loop": 0.1}
        return reference(sum(parts.values()), parts=parts, fixed=(0.48,) * 10)

    (time, _) = compare(measured_run(impatient(machine), machine=machine), measured_run(impatient(1.0)), GATE).changes
    (worse, _) = compare(measured_run(held_up(machine), machine=machine), measured_run(impatient(1.0)), GATE).changes

    assert time.growth is not None
    assert time.growth.value == pytest.approx(1.0)
    assert time.outcome is ChangeOutcome.NOT_WORSE
    assert grown(worse.parts) == {"work": 0.0, "pool": 0.0, "sessions": 0.0, "loop": 0.1}
