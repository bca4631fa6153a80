"""A benchmark on a terminal: nothing is cut off at any width, what is wrong is at the end, and text drives nothing."""

import io

import pytest
from inline_snapshot import snapshot
from rich.cells import cell_len
from rich.console import Console

from harness.report.bench_terminal import show_bench
from harness.report.redact import masked, masker
from tests.report import bench_documents, documents
from tests.report.bench_documents import TWO, arm, benchmark, case, everything
from tests.report.rendering import render_bench


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
