"""What becomes of a run as a whole, by all that was compared, and how closely it was measured."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.bench.baseline import compare, foreseen
from harness.bench.change import Gate
from harness.report.bench_document import (
    ArmDocument,
    BenchDocument,
    CaseDocument,
    ChangeOutcome,
    CurveDocument,
    PointDocument,
)
from tests.bench.compared import FAILED, GATE, measured_run, outcomes, reference, roughly, run, shared, yardstick
from tests.report.bench_documents import arm, benchmark, case, estimate, pools

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
