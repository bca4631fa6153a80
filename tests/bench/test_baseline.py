"""Against last time: worse, not worse, or undecided; by ratios and by structure, never by seconds."""

from typing import Any

import pytest

from harness.bench.baseline import Comparison, Gate, Outcome, compare
from harness.errors import UsageError
from harness.report.bench_document import ArmDocument, BenchDocument, CurveDocument, PointDocument
from harness.report.document import PostgresDocument
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
    """Every ratio, the reference's stretch, and the tools' being together."""
    compared = compare(run(reference(), shared()), run(reference(), shared()), GATE)

    assert outcomes(compared) == {
        ("per_operation", "stretch"): "not worse",
        ("per_operation", "together"): "not worse",
        ("shared", "ratio"): "not worse",
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
    now = shared(ratio=estimate(2.0 * grown, spread=spread))
    before = shared(ratio=estimate(2.0, spread=spread))

    assert compare(run(reference(), now), run(reference(), before), GATE).outcome is outcome


def test_a_reference_or_a_machine_that_became_slower_cannot_be_told_apart() -> None:
    """Its stretch makes the answer undecided, and never worse; the others' ratios have an answer of their own."""
    slower = run(reference(0.29), shared(0.58, ratio=estimate(2.0)))

    compared = compare(slower, run(reference(0.25), shared(0.5)), GATE)

    assert outcomes(compared)["per_operation", "stretch"] == "undecided"
    assert outcomes(compared)["shared", "ratio"] == "not worse"
    assert compared.outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("what", ["machine", "server", "backend"])
def test_runs_of_other_surroundings_are_compared_by_ratio_only(what: str) -> None:
    """It is said, and that a slower reference does not show then."""
    before = run(reference(0.25), shared())
    postgres = PostgresDocument(kind="container", version="18.4", reason="as asked")
    changed: dict[str, dict[str, Any]] = {
        "machine": {"machine": "another machine"},
        "server": {"environment": before.environment.model_copy(update={"postgres": postgres})},
        "backend": {"environment": before.environment.model_copy(update={"backend": "shop:backend"})},
    }

    compared = compare(run(reference(0.35), shared(0.5)), before.model_copy(update=changed[what]), GATE)

    assert set(outcomes(compared)) == {("per_operation", "together"), ("shared", "ratio"), ("shared", "together")}
    assert compared.notes[0].startswith(f"the baseline is of another {what} (")


@pytest.mark.parametrize(
    ("before", "now", "outcome"),
    [
        (10, 10, "not worse"),
        (10, 9, "not worse"),
        (10, 6, "undecided"),
        (10, 4, "worse"),
        (8, 8, "not worse"),
        (8, 0, "undecided"),
        (0, 10, "not worse"),
        (0, 0, "not worse"),
        (10, None, "undecided"),
        (None, 10, "not worse"),
    ],
)
def test_tools_that_are_together_no_more_are_worse_whatever_the_times_say(
    before: int | None, now: int | None, outcome: str
) -> None:
    """Few times fewer are chance, and more are no fault; what is not known is undecided."""
    documents = {count: run(reference(overlapped=count), shared()) for count in (before, now)}

    assert outcomes(compare(documents[now], documents[before], GATE))["per_operation", "together"] == outcome


def test_only_repetitions_in_which_it_is_known_count() -> None:
    """Three of three are all, though there were ten."""
    some = run(reference(overlapped=3, overlap_known=3), shared())

    assert outcomes(compare(some, run(reference(), shared()), GATE))["per_operation", "together"] == "not worse"


FAILED: dict[str, Any] = {"samples": (), "seconds": None, "ratio": None, "stretch": None, "overlapped": None}


def test_an_arm_that_fails_is_worse_unless_it_failed_before() -> None:
    """And one that fails no more is not; also the reference, without which nothing else is known."""
    failed = run(reference(), shared(**FAILED, failure="timed out"))
    nothing = run(reference(**FAILED, failure="timed out"), shared(ratio=None))

    worse = compare(failed, run(reference(), shared()), GATE)

    assert outcomes(worse)["shared", "answers"] == "worse"
    assert next(change.now for change in worse.changes if change.arm == "shared") == "timed out"
    assert outcomes(compare(failed, failed, GATE))["shared", "answers"] == "not worse"
    assert outcomes(compare(run(reference(), shared()), failed, GATE))["shared", "answers"] == "not worse"
    assert outcomes(compare(nothing, run(reference(), shared()), GATE))["per_operation", "answers"] == "worse"


def test_points_of_curves_are_compared_and_only_decide_what_they_know() -> None:
    """Measured less closely than the gate they can be worse, but leave nothing undecided."""

    def with_point(ratio: float) -> BenchDocument:
        point = case(reference(), shared(ratio=estimate(ratio, spread=0.1)), name="c, 8 tools", half_width=0.1)
        curve = CurveDocument(name="c", question="?", axis="tools", points=(PointDocument(x=8, case=point),))
        return benchmark(case(reference(), shared()), curves=(curve,))

    assert compare(with_point(2.0), with_point(2.0), GATE).outcome is Outcome.NOT_WORSE
    assert compare(with_point(6.0), with_point(2.0), GATE).outcome is Outcome.WORSE


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
