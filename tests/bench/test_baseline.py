"""Against last time: worse, not worse, or undecided; by ratios and by structure, never by seconds."""

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from harness.bench.baseline import compare, foreseen
from harness.bench.change import Comparison, Gate
from harness.bench.estimate import Grown
from harness.errors import UsageError
from harness.report.bench_document import (
    ArmDocument,
    BenchDocument,
    CaseDocument,
    ChangeOutcome,
    CurveDocument,
    PointDocument,
)
from harness.report.document import PostgresDocument
from harness.scenario import SessionMode
from tests.report.bench_documents import arm, benchmark, case, estimate, pools

GATE = Gate(threshold=1.10)


def apart(taken: float) -> dict[str, float]:
    """The parts of a turn whose tools waited for nobody."""
    return {"work": 0.24, "sessions": taken - 0.24}


def reference(taken: float = 0.25, **others: Any) -> ArmDocument:
    return arm("per_operation", taken, **{"parts": apart(taken), **others})


def shared(taken: float = 0.5, **others: Any) -> ArmDocument:
    return arm("shared", taken, session_mode=SessionMode.SHARED, **{"overlapped": 0, **others})


def yardstick(taken: float = 0.27, **others: Any) -> ArmDocument:
    return arm("yardstick", taken, **{"parts": apart(taken), **others})


def run(*arms: ArmDocument) -> BenchDocument:
    return benchmark(case(*arms))


def measured_run(*arms: ArmDocument, machine: float = 1.0) -> BenchDocument:
    """With the yardstick beside the arms, on a machine that takes so many times as long for what it computes."""
    return benchmark(case(*arms, yardstick(0.24 + 0.03 * machine), yardstick="yardstick"))


def outcomes(compared: Comparison) -> dict[tuple[str, str], str]:
    return {(change.arm, change.what): change.outcome.value for change in compared.changes}


def test_the_same_again_is_not_worse() -> None:
    """What every arm took, and its tools' being together."""
    compared = compare(measured_run(reference(), shared()), measured_run(reference(), shared()), GATE)

    assert outcomes(compared) == {
        ("per_operation", "time"): "not worse",
        ("per_operation", "together"): "not worse",
        ("shared", "time"): "not worse",
        ("shared", "together"): "not worse",
    }
    assert compared.outcome is ChangeOutcome.NOT_WORSE
    assert compared.notes == ()


def test_an_arm_that_became_slower_is_worse_with_both_intervals() -> None:
    """By its ratio, if no run has a yardstick; nobody knows then which of its parts grew, because of the machine's."""
    compared = compare(run(reference(), shared(0.6)), run(reference(), shared(0.5)), GATE)

    change = next(change for change in compared.changes if (change.arm, change.what) == ("shared", "ratio"))
    assert change.outcome is ChangeOutcome.WORSE
    assert (change.before, change.now) == ("2.000 [1.980, 2.020]", "2.400 [2.376, 2.424]")
    assert change.growth is not None
    assert change.growth.value == pytest.approx(1.2)
    assert change.growth.low == pytest.approx(1.2 * (1 - 0.0141), abs=0.001)
    assert change.parts == {}
    assert compared.outcome is ChangeOutcome.WORSE


@pytest.mark.parametrize(
    ("grown", "spread", "outcome"),
    [
        (1.05, 0.01, ChangeOutcome.NOT_WORSE),
        (1.15, 0.01, ChangeOutcome.WORSE),
        (1.11, 0.01, ChangeOutcome.UNDECIDED),
        (1.09, 0.01, ChangeOutcome.UNDECIDED),
        (1.15, 0.20, ChangeOutcome.UNDECIDED),
        (0.50, 0.01, ChangeOutcome.NOT_WORSE),
    ],
)
def test_the_whole_interval_decides(grown: float, spread: float, outcome: ChangeOutcome) -> None:
    """Above the threshold, below it, or on both sides."""
    now = shared(ratio=estimate(2.0 * grown, spread=spread))
    before = shared(ratio=estimate(2.0, spread=spread))

    assert compare(run(reference(), now), run(reference(), before), GATE).outcome is outcome


def test_a_backend_that_became_slower_is_told_from_a_machine_that_did() -> None:
    """By the yardstick, which became slower with the machine and not with the backend."""
    before = measured_run(reference(0.30), shared(0.54, parts={"work": 0.24, "serial": 0.24, "sessions": 0.06}))
    on_a_slow_machine = measured_run(
        reference(0.36), shared(0.60, parts={"work": 0.24, "serial": 0.24, "sessions": 0.12}), machine=2.0
    )
    slower = measured_run(reference(0.36), shared(0.54))

    machine, backend = compare(on_a_slow_machine, before, GATE), compare(slower, before, GATE)

    assert outcomes(machine)["per_operation", "time"] == outcomes(machine)["shared", "time"] == "not worse"
    assert outcomes(backend)["per_operation", "time"] == "worse"
    assert outcomes(backend)["shared", "time"] == "not worse"
    assert machine.outcome is ChangeOutcome.NOT_WORSE
    assert backend.outcome is ChangeOutcome.WORSE


def test_what_grew_is_what_the_machine_does_not_explain() -> None:
    """Planned work takes as long on every machine, and the rest twice as long on one that is half as fast."""
    was = reference(0.30, parts={"work": 0.24, "sessions": 0.02, "model": 0.04})
    arm_now = reference(0.43, parts={"work": 0.24, "sessions": 0.11, "model": 0.08})

    compared = compare(measured_run(arm_now, machine=2.0), measured_run(was), GATE)

    (time, _) = compared.changes
    assert (time.what, time.outcome) == ("time", ChangeOutcome.WORSE)
    assert (time.before, time.now) == ("1.111 [1.111, 1.111]", "1.433 [1.433, 1.433]")
    assert time.growth is not None
    assert time.growth.value == pytest.approx(0.43 / 0.36)
    assert list(time.parts) == ["sessions", "model", "work"]
    assert grown(time.parts) == {"sessions": 0.07, "model": 0.0, "work": 0.0}


def grown(parts: Mapping[str, Grown]) -> dict[str, float]:
    return {part: round(each.seconds, 9) + 0.0 for part, each in parts.items()}


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


def test_a_baseline_that_does_not_know_fixed_seconds_is_compared_by_its_parts() -> None:
    """What was planned work, and waiting for it in the open."""
    waiting = {"work": 0.24, "serial": 0.24, "sessions": 0.06}
    twice = {**waiting, "sessions": 0.12}
    now = measured_run(shared(0.60, parts=twice, fixed=(0.48,) * 10), machine=2.0)

    (time, _) = compare(now, measured_run(shared(0.54, parts=waiting)), GATE).changes

    assert time.growth is not None
    assert time.growth.value == pytest.approx(1.0)


def test_a_reference_that_became_faster_makes_no_other_arm_worse() -> None:
    """Though the others' ratios to it are larger now."""
    before = measured_run(reference(0.40), shared(0.60))
    now = measured_run(reference(0.30), shared(0.60))

    assert compare(now, before, GATE).outcome is ChangeOutcome.NOT_WORSE


YARDSTICKS = {
    "the yardstick of {} failed (timed out)": (yardstick(samples=(), failure="timed out"),),
    "the yardstick of {} failed (went away)": (yardstick(failure="went away"),),
    "the yardstick of {} has 4 repetitions, and at least 5 are needed": (yardstick(samples=(0.27,) * 4),),
    "{} has no yardstick": (),
}


@pytest.mark.parametrize("whose", ["the baseline", "this run"])
@pytest.mark.parametrize("why", list(YARDSTICKS))
def test_without_one_of_the_yardsticks_the_reference_is_undecided(whose: str, why: str) -> None:
    """The others are compared by their ratios to it; the machine or the backend may have made it a quarter slower."""
    arms = YARDSTICKS[why]
    lost = case(reference(0.32), shared(), *arms, yardstick="yardstick" if arms else None)
    with_it, without = measured_run(reference(), shared()), benchmark(lost)
    now, before = (with_it, without) if whose == "the baseline" else (without, with_it)

    compared = compare(now, before, GATE)

    assert outcomes(compared) == {
        ("per_operation", "time"): "undecided",
        ("per_operation", "together"): "not worse",
        ("shared", "ratio"): "not worse",
        ("shared", "together"): "not worse",
    }
    assert compared.outcome is ChangeOutcome.UNDECIDED
    assert compared.notes[0] == (
        f"headline: {why.format(whose)}: what became of the machine is not known, and so not what became of the time "
        "of 'per_operation'"
    )


def test_both_yardsticks_that_failed_are_named() -> None:
    """Each with its own reason."""
    first, second = (
        benchmark(case(reference(), yardstick(samples=(), failure=failure), yardstick="yardstick"))
        for failure in ("went away", "timed out")
    )

    compared = compare(first, second, GATE)

    assert [note.split(": ")[1] for note in compared.notes] == [
        "the yardstick of this run failed (went away)",
        "the yardstick of the baseline failed (timed out)",
    ]
    assert outcomes(compared)["per_operation", "time"] == "undecided"


def test_where_no_run_was_to_have_a_yardstick_only_ratios_to_the_reference_are_compared() -> None:
    """Nothing is said of what the reference itself took."""
    without = run(reference(), shared())

    compared = compare(without, without, GATE)

    assert set(outcomes(compared)) == {
        ("per_operation", "together"),
        ("shared", "ratio"),
        ("shared", "together"),
    }
    assert compared.notes == ()


@pytest.mark.parametrize("what", ["machine", "server", "backend"])
def test_runs_of_other_surroundings_are_compared_by_ratio_only(what: str) -> None:
    """It is said."""
    before = measured_run(reference(0.25), shared())
    postgres = PostgresDocument(kind="container", version="18.4", reason="as asked")
    changed: dict[str, dict[str, Any]] = {
        "machine": {"machine": "another machine"},
        "server": {"environment": before.environment.model_copy(update={"postgres": postgres})},
        "backend": {"environment": before.environment.model_copy(update={"backend": "shop:backend"})},
    }

    compared = compare(measured_run(reference(0.35), shared(0.5)), before.model_copy(update=changed[what]), GATE)

    assert outcomes(compared)["per_operation", "time"] == "worse"
    assert compared.notes[0].startswith(f"the baseline is of another {what} (")
    assert compared.notes[0].endswith("only ratios are compared")


def test_libraries_that_became_slower_do_not_show_against_the_yardstick() -> None:
    """So other versions of them are named."""
    document = measured_run(reference())
    now, before = (
        document.model_copy(update={"environment": document.environment.model_copy(update={"packages": packages})})
        for packages in ({"sqlalchemy": "2.1.9", "asyncpg": "0.32"}, {"sqlalchemy": "2.0.44", "asyncpg": "0.32"})
    )

    assert compare(now, before, GATE).notes == (
        "other versions than in the baseline (sqlalchemy 2.0.44 to 2.1.9): what slows the yardstick too does not show",
    )


@pytest.mark.parametrize(
    ("before", "now", "outcome"),
    [
        ((10, 10), (10, 10), "not worse"),
        ((10, 10), (9, 10), "not worse"),
        ((10, 10), (6, 10), "undecided"),
        ((10, 10), (4, 10), "undecided"),
        ((10, 10), (1, 10), "worse"),
        ((5, 5), (2, 5), "undecided"),
        ((5, 5), (0, 5), "worse"),
        ((5, 5), (5, 5), "not worse"),
        ((60, 60), (45, 60), "undecided"),
        ((45, 60), (45, 60), "not worse"),
        ((8, 10), (8, 10), "undecided"),
        ((8, 10), (0, 10), "undecided"),
        ((8, 10), (10, 10), "not worse"),
        ((0, 10), (10, 10), "not worse"),
        ((0, 10), (0, 10), "not worse"),
        ((10, 10), (None, 0), "undecided"),
        ((None, 0), (10, 10), "not worse"),
        ((None, 0), (0, 10), "undecided"),
        ((10, 10), (3, 3), "undecided"),
    ],
)
def test_tools_that_are_together_no_more_are_worse_whatever_the_times_say(
    before: tuple[int | None, int], now: tuple[int | None, int], outcome: str
) -> None:
    """If the whole intervals lie on other sides of half; few times fewer are chance, and more are no fault."""
    this, last = (
        run(reference(overlapped=count, overlap_known=known, promised=True), shared()) for count, known in (now, before)
    )

    (change,) = (each for each in compare(this, last, GATE).changes if (each.arm, each.what) == JUDGED)

    assert change.outcome.value == outcome
    assert change.decisive


JUDGED = ("per_operation", "together")


def test_of_tools_that_were_not_to_be_together_nothing_is_lost() -> None:
    """A busy processor may hide it, where tools work for a short time: it is undecided, and leaves nothing so."""
    lost = compare(measured_run(reference(overlapped=0)), measured_run(reference()), GATE)

    (change,) = (each for each in lost.changes if each.what == "together")
    assert (change.outcome, change.decisive) == (ChangeOutcome.UNDECIDED, False)
    assert (change.before, change.now) == ("10 of 10", "0 of 10")
    assert lost.outcome is ChangeOutcome.NOT_WORSE


FAILED: dict[str, Any] = {"samples": (), "seconds": None, "ratio": None, "stretch": None, "overlapped": None}


def test_an_arm_that_fails_is_worse_unless_it_failed_before() -> None:
    """One that fails no more is not; also the reference, without which nothing else is known."""
    failed = run(reference(), shared(**FAILED, failure="timed out"))
    nothing = run(reference(**FAILED, failure="timed out"), shared(ratio=None))

    worse = compare(failed, run(reference(), shared()), GATE)

    assert outcomes(worse)["shared", "answers"] == "worse"
    assert next(change.now for change in worse.changes if change.arm == "shared") == "timed out"
    assert outcomes(compare(run(reference(), shared()), failed, GATE))["shared", "answers"] == "not worse"
    assert outcomes(compare(nothing, run(reference(), shared()), GATE))["per_operation", "answers"] == "worse"


def test_of_an_arm_that_failed_both_times_nobody_knows_what_became() -> None:
    """It leaves all undecided if it was promised; one that may well fail, such as too small a pool, does not."""
    promised, other = (
        measured_run(reference(), shared(**FAILED, failure="timed out", promised=promised))
        for promised in (True, False)
    )

    assert outcomes(compare(promised, promised, GATE))["shared", "answers"] == "undecided"
    assert compare(promised, promised, GATE).outcome is ChangeOutcome.UNDECIDED
    assert outcomes(compare(other, other, GATE))["shared", "answers"] == "undecided"
    assert compare(other, other, GATE).outcome is ChangeOutcome.NOT_WORSE


def roughly(ratio: float, *, spread: float = 0.1) -> CaseDocument:
    """A case that is measured less closely than the gate."""
    return case(reference(), shared(ratio=estimate(ratio, spread=spread)), name="c, 8 tools", half_width=0.1)


HEADLINE = case(reference(), shared())


def as_point(of: CaseDocument, *cases: CaseDocument, **others: Any) -> BenchDocument:
    curve = CurveDocument(name="c", question="?", axis="tools", points=(PointDocument(x=8, case=of),))
    return benchmark(*cases, curves=(curve,), **others)


def as_pools(of: CaseDocument, *cases: CaseDocument, **others: Any) -> BenchDocument:
    return benchmark(*cases, pools=(pools(case=of),), **others)


@pytest.mark.parametrize("section", [as_point, as_pools, benchmark])
def test_what_was_measured_roughly_can_be_worse_and_leaves_nothing_undecided(
    section: Callable[..., BenchDocument],
) -> None:
    """Points of curves, pools, and cases."""
    closely = case(reference(), shared())

    unknown = compare(section(roughly(2.0), closely), section(roughly(2.0), closely), GATE)
    assert [change.outcome.value for change in unknown.changes if change.case == "c, 8 tools"] == [
        "not worse",  # the reference's tools are together
        "undecided",
        "not worse",
    ]
    assert unknown.outcome is ChangeOutcome.NOT_WORSE
    assert compare(section(roughly(6.0), closely), section(roughly(2.0), closely), GATE).outcome is ChangeOutcome.WORSE


@pytest.mark.parametrize("section", [as_point, as_pools, benchmark])
def test_tools_that_are_together_say_nothing_of_what_takes_time(section: Callable[..., BenchDocument]) -> None:
    """Where it is known of no time that it is not worse, all is undecided."""
    rough = section(roughly(2.0))

    compared = compare(rough, rough, GATE)

    assert [change.outcome.value for change in compared.changes] == ["not worse", "undecided", "not worse"]
    assert compared.outcome is ChangeOutcome.UNDECIDED
    (told,) = compared.doubts
    assert told == (
        "of nothing that takes time is it known that it is not worse: measure the headline too, in this run and in the "
        "baseline, or take a wider gate"
    )


@pytest.mark.parametrize("section", [as_point, as_pools, benchmark])
def test_a_change_is_decided_by_its_own_interval(section: Callable[..., BenchDocument]) -> None:
    """A run of what is measured roughly alone is not worse, if that much is known of it."""
    narrow = section(roughly(2.0, spread=0.02))

    assert compare(narrow, narrow, GATE).outcome is ChangeOutcome.NOT_WORSE


def test_what_was_measured_closely_and_is_undecided_leaves_all_undecided() -> None:
    """Though everything else is not worse."""
    wide = benchmark(case(reference(), shared(ratio=estimate(2.0, spread=0.2))))

    assert compare(wide, wide, GATE).outcome is ChangeOutcome.UNDECIDED


def test_where_nothing_is_known_not_to_be_worse_all_is_undecided() -> None:
    """Also if nothing of it was measured closely."""
    nothing = case(reference(overlapped=None), shared(overlapped=None, ratio=None), half_width=0.1)

    assert compare(benchmark(nothing), benchmark(nothing), GATE).outcome is ChangeOutcome.UNDECIDED
    assert compare(benchmark(), benchmark(), GATE).outcome is ChangeOutcome.UNDECIDED


LATENCY = case(reference(), shared(), name="latency_provider", half_width=0.1)
POOL = case(arm("pool of 2", 0.25), name="pool_size, 1 x 2", half_width=0.1)
POINT = roughly(2.0)


@pytest.mark.parametrize(
    ("before", "now", "name"),
    [
        (benchmark(HEADLINE, LATENCY), {"missing": ("latency_provider: it has no tool",)}, "latency_provider"),
        (as_pools(POOL, HEADLINE), {"missing": ("pool_size, 1 x 2: no room",)}, "pool_size, 1 x 2"),
        (as_point(POINT, HEADLINE), {"missing": ("c: it has no tool",)}, "c, 8 tools"),
        (
            as_point(POINT, HEADLINE),
            {
                "curves": (
                    CurveDocument(name="c", question="?", axis="tools", points=(), skipped=("8 tools: no room",)),
                )
            },
            "c, 8 tools",
        ),
    ],
)
def test_what_was_to_be_measured_again_and_was_not_is_undecided(
    before: BenchDocument, now: dict[str, Any], name: str
) -> None:
    """Cases, pools, whole curves and points of them, however roughly they were measured."""
    compared = compare(benchmark(HEADLINE, **now), before, GATE)

    (missing,) = (change for change in compared.changes if change.case == name)
    assert (missing.what, missing.before, missing.now) == ("answers", "yes", "not measured")
    assert missing.outcome is ChangeOutcome.UNDECIDED
    assert compared.outcome is ChangeOutcome.UNDECIDED
    assert f"case {name!r} is in the baseline alone" in compared.notes


def test_what_nobody_asked_for_again_is_only_said() -> None:
    """Nor does it count that another case of a similar name, or one that the baseline does not have, is missing."""
    now = benchmark(HEADLINE, missing=("c, 80 tools: no room", "pool_size, 1 x 20: no room", "another: no room"))

    compared = compare(now, as_point(POINT, HEADLINE, pools=(pools(case=POOL),)), GATE)

    assert {change.case for change in compared.changes} == {"headline"}
    assert compared.outcome is ChangeOutcome.NOT_WORSE
    assert compared.notes == (
        "case 'pool_size, 1 x 2' is in the baseline alone",
        "case 'c, 8 tools' is in the baseline alone",
    )


def test_many_cases_that_one_run_has_alone_are_one_note() -> None:
    """Some are named."""
    others = tuple(pools(case=case(reference(), name=f"pool_size, {number} x 2")) for number in range(5))

    (note,) = compare(benchmark(HEADLINE), benchmark(HEADLINE, pools=others), GATE).notes

    assert note == (
        "cases 'pool_size, 0 x 2', 'pool_size, 1 x 2', 'pool_size, 2 x 2' and 2 more are in the baseline alone"
    )


def test_an_arm_that_the_baseline_has_alone_is_undecided() -> None:
    """Its case was measured without it; nothing is lost with one that failed."""
    fails = shared(**FAILED, failure="timed out")

    lost, nothing = (
        compare(measured_run(reference()), measured_run(reference(), other), GATE) for other in (shared(), fails)
    )

    assert outcomes(lost)["shared", "answers"] == outcomes(nothing)["shared", "answers"] == "undecided"
    assert lost.outcome is ChangeOutcome.UNDECIDED
    assert nothing.outcome is ChangeOutcome.NOT_WORSE


def test_what_only_one_run_has_is_not_compared_and_said() -> None:
    """Arms, cases, and cases that measure something else under the same name."""
    compared = compare(run(reference(), shared()), run(reference(), arm("locked", 0.5)), GATE)
    other_tools = benchmark(case(reference(), tool_seconds=2.4))
    other_name = benchmark(case(reference(), name="curve"))

    assert compared.notes == (
        "headline: arm 'shared' is not in the baseline",
        "headline: arm 'locked' is in the baseline alone",
    )
    assert compare(run(reference()), other_tools, GATE).notes == (
        "case 'headline' has other tools or another reference than in the baseline: it is not compared",
    )
    assert compare(run(reference()), other_name, GATE).outcome is ChangeOutcome.UNDECIDED


def quick(*arms: ArmDocument) -> CaseDocument:
    """A headline in quick form."""
    return case(*arms, yardstick(), yardstick="yardstick", half_width=0.05)


def with_interval(taken: float, spread: float, **others: Any) -> ArmDocument:
    """An arm whose repetitions reach from so much less to so much more, and whose median is what it takes."""
    samples = tuple(float(each) for each in taken * np.linspace(1 - spread, 1 + spread, 11))
    return reference(taken, samples=samples, fixed=(0.24,) * 11, **others)


def grew(*, headline: float = 1.0, others: float = 1.0) -> BenchDocument:
    """A run whose headline takes so many times as long, and so does all that is measured more roughly."""
    rough = case(
        reference(), shared(ratio=estimate(2.0 * others, spread=0.05)), name="latency_provider", half_width=0.1
    )
    point = PointDocument(x=8, case=roughly(2.0 * others, spread=0.05))
    return benchmark(
        case(
            with_interval(0.27 * headline, 0.06),
            yardstick(samples=(0.27,) * 11),
            yardstick="yardstick",
            half_width=0.05,
        ),
        rough,
        curves=(CurveDocument(name="c", question="?", axis="tools", points=(point,)),),
    )


@pytest.mark.parametrize(("faster", "grown"), [("others", "headline"), ("headline", "others")])
@pytest.mark.parametrize("growth", [1.0, 1.075, 1.12, 1.4])
def test_a_stricter_gate_never_ends_better(growth: float, faster: str, grown: str) -> None:
    """However closely something was measured: what became faster does not make up for it."""
    now, before = grew(**{faster: 0.9, grown: growth}), grew()
    gates = (1.0, 1.05, 1.07, 1.08, 1.10, 1.16, 1.5)

    found = [ORDER.index(compare(now, before, Gate(threshold=each)).outcome) for each in gates]

    assert found == sorted(found, reverse=True)


ORDER = (ChangeOutcome.NOT_WORSE, ChangeOutcome.UNDECIDED, ChangeOutcome.WORSE)


def test_a_headline_that_the_gate_is_too_fine_for_is_undecided() -> None:
    """What was measured to ±5% says little of a growth of 5%: what to do is said, and nothing else makes up for it."""
    now, before = (
        benchmark(
            case(
                with_interval(taken, 0.04, promised=True),
                yardstick(samples=(0.27,) * 11),
                yardstick="yardstick",
                half_width=0.05,
            ),
            case(reference(), shared(), name="latency_provider"),
        )
        for taken in (0.265, 0.25)
    )

    compared = compare(now, before, Gate(threshold=1.05))

    (time, *_) = compared.changes
    assert (time.what, time.outcome, time.decisive) == ("time", ChangeOutcome.UNDECIDED, True)
    assert compared.outcome is ChangeOutcome.UNDECIDED
    (told,) = compared.doubts
    assert told == (
        "time of headline (per_operation): the interval lies on both sides of the gate: measure this and the baseline "
        "with --full, on a machine that does nothing else, or take a wider gate"
    )
    (told,) = compared.notes
    assert told == (
        "headline: a gate of 1.05 is finer than what is measured here, ±5.0% in this run and ±5.0% in the baseline, so "
        "that what has not changed may be undecided; measure both with --full, or take a gate of 1.08 or more"
    )


def test_a_headline_that_was_measured_roughly_counts_like_any_other() -> None:
    """It is what the run is judged by."""
    rough = case(reference(), shared(ratio=estimate(2.0, spread=0.1)), half_width=0.2)
    document = benchmark(rough, case(reference(), shared(), name="latency_provider"))

    assert compare(document, document, GATE).outcome is ChangeOutcome.UNDECIDED


@pytest.mark.parametrize("as_case", [as_point, as_pools])
def test_a_headline_with_other_tools_is_undecided_whatever_else_is_known(
    as_case: Callable[..., BenchDocument],
) -> None:
    """A baseline in quick form says nothing of a run in full, though points of curves and pools are the same."""
    point = roughly(2.0, spread=0.02)
    full = case(reference(), shared(), tool_seconds=2.4)

    compared = compare(as_case(point, full), as_case(point, HEADLINE), GATE)

    change = next(change for change in compared.changes if change.case == "headline")
    assert (change.arm, change.what) == ("per_operation", "time")
    assert (change.before, change.now) == ("tools of 0.24 s", "tools of 2.4 s")
    assert {each.outcome.value for each in compared.changes if each.case != "headline"} == {"not worse"}
    assert compared.outcome is ChangeOutcome.UNDECIDED
    (told,) = compared.doubts
    assert told == (
        "time of headline (per_operation): it has other tools than in the baseline: measure both with --full, or both "
        "without, or make another baseline with --save"
    )


def test_any_case_that_is_not_comparable_is_undecided() -> None:
    """It was measured both times, and nobody knows what became of it."""
    other = case(shared(), name="latency_provider")
    now, before = (benchmark(quick(reference()), each) for each in (LATENCY, other))

    compared = compare(now, before, GATE)

    change = next(change for change in compared.changes if change.case == "latency_provider")
    assert (change.before, change.now) == ("against shared", "against per_operation")
    assert compared.outcome is ChangeOutcome.UNDECIDED
    (told,) = compared.doubts
    assert told == (
        "time of latency_provider (per_operation): it has another reference than in the baseline: make another one "
        "with --save"
    )


def test_a_baseline_without_the_headline_leaves_it_undecided() -> None:
    """Though all else is not worse; a run that was not to measure it is judged by what it has."""
    point = roughly(2.0, spread=0.02)
    without = as_point(point)

    compared = compare(as_point(point, HEADLINE), without, GATE)

    assert compared.outcome is ChangeOutcome.UNDECIDED
    assert compared.doubts == (
        "time of headline (per_operation): the baseline does not have it: make another one with --save",
    )
    assert compare(without, as_point(point, HEADLINE), GATE).outcome is ChangeOutcome.NOT_WORSE


def test_a_run_of_which_nothing_is_compared_says_why() -> None:
    """Costs have no part in it."""
    (told,) = compare(benchmark(), benchmark(HEADLINE), GATE).doubts
    assert told == (
        "nothing of this run is in the baseline, so that nothing is compared, and costs never are: measure what the "
        "baseline has, or make another one with --save"
    )


def test_doubts_are_told_once_for_each_reason() -> None:
    """With the arms and cases that they are of; of many cases the first."""
    wide: dict[str, Any] = {"ratio": estimate(2.0, spread=0.2)}
    cases = [
        case(reference(), shared(**wide), arm("locked", 0.5, **wide), name=f"case {number}") for number in range(6)
    ]

    (doubt,) = compare(benchmark(*cases), benchmark(*cases), GATE).doubts

    assert doubt.startswith(
        "ratio of case 0 (shared, locked), case 1 (shared, locked), case 2 (shared, locked), case 3 (shared, locked) "
        "and 2 more: the interval lies on both sides of the gate: "
    )


def test_what_will_be_undecided_is_known_before_it_is_measured() -> None:
    """A gate that is too fine, tools of another length, a baseline without the headline; else nothing is said."""
    before = benchmark(quick(reference()))

    def said(document: BenchDocument, threshold: float, seconds: float = 0.24) -> list[str]:
        return list(foreseen(document, Gate(threshold=threshold), tool_seconds=seconds, half_width=0.05))

    assert said(before, 1.10) == []
    (fine,) = said(before, 1.05)
    assert fine.startswith("headline: a gate of 1.05 is finer than what is measured here, ±5.0% in this run and ±5.0% ")
    (told,) = said(before, 1.10, 2.4)
    assert told == (
        "headline: the baseline's tools take 0.24 s, and this run's 2.4 s: measure both with --full, or both without, "
        "or make another baseline with --save"
    )
    assert said(benchmark(LATENCY), 1.10) == ["headline: the baseline does not have it: make another one with --save"]


@pytest.mark.parametrize(("text", "threshold"), [("ratio>1.10", 1.1), (" ratio > 2 ", 2.0), ("ratio>1", 1.0)])
def test_a_gate_is_a_growth_of_ratios(text: str, threshold: float) -> None:
    """Of so many times what they were."""
    assert Gate.parse(text).threshold == threshold


@pytest.mark.parametrize("text", ["seconds>3", "ratio<1.1", "ratio>0.9", "ratio>", "1.10", ""])
def test_anything_else_is_no_gate(text: str) -> None:
    """Seconds in particular."""
    with pytest.raises(UsageError, match=r"is no gate; write 'ratio>1.10'"):
        Gate.parse(text)
