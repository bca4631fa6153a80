"""Against last time: worse, not worse, or undecided; by ratios and by structure, never by seconds."""

from typing import Any

import pytest

from harness.bench.baseline import Comparison, Gate, Outcome, compare
from harness.errors import UsageError
from harness.report.bench_document import ArmDocument, BenchDocument
from harness.scenario import SessionMode
from tests.report.bench_documents import arm, benchmark, case, estimate

GATE = Gate(threshold=1.10)


def reference(taken: float = 0.25, **others: Any) -> ArmDocument:
    return arm("per_operation", taken, **others)


def shared(taken: float = 0.5, **others: Any) -> ArmDocument:
    return arm("shared", taken, session_mode=SessionMode.SHARED, **{"overlapped": 0, **others})


def run(*arms: ArmDocument) -> BenchDocument:
    return benchmark(case(*arms))


def outcomes(compared: Comparison) -> dict[tuple[str, str], str]:
    return {(change.arm, change.what): change.outcome.value for change in compared.changes}


def test_the_same_again_is_not_worse() -> None:
    """Every ratio, every stretch, and the tools' being together."""
    compared = compare(run(reference(), shared()), run(reference(), shared()), GATE)

    assert outcomes(compared) == {
        ("per_operation", "stretch"): "not worse",
        ("per_operation", "together"): "not worse",
        ("shared", "ratio"): "not worse",
        ("shared", "stretch"): "not worse",
        ("shared", "together"): "not worse",
    }
    assert compared.outcome is Outcome.NOT_WORSE
    assert compared.notes == ()


def test_an_arm_that_became_slower_is_worse_with_both_intervals_and_what_grew() -> None:
    """The largest growth first."""
    slower = shared(0.6, parts={"work": 0.24, "serial": 0.27, "sessions": 0.09})
    before = shared(0.5, parts={"work": 0.24, "serial": 0.26, "sessions": 0.0})

    compared = compare(run(reference(), slower), run(reference(), before), GATE)

    change = next(change for change in compared.changes if (change.arm, change.what) == ("shared", "ratio"))
    assert change.outcome is Outcome.WORSE
    assert (change.before, change.now) == ("2.000 [1.980, 2.020]", "2.400 [2.376, 2.424]")
    assert change.growth is not None
    assert change.growth.value == pytest.approx(1.2)
    assert change.growth.low == pytest.approx(1.2 * (1 - 0.0141), abs=0.001)
    assert list(change.parts) == ["sessions", "serial", "work"]
    assert change.parts["sessions"] == pytest.approx(0.09)
    assert compared.outcome is Outcome.WORSE


@pytest.mark.parametrize(
    ("grown", "spread", "outcome"),
    [
        (1.05, 0.01, Outcome.NOT_WORSE),
        (1.15, 0.01, Outcome.WORSE),
        (1.11, 0.01, Outcome.UNDECIDED),
        (1.09, 0.01, Outcome.UNDECIDED),
        (1.15, 0.20, Outcome.UNDECIDED),
        (0.50, 0.01, Outcome.NOT_WORSE),
    ],
)
def test_the_whole_interval_decides(grown: float, spread: float, outcome: Outcome) -> None:
    """Above the threshold, below it, or on both sides."""
    now = shared(ratio=estimate(2.0 * grown, spread=spread), stretch=estimate(2.0))
    before = shared(ratio=estimate(2.0, spread=spread), stretch=estimate(2.0))

    assert compare(run(reference(), now), run(reference(), before), GATE).outcome is outcome


def test_a_reference_that_became_slower_shows_in_its_stretch() -> None:
    """And not in the others' ratios, which become smaller."""
    now = run(reference(0.29), shared(0.5, stretch=estimate(2.08)))

    compared = compare(now, run(reference(0.25), shared(0.5, stretch=estimate(2.08))), GATE)

    assert outcomes(compared)["per_operation", "stretch"] == "worse"
    assert outcomes(compared)["shared", "ratio"] == "not worse"


def test_runs_of_different_machines_are_compared_by_ratio_only() -> None:
    """It is said, and that a slower reference does not show then."""
    before = run(reference(0.25), shared()).model_copy(update={"machine": "another machine"})

    compared = compare(run(reference(0.35), shared(0.7)), before, GATE)

    assert set(outcomes(compared)) == {("per_operation", "together"), ("shared", "ratio"), ("shared", "together")}
    assert compared.notes[0].startswith("the baseline is from another machine (another machine; this is a machine)")


def test_tools_that_are_together_no_more_are_worse_whatever_the_times_say() -> None:
    """Few times fewer are chance, and more are no fault."""
    together = {count: run(reference(overlapped=count), shared()) for count in (0, 8, 10)}

    assert outcomes(compare(together[0], together[10], GATE))["per_operation", "together"] == "worse"
    assert outcomes(compare(together[8], together[10], GATE))["per_operation", "together"] == "not worse"
    assert outcomes(compare(together[10], together[0], GATE))["per_operation", "together"] == "not worse"


def test_an_arm_that_fails_is_worse_unless_it_failed_before() -> None:
    """Then nothing is known of it."""
    failed = shared(samples=(), seconds=None, ratio=None, stretch=None, overlapped=None, failure="timed out")

    worse = compare(run(reference(), failed), run(reference(), shared()), GATE)
    as_before = compare(run(reference(), failed), run(reference(), failed), GATE)

    assert outcomes(worse)["shared", "ratio"] == "worse"
    assert next(change.now for change in worse.changes if change.arm == "shared") == "failed: timed out"
    assert outcomes(as_before)["shared", "ratio"] == "undecided"
    assert as_before.outcome is Outcome.UNDECIDED


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
    assert compare(run(reference()), other_name, GATE).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(("text", "threshold"), [("ratio>1.10", 1.1), (" ratio > 2 ", 2.0), ("ratio>1", 1.0)])
def test_a_gate_is_a_growth_of_ratios(text: str, threshold: float) -> None:
    """Of so many times what they were."""
    assert Gate.parse(text).threshold == threshold


@pytest.mark.parametrize("text", ["seconds>3", "ratio<1.1", "ratio>0.9", "ratio>", "1.10", ""])
def test_anything_else_is_no_gate(text: str) -> None:
    """Seconds in particular."""
    with pytest.raises(UsageError, match=r"is no gate; write 'ratio>1.10'"):
        Gate.parse(text)
