"""A benchmark's document and its tables: no number without its interval, and what is wrong is said."""

import io
import json
from pathlib import Path

import jsonschema
import pytest
from inline_snapshot import snapshot
from rich.cells import cell_len
from rich.console import Console

from harness.errors import MissingEvidence
from harness.report import bench_digest as digest
from harness.report import schema
from harness.report.bench_document import (
    BENCH_SCHEMA_VERSION,
    COMPARISON_SCHEMA_VERSION,
    Concurrency,
    CurveDocument,
    GrownDocument,
    PointDocument,
    read_bench,
)
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
are not known; measure for longer, or on a machine that does nothing else

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
recorders: spans failed after 0 repetitions: no exporter
headline: the tools of durable were to run side by side, and whether they do is
undecided: gained 90% [75%, 100%] of what that can gain
headline: sequential failed after 0 repetitions: TimeoutError: no answer within
60 s
tools_per_turn, 2 tools is TOO NOISY: an interval is wider than ±2.0% of its
ratio, so that smaller differences are not known; measure for longer, or on a
machine that does nothing else
tools_per_turn, 8 tools: shared failed after 0 repetitions: too many clients
already
tools_per_turn: not measured: 16 tools: all arms together want 90 connections,
and the server has 60 left
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

    assert digest.regression(worse.model_copy(update={"spent": means})).endswith(
        "; in serial +62.1 ms (means, and not decided: one of the runs does not have the parts of each repetition)"
    )
    assert digest.regression(worse.model_copy(update={"spent": chance})).endswith("; no part of it grew beyond doubt")
    assert digest.regression(worse.model_copy(update={"spent": {}})).endswith(" to 1.300 [1.280, 1.320]")


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


def test_a_benchmark_of_nothing_says_so() -> None:
    """No table, and no failure."""
    assert render_bench(benchmark()).startswith("Nothing was measured.\n")


def test_the_answer_is_in_words() -> None:
    """It says what was not measured, and promises nothing."""
    failed = bench_documents.failed
    none = case(failed("a", "no"))
    alone = case(arm("a", 0.25))
    partly = case(arm("a", 0.25, concurrency="in_part"), failed("b", "no", parallel=False), tools=3)
    same = arm("b", 0.5, parallel=False, ratio=bench_documents.estimate(1.0))
    no_gain = case(arm("a", 0.5, concurrency="one_by_one"), same, tools=12)

    assert "\n".join(digest.answer(benchmark(each)) for each in (none, alone, partly, no_gain)) == snapshot("""\
There is no answer: the reference, a, has no number: failed after 0 repetitions: no.
Tools of 0.24 s called together take 0.250 s [0.247, 0.253]; one by one they were not measured.
Three tools of 0.24 s called together, and side by side only in part, take 0.250 s [0.247, 0.253]; one by one there is no number: failed after 0 repetitions: no.
12 tools of 0.24 s called together, and yet one by one, take 0.500 s [0.495, 0.505], one by one 0.500 s [0.495, 0.505]: 1.00 [0.99, 1.01] times as long.\
""")  # noqa: E501  # golden text
