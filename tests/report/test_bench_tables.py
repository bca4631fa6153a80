"""A benchmark's tables: no number without its interval, and what stands where there is none or an arm failed later."""

from typing import Any

from harness.report import bench_words as wording
from harness.report.bench_document import ArmDocument, BenchDocument, CostArmDocument, CurveDocument, PointDocument
from harness.report.bench_tables import sparkline
from tests.report import bench_documents
from tests.report.bench_documents import FAILED, TWO, arm, benchmark, case
from tests.report.rendering import render_bench


def test_the_tables_have_ratios_with_their_intervals_and_parts_that_add_up() -> None:
    """The reference first; the rest is against it."""
    lines = [" ".join(line.split()) for line in render_bench(benchmark(TWO)).splitlines()]

    assert "per_operation 1 0.250s [0.247, 0.253] ▁▁▁▁▁▁▁▁▁▁" in lines
    assert "shared 2.000x [1.980, 2.020] 0.500s [0.495, 0.505] ██████████" in lines
    assert "shared 48% [48%, 48%] - - 0 of 10 -" in lines
    assert "its share work serial" in lines
    assert "shared 240.0 48% [47%, 49%] 260.0 52% [51%, 53%]" in lines
    text = render_bench(benchmark(TWO))
    assert "shared: far off, and counted: 500.000 ms" in text
    assert (
        "every interval is as narrow as was asked for after 12 s; a change of 4.0% of any ratio would be found" in text
    )
    assert "TOO NOISY" not in text


def test_a_failed_arm_has_no_ratio_and_its_reason_and_too_much_noise_is_said() -> None:
    """What the backend said is text, and no markup."""
    text = render_bench(benchmark(FAILED))

    assert "small pool failed failed ██" in [" ".join(line.split()) for line in text.splitlines()]
    assert "small pool failed after 2 repetitions: [bold]timed out" in text
    assert "the time is up after 12 s" in text
    assert "TOO NOISY: an interval is wider than ±2.0% of its ratio" in text


def test_a_sparkline_has_a_bar_for_each_value() -> None:
    """Of too many, the largest of some, so that none that is far off gets lost."""
    assert sparkline([0.0, 0.5, 1.0], low=0.0, high=1.0) == "▁▅█"
    assert sparkline([2.0, 2.0], low=2.0, high=2.0) == "▁▁"
    many = [0.0] * 100
    many[57] = 1.0
    assert sparkline(many, low=0.0, high=1.0).count("█") == 1
    assert len(sparkline(many, low=0.0, high=1.0)) <= 24
    assert sparkline([], low=0.0, high=1.0) == ""


def test_a_curve_has_a_row_for_each_arm_and_what_was_left_out() -> None:
    """Milliseconds with their interval; where there is no number, the reason stands below."""
    failed = arm("shared", 0.5, samples=(), seconds=None, ratio=None, stretch=None, efficiency=None, failure="no")
    points = (
        PointDocument(x=1, case=case(arm("per_operation", 0.1), arm("shared", 0.1))),
        PointDocument(x=32, case=case(arm("per_operation", 0.2), failed)),
    )
    curve = CurveDocument(
        name="tools_per_turn", question="What?", axis="tools", points=points, skipped=("64 tools: no room",)
    )

    lines = [" ".join(line.split()) for line in render_bench(benchmark(curves=(curve,))).splitlines()]

    assert "tools_per_turn: What?" in lines
    assert "ms by tools per_operation shared" in lines
    assert "1 100 [99, 101] 100 [99, 101]" in lines
    assert "32 200 [198, 202] failed" in lines
    assert "growth ▅█ ▅·" in lines
    assert "tools_per_turn, 32 tools: shared failed after 0 repetitions: no" in lines
    assert "not measured: 64 tools: no room" in lines


def late(name: str, taken: float, **others: Any) -> ArmDocument:
    """An arm that failed when it had as many repetitions as a number needs."""
    return arm(name, taken, **{"ratio": None, "failure": "it broke", **others})


def lines_of(document: BenchDocument) -> list[str]:
    return [" ".join(line.split()) for line in render_bench(document, width=200).splitlines()]


def test_what_failed_when_it_had_a_number_is_marked() -> None:
    """Wherever the number is, with the reason below; and no ratio is made of it."""
    of = case(arm("a", 0.25), late("b", 0.5))
    seconds = bench_documents.estimate(1.0)
    broken = CostArmDocument(name="b", samples=(1.0,) * 6, seconds=seconds, failure="it broke")
    cost = bench_documents.cost(reference=None, arms=(broken,), missing=())
    curve = bench_documents.curve(points=(PointDocument(x=1, case=of),), skipped=())

    in_case, in_curve, in_cost = map(lines_of, (benchmark(of), benchmark(curves=(curve,)), benchmark(costs=(cost,))))

    assert "b (failed) failed 0.500s [0.495, 0.505] ██████████" in in_case
    assert "b (failed) 48% [48%, 48%] - - 10 of 10 -" in in_case
    assert "b (failed) 240.0 48% [47%, 49%] 260.0 52% [51%, 53%]" in in_case
    assert "headline: b failed after 10 repetitions: it broke" in in_case
    assert "1 250 [248, 252] 500 [495, 505], then failed" in in_curve
    assert "tools_per_turn, 1 tools: b failed after 10 repetitions: it broke" in in_curve
    assert "b (failed) 1.00 s [0.99, 1.01] ▁▁▁▁▁▁" in in_cost
    assert "recorders: b failed after 6 repetitions: it broke" in in_cost


def test_without_the_reference_the_reason_is_its_failure() -> None:
    """The others have repetitions enough, and it has no ratio of 1."""
    other = arm("one by one", 0.5, parallel=False, ratio=None)
    of = case(late("a", 0.25), other, ended="failure", reached=False)

    lines = lines_of(benchmark(of))

    assert lines[0] == "There is no answer: the reference, a, failed after 10 repetitions: it broke."
    assert "a (failed) failed 0.250s [0.247, 0.253] ▁▁▁▁▁▁▁▁▁▁" in lines
    assert "one by one reference failed 0.500s [0.495, 0.505] ██████████" in lines
    assert "too few" not in " ".join(lines)
    assert wording.ratio(other, of.model_copy(update={"reference": "nobody"})) == "no reference"
