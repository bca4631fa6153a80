"""A benchmark's document and its tables: no number without its interval, and what is wrong is said."""

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from inline_snapshot import snapshot
from rich.cells import cell_len
from rich.console import Console

from harness.errors import MissingEvidence
from harness.report import bench_comparison as changes
from harness.report import bench_digest as digest
from harness.report import bench_words as wording
from harness.report import schema
from harness.report.bench_document import (
    BENCH_SCHEMA_VERSION,
    COMPARISON_SCHEMA_VERSION,
    ArmDocument,
    BenchDocument,
    Concurrency,
    CostArmDocument,
    CurveDocument,
    GrownDocument,
    PointDocument,
    read_bench,
)
from harness.report.bench_markdown import summary
from harness.report.bench_tables import sparkline
from harness.report.bench_terminal import show_bench, show_comparison
from harness.report.redact import masked, masker
from harness.scenario import SessionMode
from tests.report import bench_documents, documents
from tests.report.bench_documents import arm, benchmark, case, everything
from tests.report.rendering import render_bench

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


def test_a_comparison_follows_the_published_schema() -> None:
    """It is a document of its own."""
    published = json.loads(schema.COMPARISON.path.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(published)
    written = json.loads(bench_documents.comparison().model_dump_json())
    jsonschema.Draft202012Validator(published).validate(written)
    assert written["schema_version"] == COMPARISON_SCHEMA_VERSION


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


def test_what_was_a_number_without_interval_is_not_read(tmp_path: Path) -> None:
    """A baseline of an earlier version can still be compared with; its efficiency is not known."""
    path = tmp_path / "bench.json"
    earlier = json.loads(benchmark(TWO).model_dump_json())
    del earlier["finished"], earlier["warnings"]
    earlier["cases"][0]["arms"][0]["efficiency"] = 0.96
    path.write_text(json.dumps(earlier), encoding="utf-8")

    first, second = read_bench(path).cases[0].arms

    assert first.efficiency is None
    assert second.efficiency == TWO.arms[1].efficiency
    assert wording.efficiency(first) == "-"


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


def test_everything_at_80_columns() -> None:
    """Intervals below their values where there is no room beside them; what is wrong stands below its table."""
    assert render_bench(everything(), width=80) == snapshot("""\
Two tools of 0.24 s side by side take 0.292 s [0.289, 0.295], one by one 0.537 s
[0.532, 0.542]: 1.84 [1.82, 1.86] times as long.
PostgreSQL 18.4, embedded; Python 3.13.0, Linux, 2 processors

headline: What do two tools gain by running together?
               seconds / per_operation                seconds  repetitions
──────────────────────────────────────────────────────────────────────────
per_operation                        1  0.292s [0.289, 0.295]  ▁▁▁▁▁▁▁▁▁▁
one by one       1.839x [1.821, 1.857]  0.537s [0.532, 0.542]  ██████████
shared           1.832x [1.814, 1.851]  0.535s [0.530, 0.540]  ██████████
locked           1.822x [1.804, 1.840]  0.532s [0.527, 0.537]  ██████████
sequential                      failed                 failed
durable          1.058x [1.048, 1.069]  0.309s [0.306, 0.312]  ▁▁▁▁▁▁▁▁▁▁

tools              efficiency           gained  ran           together  lost to
───────────────────────────────────────────────────────────────────────────────
per_operation  82% [81%, 83%]  98% [96%, 100%]  side by side  10 of 10  serial
one by one     45% [44%, 45%]                -  -                    -  -
shared         45% [44%, 45%]      1% [0%, 3%]  one by one     0 of 10  serial
locked         45% [45%, 46%]      1% [0%, 3%]  one by one     0 of 10  serial
sequential                  -                -  -                    -  -
durable        78% [77%, 78%]  90% [75%, 100%]  undecided     10 of 10  -

ms of the
mean turn,
its share                work          serial         loop         pool
───────────────────────────────────────────────────────────────────────
per_operation           240.0             7.9          0.0          1.0
               82% [81%, 83%]     3% [2%, 4%]  0% [0%, 1%]  0% [0%, 1%]
one by one              240.0           252.9          0.0          1.0
               45% [44%, 46%]  47% [46%, 48%]  0% [0%, 1%]  0% [0%, 1%]
shared                  240.0           250.9          0.0          1.0
               45% [44%, 46%]  47% [46%, 48%]  0% [0%, 1%]  0% [0%, 1%]
locked                  240.0           247.9          0.0          1.0
               45% [44%, 46%]  47% [46%, 48%]  0% [0%, 1%]  0% [0%, 1%]
sequential             failed          failed       failed       failed
durable                 240.0            24.9          0.0          1.0
               78% [77%, 79%]     8% [7%, 9%]  0% [0%, 1%]  0% [0%, 1%]

ms of the
mean turn,
its share         sessions        model       ledger  application
─────────────────────────────────────────────────────────────────
per_operation          9.0          7.4          3.6         23.1
               3% [2%, 4%]  3% [2%, 4%]  1% [0%, 2%]  8% [7%, 9%]
one by one             9.0          7.4          3.6         23.1
               2% [1%, 3%]  1% [0%, 2%]  1% [0%, 2%]  4% [3%, 5%]
shared                 9.0          7.4          3.6         23.1
               2% [1%, 3%]  1% [0%, 2%]  1% [0%, 2%]  4% [3%, 5%]
locked                 9.0          7.4          3.6         23.1
               2% [1%, 3%]  1% [0%, 2%]  1% [0%, 2%]  4% [3%, 5%]
sequential          failed       failed       failed       failed
durable                9.0          7.4          3.6         23.1
               3% [2%, 4%]  2% [1%, 3%]  1% [0%, 2%]  7% [6%, 8%]
shared: far off, and counted: 535.000 ms
durable is the harness's own application: it changes with the machine, not with
the backend
every interval is as narrow as was asked for after 12 s; a change of 4.0% of any
ratio would be found
headline: the tools of locked were to run side by side, and ran one by one:
gained 1% [0%, 3%] of what that can gain; most of the rest is lost to serial (a
tool had to wait for another one)
headline: the tools of durable were to run side by side, and whether they do is
undecided: gained 90% [75%, 100%] of what that can gain
headline: sequential failed after 0 repetitions: TimeoutError: no answer within
60 s

pool_size: How small may the pool be?
pool size  seconds / pool of 8     seconds      ms in pool  is
───────────────────────────────────────────────────────────────────────────────
8                            1      100 ms             1.0  -
                                 [99, 101]     1% [0%, 2%]
4                       1.020x      102 ms             1.0  predicted, measured
                [1.010, 1.030]  [101, 103]     1% [0%, 2%]
2                       1.500x      150 ms            50.0  slower
                [1.485, 1.515]  [148, 152]  33% [32%, 34%]
1                       failed      failed          failed  timed out
predicted: 4 connections are enough for 2 turns of 2 tools at once
measured: 4 is the smallest whose whole interval holds the time of the largest
slower beyond doubt: 2
somebody's patience ended: 1
pool of 1 failed after 0 repetitions: QueuePool limit of size 1 overflow 0
reached, connection timed out
every interval is as narrow as was asked for after 12 s; a change of 4.0% of any
ratio would be found

tools_per_turn: What does a turn cost whose tools are called together?
ms by tools   per_operation          shared
───────────────────────────────────────────
1            101 [100, 102]   100 [99, 101]
2 noisy      102 [101, 103]  200 [198, 202]
4            104 [103, 105]  400 [396, 404]
8            120 [119, 121]          failed
growth                 ▃▃▃▃            ▃▅█·
tools_per_turn, 8 tools: shared failed after 0 repetitions: too many clients
already
not measured: 16 tools: all arms together want 90 connections, and the server
has 60 left
noisy: an interval is wider than ±2.0% of its ratio, so that smaller differences
are not known; measure again on a machine that does nothing else, or (the
headline, latencies, and costs) with --full

pool_states: What does a turn cost whose tools are called together?
ms by pool state   per_operation          shared
────────────────────────────────────────────────
cold              400 [396, 404]  800 [792, 808]
warm              300 [297, 303]  500 [495, 505]
growth                        ▅▃              █▆

recorders: What do the recorders cost?
                       seconds / without               seconds  repetitions
───────────────────────────────────────────────────────────────────────────
without                                1  12.0 µs [11.9, 12.1]  ▁▁▁▁▁▁
statements         2.583x [2.558, 2.609]  31.0 µs [30.7, 31.3]  ▁▁▁▁▁▁
all of them  200.000x [198.000, 202.000]  2.40 ms [2.38, 2.42]  ██████
spans                             failed                failed
all of them: far off, and counted: 2.400 ms
every interval is as narrow as was asked for after 3 s; a change of 4.0% of any
ratio would be found
recorders: spans failed after 0 repetitions: no exporter
recorders: not measured: with a container: no Docker engine answers

What is wrong, or not known
headline: the tools of locked were to run side by side, and ran one by one:
gained 1% [0%, 3%] of what that can gain; most of the rest is lost to serial (a
tool had to wait for another one)
headline: the tools of durable were to run side by side, and whether they do is
undecided: gained 90% [75%, 100%] of what that can gain
headline: sequential failed after 0 repetitions: TimeoutError: no answer within
60 s
tools_per_turn, 2 tools is TOO NOISY: an interval is wider than ±2.0% of its
ratio, so that smaller differences are not known; measure again on a machine
that does nothing else, or (the headline, latencies, and costs) with --full
tools_per_turn, 8 tools: shared failed after 0 repetitions: too many clients
already
tools_per_turn: not measured: 16 tools: all arms together want 90 connections,
and the server has 60 left
recorders: spans failed after 0 repetitions: no exporter
recorders: not measured: with a container: no Docker engine answers

INTERRUPTED: not everything was measured that was asked for
""")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_is_cut_off_for_want_of_room(width: int) -> None:
    """Every interval is there in any width, and no line is longer than the terminal."""
    text = render_bench(everything(), width=width)

    assert "…" not in text
    assert max(map(cell_len, text.splitlines())) <= width
    assert {line.count("[") - line.count("]") for line in text.splitlines()} <= {0, 1, -1}
    for interval in ("[1.821, 1.857]", "[0.532, 0.542]", "[96%, 100%]", "[198, 202]", "[30.7, 31.3]"):
        assert interval in text


def test_a_promise_that_is_broken_is_red_and_one_of_which_nobody_knows_yellow() -> None:
    """With what was gained, its interval, and on what the rest was spent."""
    console = Console(file=io.StringIO(), width=300, color_system="standard", force_terminal=True)
    with console.capture() as capture:
        show_bench(everything(), console)
    lines = capture.get().splitlines()

    assert (
        "\x1b[1;31mheadline: the tools of locked were to run side by side, and ran one by one: gained 1% [0%, 3%] of "
        "what that can gain; most of the rest is lost to serial (a tool had to wait for another one)\x1b[0m"
    ) in lines
    assert (
        "\x1b[1;33mheadline: the tools of durable were to run side by side, and whether they do is undecided: gained "
        "90% [75%, 100%] of what that can gain\x1b[0m"
    ) in lines


def test_what_is_wrong_stands_once_more_at_the_end() -> None:
    """What is wrong first, then what is not known; a reader need not scroll."""
    broken = bench_documents.failed("b", "no", promised=True)
    unknown = bench_documents.failed("c", "no")
    document = benchmark(case(arm("a", 0.25), unknown, broken), missing=("pools: no room",), interrupted=True)

    end = render_bench(document, width=200).rpartition("\n\nWhat is wrong, or not known\n")[2]

    assert end.splitlines() == [
        "headline: b failed after 0 repetitions: no",
        "not measured: pools: no room",
        "headline: c failed after 0 repetitions: no",
        "",
        "INTERRUPTED: not everything was measured that was asked for",
    ]


@pytest.mark.parametrize(("unknown", "last"), [(11, None), (12, "… and 1 more in summary.md"), (40, "… and 29 more")])
def test_of_much_that_is_not_known_the_end_has_a_dozen(unknown: int, last: str | None) -> None:
    """And how many more there are; what is wrong is among them, wherever it was found."""
    arms = [bench_documents.failed(f"arm {number}", "no") for number in range(unknown)]
    document = benchmark(case(arm("a", 0.25), *arms, bench_documents.failed("last", "no", promised=True)))

    lines = render_bench(document, width=200).rpartition("What is wrong, or not known\n")[2].splitlines()

    assert lines[0] == "headline: last failed after 0 repetitions: no"
    assert len(lines) == (12 if last is None else 13)
    assert lines[-1].startswith(last or "headline: arm 10 failed")


def test_where_nothing_is_wrong_nothing_stands_at_the_end() -> None:
    """The last line is that of the last table."""
    text = render_bench(benchmark(TWO))

    assert "not known" not in text
    assert text.rstrip().endswith("of any ratio would be found")


def test_what_was_not_promised_stands_apart() -> None:
    """Tools that share a session are refused in many places: that is neither wrong nor unknown, and told by itself."""
    shared = bench_documents.failed("shared", "InvalidRequestError", session_mode=SessionMode.SHARED)
    locked = bench_documents.failed("locked", "no answer", session_mode=SessionMode.LOCKED)
    alone = shared.model_copy(update={"name": "shared, one by one", "parallel": False})
    unseen = shared.model_copy(update={"name": "not seen", "unseen": True})
    points = (PointDocument(x=0, label="cold", case=case(arm("per_operation", 0.1), shared, locked)),)
    small = bench_documents.failed("pool of 1", "InvalidRequestError", session_mode=SessionMode.SHARED, pool_size=1)
    document = benchmark(
        case(arm("per_operation", 0.25), shared, alone, unseen),
        curves=(bench_documents.curve(points=points, skipped=()),),
        pools=(bench_documents.pools(case=case(arm("pool of 8", 0.1, pool_size=8), small), timed_out=()),),
    )

    assert {heading: [remark.text for remark in found] for heading, found in digest.groups(document)} == {
        "What is not known": [
            "headline: shared, one by one failed after 0 repetitions: InvalidRequestError",
            "headline: not seen failed after 0 repetitions: InvalidRequestError",
            "tools_per_turn, cold: locked failed after 0 repetitions: no answer",
        ],
        "Not promised to work, and did not: tools that share one session": [
            "headline: shared failed after 0 repetitions: InvalidRequestError",
            "tools_per_turn, cold: shared failed after 0 repetitions: InvalidRequestError",
            "headline: pool of 1 failed after 0 repetitions: InvalidRequestError",
        ],
    }
    assert render_bench(document, width=200).endswith(
        """
Not promised to work, and did not: tools that share one session
headline: shared failed after 0 repetitions: InvalidRequestError
tools_per_turn, cold: shared failed after 0 repetitions: InvalidRequestError
headline: pool of 1 failed after 0 repetitions: InvalidRequestError
"""
    )
    assert not digest.sound(document)


def test_nothing_is_wrong_where_only_a_shared_session_failed() -> None:
    """It stands below that sentence, with its reason."""
    shared = bench_documents.failed("shared", "InvalidRequestError", session_mode=SessionMode.SHARED)

    page = summary(benchmark(case(arm("per_operation", 0.25), shared)))

    assert (
        "Nothing is wrong that was looked for.\n\n"
        "## Not promised to work, and did not: tools that share one session\n\n"
        "- headline: shared failed after 0 repetitions: InvalidRequestError\n"
    ) in page


@pytest.mark.parametrize(
    ("promised", "unseen", "weight"), [(True, False, "wrong"), (True, True, "unknown"), (False, False, "unknown")]
)
@pytest.mark.parametrize("where", ["case", "pools"])
def test_wrong_is_what_was_promised_and_failed(where: str, promised: bool, unseen: bool, weight: str) -> None:
    """Not what the harness could not see, nor what a report only shows: how small a pool may be, for example."""
    broken = bench_documents.failed("b", "ValueError", promised=promised, unseen=unseen, pool_size=2)
    of = case(arm("a", 0.25), broken)
    document = benchmark(of) if where == "case" else benchmark(pools=(bench_documents.pools(case=of, timed_out=()),))

    assert [remark.weight for remark in digest.remarks(document)] == [weight]


def test_a_cost_that_failed_is_not_known() -> None:
    """It is the harness's own: nothing of the backend is wrong."""
    document = benchmark(case(arm("a", 0.25)), costs=(bench_documents.cost(missing=()),))

    assert [(remark.weight, remark.text) for remark in digest.remarks(document)] == [
        ("unknown", "recorders: spans failed after 0 repetitions: no exporter")
    ]


def test_a_promise_that_is_broken_somewhere_on_a_curve_is_said() -> None:
    """With the point."""
    partly = arm("shared", 0.1, promised=True, concurrency=Concurrency.IN_PART, lost_to="a lock")
    points = (PointDocument(x=4, case=case(partly)),)

    text = render_bench(benchmark(curves=(bench_documents.curve(points=points),)), width=300)

    assert (
        "tools_per_turn, 4 tools: the tools of shared were to run side by side, and did so only in part: gained an "
        "unknown part of what that can gain; most of the rest is lost to a lock"
    ) in text.splitlines()


def test_a_comparison_has_both_intervals_and_what_a_regression_was_spent_on() -> None:
    """The last line says what it amounts to."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as capture:
        show_comparison(bench_documents.comparison(), console)

    assert "\n".join(line.rstrip() for line in capture.get().splitlines()) == snapshot("""\

against the baseline                       before                   now                growth  is
────────────────────────────────────────────────────────────────────────────────────────────────────────
headline: shared      ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.300 [1.270, 1.330]  WORSE
headline: durable     ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.080 [1.000, 1.160]  UNDECIDED
headline: sequential  ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]                     -  UNDECIDED
headline: locked      ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.000 [0.980, 1.020]  not worse
headline: deferred    ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.080 [0.900, 1.260]  undecided
WORSE: headline, shared, ratio: 1.000 [0.990, 1.010] to 1.300 [1.280, 1.320]; in serial +62.1 ms [55.0, 70.0], pool +2.0
ms [1.2, 2.8]
UNDECIDED: ratio of headline (durable, sequential): the interval lies on both sides of the gate
the baseline is of another machine (another; this is a machine)
what is undecided in small letters was measured less closely, and leaves nothing else undecided
WORSE: looked for a growth of ratios by 1.1 times or more\
""")


def test_parts_that_only_their_means_are_known_of_are_said_to_be_undecided() -> None:
    """An earlier baseline does not have those of each repetition; of a mean nobody knows whether chance made it."""
    worse = bench_documents.comparison().changes[0]
    means = {"serial": GrownDocument(seconds=0.0621), "loop": GrownDocument(seconds=-0.001)}
    chance = {"serial": GrownDocument(seconds=0.0621, low=-0.01, high=0.13)}

    assert changes.regression(worse.model_copy(update={"spent": means})).endswith(
        "; in serial +62.1 ms (means, and not decided: one of the runs does not have the parts of each repetition)"
    )
    tiny = {"work": GrownDocument(seconds=1e-9, low=1e-10, high=1e-8)}
    for nothing in (chance, tiny):
        said = changes.regression(worse.model_copy(update={"spent": nothing}))
        assert said.endswith("; no part of it grew beyond doubt")
    assert changes.regression(worse.model_copy(update={"spent": {}})).endswith(" to 1.300 [1.280, 1.320]")


@pytest.mark.parametrize("text", [*documents.HOSTILE, "x" * 1_000_000], ids=range(len(documents.HOSTILE) + 1))
def test_hostile_text_drives_no_terminal(text: str) -> None:
    """It is neither markup nor a control character, and takes no more room than other text."""
    shown = render_bench(
        masked(bench_documents.hostile(text.encode("utf-8", "replace").decode()), masker({})), width=80
    )

    assert set(map(ord, shown)) & {*range(10), *range(11, 32), 127, 0x202E, 0x2066, 0xFFFE} == set()
    assert len(shown) < 100_000


def test_secrets_are_masked_on_the_terminal() -> None:
    """What a backend said may quote its connection."""
    said = "could not connect to postgresql://app:s3cr3t-pass@db/app"

    shown = render_bench(benchmark(case(arm("a", 0.25), bench_documents.failed("b", said))))

    assert "postgresql://app:***@db/app" in shown


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


def test_the_reference_tells_no_change() -> None:
    """Its ratio to itself is 1, whatever became of it."""
    itself = arm("a", 0.25, ratio=bench_documents.estimate(1.0).model_copy(update={"detectable": 0.0}))

    assert wording.ended(case(itself)) == "every interval is as narrow as was asked for after 12 s"
    assert wording.ended(case(itself, arm("b", 0.5))).endswith("; a change of 4.0% of any ratio would be found")


def test_what_makes_intervals_narrower_can_be_done() -> None:
    """There is no option that measures for longer, but for those things that `--full` does measure closer."""
    said = wording.too_wide(case(arm("a", 0.25)))

    assert said.endswith(
        "measure again on a machine that does nothing else, or (the headline, latencies, and costs) with --full"
    )
    assert "±5.0% of its median" in wording.too_wide(bench_documents.cost(reference=None))


@pytest.mark.parametrize("repetitions", range(5))
def test_milliseconds_without_a_share_are_not_shown(repetitions: int) -> None:
    """Too few repetitions have no interval for either."""
    few = arm("a", 0.25, samples=(0.25,) * repetitions, seconds=None, ratio=None, pool_size=1)

    assert wording.part(few, "work") == ("too few", "")
    assert wording.part(few.model_copy(update={"failure": "no"}), "work") == ("failed", "")
    assert wording.part(arm("a", 0.25), "work") == ("240.0", "96% [95%, 97%]")
    assert wording.part(arm("a", 0.25, shares={}), "work") == ("-", "")  # a turn of which nothing is known


def test_what_the_application_warned_of_is_told_once() -> None:
    """Below what is not known, on one line each."""
    document = benchmark(TWO, warnings=("SAWarning: not\nsupported", "UserWarning: old"))

    assert render_bench(document, width=200).endswith(
        "\n\nWarnings while it was measured\nSAWarning: not supported\nUserWarning: old\n"
    )
    assert ("## Warnings while it was measured\n\n- SAWarning: not supported\n- UserWarning: old\n") in summary(
        document
    )


def test_a_benchmark_of_nothing_says_so() -> None:
    """No table, and no failure."""
    assert render_bench(benchmark()).startswith("Nothing was measured.\n")


LATENCY = case(arm("a", 0.25), name="latency_both", tool_seconds=1.0)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (benchmark(missing=("headline: no room",)), "What tools gain was not measured: no room"),
        (benchmark(curves=(bench_documents.curve(),)), "What tools gain was not asked for."),
        (
            benchmark(curves=(bench_documents.curve(),), missing=("tools: no", "headline: no room")),
            "What tools gain was not measured: no room",
        ),
        (benchmark(LATENCY, missing=("headline: no room",)), "What tools gain was not measured: no room"),
        (benchmark(LATENCY), f"latency_both: {digest.answer(benchmark(case(arm('a', 0.25), tool_seconds=1.0)))}"),
    ],
    ids=["nothing else", "not asked for", "curves", "another case", "another case alone"],
)
def test_a_headline_that_was_lost_is_no_headline_that_nobody_wanted(document: BenchDocument, said: str) -> None:
    """The first line says why there is none; another case does not stand for it without its name."""
    assert render_bench(document, width=200).splitlines()[0] == said


def test_the_answer_is_in_words() -> None:
    """It says what was not measured, and promises nothing."""
    failed = bench_documents.failed
    none = case(failed("a", "no"))
    alone = case(arm("a", 0.25))
    partly = case(arm("a", 0.25, concurrency="in_part"), failed("b", "no", parallel=False), tools=3)
    same = arm("b", 0.5, parallel=False, ratio=bench_documents.estimate(1.0))
    no_gain = case(arm("a", 0.5, concurrency="one_by_one"), same, tools=12)

    assert "\n".join(digest.answer(benchmark(each)) for each in (none, alone, partly, no_gain)) == snapshot("""\
There is no answer: the reference, a, failed after 0 repetitions: no.
Tools of 0.24 s called together take 0.250 s [0.247, 0.253]; one by one they were not measured.
Three tools of 0.24 s called together, and side by side only in part, take 0.250 s [0.247, 0.253]; one by one there is no number: failed after 0 repetitions: no.
12 tools of 0.24 s called together, and yet one by one, take 0.500 s [0.495, 0.505], one by one 0.500 s [0.495, 0.505]: 1.00 [0.99, 1.01] times as long.\
""")  # noqa: E501  # golden text
