"""Against last time: worse, not worse, or undecided; by ratios and by structure, never by seconds."""

from typing import Any

import pytest

from harness.bench.baseline import compare
from harness.bench.change import Gate
from harness.errors import UsageError
from harness.report.bench_document import (
    ChangeOutcome,
)
from harness.report.document import PostgresDocument
from tests.bench.compared import FAILED, GATE, grown, measured_run, outcomes, reference, run, shared, yardstick
from tests.report.bench_documents import benchmark, case, estimate


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


@pytest.mark.parametrize(("text", "threshold"), [("ratio>1.10", 1.1), (" ratio > 2 ", 2.0), ("ratio>1", 1.0)])
def test_a_gate_is_a_growth_of_ratios(text: str, threshold: float) -> None:
    """Of so many times what they were."""
    assert Gate.parse(text).threshold == threshold


@pytest.mark.parametrize("text", ["seconds>3", "ratio<1.1", "ratio>0.9", "ratio>", "1.10", ""])
def test_anything_else_is_no_gate(text: str) -> None:
    """Seconds in particular."""
    with pytest.raises(UsageError, match=r"is no gate; write 'ratio>1.10'"):
        Gate.parse(text)
