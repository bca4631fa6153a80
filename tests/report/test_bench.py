"""A benchmark's document and its tables: no number without its interval, and what is wrong is said."""

import json
from pathlib import Path

import jsonschema
import pytest

from harness.errors import MissingEvidence
from harness.report import schema
from harness.report.bench_document import BENCH_SCHEMA_VERSION, CurveDocument, PointDocument, read_bench
from harness.report.bench_terminal import render_bench, sparkline
from harness.scenario import SessionMode
from tests.report.bench_documents import arm, benchmark, case

TWO = case(arm("per_operation", 0.25), arm("shared", 0.5, session_mode=SessionMode.SHARED, overlapped=0, outliers=(3,)))
FAILED = case(
    arm("per_operation", 0.25),
    arm(
        "small pool",
        0.5,
        samples=(0.5, 0.5),
        seconds=None,
        ratio=None,
        efficiency=None,
        overlapped=2,
        overlap_known=2,
        failure="[bold]timed out",
    ),
    arm("one by one", 0.5, overlapped=None),
    reached=False,
    ended="time",
)


def test_what_is_written_follows_the_published_schema() -> None:
    """Also where an arm failed."""
    published = json.loads(schema.BENCH.path.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(json.loads(benchmark(TWO, FAILED).model_dump_json()))


def test_a_document_that_was_written_can_be_read_again(tmp_path: Path) -> None:
    """It is the same one."""
    path = tmp_path / "bench.json"
    path.write_text(benchmark(TWO, FAILED).model_dump_json(), encoding="utf-8")

    assert read_bench(path) == benchmark(TWO, FAILED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{}", "is no benchmark: at schema_version: Field required"),
        ('{"schema_version": 1}', "is no benchmark: at started_at: Field required"),
        ("no JSON", "is no benchmark: at the whole: Invalid JSON"),
    ],
)
def test_what_is_no_benchmark_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    """With the place."""
    path = tmp_path / "bench.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(MissingEvidence, match=message):
        read_bench(path)


def test_a_document_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    """Its numbers may mean something else."""
    path = tmp_path / "bench.json"
    other = json.loads(benchmark(TWO).model_dump_json()) | {"schema_version": BENCH_SCHEMA_VERSION + 1, "new": 1}
    path.write_text(json.dumps(other), encoding="utf-8")

    with pytest.raises(MissingEvidence, match="is of schema version 2, and this version reads 1; measure it again"):
        read_bench(path)


def test_the_tables_have_ratios_with_their_intervals_and_parts_that_add_up() -> None:
    """The reference first; the rest is against it."""
    lines = [" ".join(line.split()) for line in render_bench(benchmark(TWO)).splitlines()]

    assert "per_operation 1 0.250s [0.247, 0.253] 96% 10 of 10 ▁▁▁▁▁▁▁▁▁▁" in lines
    assert "shared 2.000x [1.980, 2.020] 0.500s [0.495, 0.505] 48% 0 of 10 ██████████" in lines
    assert "ms of the mean turn work serial" in lines
    assert "shared 240.0 260.0" in lines
    text = render_bench(benchmark(TWO))
    assert "shared: far off, and counted: 0.500 s" in text
    assert (
        "every interval is as narrow as was asked for after 12 s; a change of 4.0% of any ratio would be found" in text
    )
    assert "TOO NOISY" not in text


def test_a_failed_arm_has_no_ratio_and_its_reason_and_too_much_noise_is_said() -> None:
    """What the backend said is text, and no markup."""
    text = render_bench(benchmark(FAILED))

    assert "small pool ? ? - 2 of 2 ██" in [" ".join(line.split()) for line in text.splitlines()]
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
    """Milliseconds with half of their interval; where there is no interval, a question mark."""
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
    assert "ms by tools 1 32 growth" in lines
    assert "per_operation 100 ±1 200 ±2 ▅█" in lines
    assert "shared 100 ±1 ? ▅▁" in lines
    assert "not measured: 64 tools: no room" in lines
