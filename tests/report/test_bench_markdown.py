"""The summary of a benchmark in Markdown."""

import re

import pytest
from inline_snapshot import snapshot

from harness.report.bench_document import ChangeOutcome, ComparisonDocument, GrownDocument
from harness.report.bench_markdown import summary
from harness.report.redact import masked, masker
from tests.report import bench_documents, documents
from tests.report.bench_documents import arm, benchmark, case, comparison, curve, everything, failed
from tests.report.test_markdown import rendered

LONG = "x" * 1_000_000


def test_everything() -> None:
    """The answer, what is wrong, what became of it since the baseline, and then the tables."""
    assert summary(everything(), comparison()) == snapshot("""\
# Two tools of 0.24 s side by side take 0.292 s \\[0.289, 0.295\\], one by one 0.537 s \\[0.532, 0.542\\]: 1.84 \\[1.82, 1.86\\] times as long.

**INTERRUPTED: not everything was measured that was asked for**

- PostgreSQL 18.4, embedded
- Python 3.13.0, Linux, 2 processors
- backend `fixtures.backend.adapter:backend`

## What is wrong, or not known

- **wrong**: headline: the tools of locked were to run side by side, and ran one by one: gained 1% \\[0%, 3%\\] of what that can gain; most of the rest is lost to serial (a tool had to wait for another one)
- headline: the tools of durable were to run side by side, and whether they do is undecided: gained 90% \\[75%, 100%\\] of what that can gain
- headline: sequential failed after 0 repetitions: TimeoutError: no answer within 60 s
- tools_per_turn, 2 tools is TOO NOISY: an interval is wider than ±2.0% of its ratio, so that smaller differences are not known; measure again on a machine that does nothing else, or (the headline, latencies, and costs) with --full
- tools_per_turn, 8 tools: shared failed after 0 repetitions: too many clients already
- tools_per_turn: not measured: 16 tools: all arms together want 90 connections, and the server has 60 left
- recorders: spans failed after 0 repetitions: no exporter
- recorders: not measured: with a container: no Docker engine answers

## Against the baseline: WORSE: looked for a growth of ratios by 1.1 times or more

| against the baseline |  | before | now | growth | is |
| --- | --- | --- | --- | --- | --- |
| headline: shared | ratio | 1.000 \\[0.990, 1.010\\] | 1.300 \\[1.280, 1.320\\] | 1.300 \\[1.270, 1.330\\] | **WORSE** |
| headline: durable | ratio | 1.000 \\[0.990, 1.010\\] | 1.300 \\[1.280, 1.320\\] | 1.080 \\[1.000, 1.160\\] | UNDECIDED |
| headline: sequential | ratio | 1.000 \\[0.990, 1.010\\] | 1.300 \\[1.280, 1.320\\] | - | UNDECIDED |
| headline: locked | ratio | 1.000 \\[0.990, 1.010\\] | 1.300 \\[1.280, 1.320\\] | 1.000 \\[0.980, 1.020\\] | not worse |
| headline: deferred | ratio | 1.000 \\[0.990, 1.010\\] | 1.300 \\[1.280, 1.320\\] | 1.080 \\[0.900, 1.260\\] | undecided |

- WORSE: headline, shared, ratio: 1.000 \\[0.990, 1.010\\] to 1.300 \\[1.280, 1.320\\]; in serial +62.1 ms \\[55.0, 70.0\\], pool +2.0 ms \\[1.2, 2.8\\]
- UNDECIDED: ratio of headline (durable, sequential): the interval lies on both sides of the gate
- the baseline is of another machine (another; this is a machine)
- what is undecided in small letters was measured less closely, and leaves nothing else undecided

## headline

What do two tools gain by running together?

|  | seconds / per_operation | seconds | repetitions |
| --- | --- | --- | --- |
| per_operation | 1 | 0.292s \\[0.289, 0.295\\] | ▁▁▁▁▁▁▁▁▁▁ |
| one by one | 1.839x \\[1.821, 1.857\\] | 0.537s \\[0.532, 0.542\\] | ██████████ |
| shared | 1.832x \\[1.814, 1.851\\] | 0.535s \\[0.530, 0.540\\] | ██████████ |
| locked | 1.822x \\[1.804, 1.840\\] | 0.532s \\[0.527, 0.537\\] | ██████████ |
| sequential | failed | failed |  |
| durable | 1.058x \\[1.048, 1.069\\] | 0.309s \\[0.306, 0.312\\] | ▁▁▁▁▁▁▁▁▁▁ |

| tools | efficiency | gained | ran | together | lost to |
| --- | --- | --- | --- | --- | --- |
| per_operation | 82% \\[81%, 83%\\] | 98% \\[96%, 100%\\] | side by side | 10 of 10 | serial |
| one by one | 45% \\[44%, 45%\\] | - | - | - | - |
| shared | 45% \\[44%, 45%\\] | 1% \\[0%, 3%\\] | one by one | 0 of 10 | serial |
| locked | 45% \\[45%, 46%\\] | 1% \\[0%, 3%\\] | **one by one** | 0 of 10 | serial |
| sequential | - | - | - | - | - |
| durable | 78% \\[77%, 78%\\] | 90% \\[75%, 100%\\] | undecided | 10 of 10 | - |

| ms of the mean turn, its share | work | serial | loop | pool | sessions | model | ledger | application |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| per_operation | 240.0 82% \\[81%, 83%\\] | 7.9 3% \\[2%, 4%\\] | 0.0 0% \\[0%, 1%\\] | 1.0 0% \\[0%, 1%\\] | 9.0 3% \\[2%, 4%\\] | 7.4 3% \\[2%, 4%\\] | 3.6 1% \\[0%, 2%\\] | 23.1 8% \\[7%, 9%\\] |
| one by one | 240.0 45% \\[44%, 46%\\] | 252.9 47% \\[46%, 48%\\] | 0.0 0% \\[0%, 1%\\] | 1.0 0% \\[0%, 1%\\] | 9.0 2% \\[1%, 3%\\] | 7.4 1% \\[0%, 2%\\] | 3.6 1% \\[0%, 2%\\] | 23.1 4% \\[3%, 5%\\] |
| shared | 240.0 45% \\[44%, 46%\\] | 250.9 47% \\[46%, 48%\\] | 0.0 0% \\[0%, 1%\\] | 1.0 0% \\[0%, 1%\\] | 9.0 2% \\[1%, 3%\\] | 7.4 1% \\[0%, 2%\\] | 3.6 1% \\[0%, 2%\\] | 23.1 4% \\[3%, 5%\\] |
| locked | 240.0 45% \\[44%, 46%\\] | 247.9 47% \\[46%, 48%\\] | 0.0 0% \\[0%, 1%\\] | 1.0 0% \\[0%, 1%\\] | 9.0 2% \\[1%, 3%\\] | 7.4 1% \\[0%, 2%\\] | 3.6 1% \\[0%, 2%\\] | 23.1 4% \\[3%, 5%\\] |
| sequential | failed | failed | failed | failed | failed | failed | failed | failed |
| durable | 240.0 78% \\[77%, 79%\\] | 24.9 8% \\[7%, 9%\\] | 0.0 0% \\[0%, 1%\\] | 1.0 0% \\[0%, 1%\\] | 9.0 3% \\[2%, 4%\\] | 7.4 2% \\[1%, 3%\\] | 3.6 1% \\[0%, 2%\\] | 23.1 7% \\[6%, 8%\\] |

- shared: far off, and counted: 535.000 ms
- durable is the harness's own application: it changes with the machine, not with the backend
- every interval is as narrow as was asked for after 12 s; a change of 4.0% of any ratio would be found

## pool_size

How small may the pool be?

| pool size | seconds / pool of 8 | seconds | ms in pool | is |
| --- | --- | --- | --- | --- |
| 8 | 1 | 100 ms \\[99, 101\\] | 1.0 1% \\[0%, 2%\\] | - |
| 4 | 1.020x \\[1.010, 1.030\\] | 102 ms \\[101, 103\\] | 1.0 1% \\[0%, 2%\\] | predicted, measured |
| 2 | 1.500x \\[1.485, 1.515\\] | 150 ms \\[148, 152\\] | 50.0 33% \\[32%, 34%\\] | slower |
| 1 | failed | failed | failed | timed out |

- predicted: 4 connections are enough for 2 turns of 2 tools at once
- measured: 4 is the smallest whose whole interval holds the time of the largest
- slower beyond doubt: 2
- somebody's patience ended: 1
- pool of 1 failed after 0 repetitions: QueuePool limit of size 1 overflow 0 reached, connection timed out
- every interval is as narrow as was asked for after 12 s; a change of 4.0% of any ratio would be found

## tools_per_turn

What does a turn cost whose tools are called together?

| ms by tools | per_operation | shared |
| --- | --- | --- |
| 1 | 101 \\[100, 102\\] | 100 \\[99, 101\\] |
| 2 noisy | 102 \\[101, 103\\] | 200 \\[198, 202\\] |
| 4 | 104 \\[103, 105\\] | 400 \\[396, 404\\] |
| 8 | 120 \\[119, 121\\] | failed |
| growth | ▃▃▃▃ | ▃▅█· |

- tools_per_turn, 8 tools: shared failed after 0 repetitions: too many clients already
- not measured: 16 tools: all arms together want 90 connections, and the server has 60 left
- noisy: an interval is wider than ±2.0% of its ratio, so that smaller differences are not known; measure again on a machine that does nothing else, or (the headline, latencies, and costs) with --full

## pool_states

What does a turn cost whose tools are called together?

| ms by pool state | per_operation | shared |
| --- | --- | --- |
| cold | 400 \\[396, 404\\] | 800 \\[792, 808\\] |
| warm | 300 \\[297, 303\\] | 500 \\[495, 505\\] |
| growth | ▅▃ | █▆ |

## recorders

What do the recorders cost?

|  | seconds / without | seconds | repetitions |
| --- | --- | --- | --- |
| without | 1 | 12.0 µs \\[11.9, 12.1\\] | ▁▁▁▁▁▁ |
| statements | 2.583x \\[2.558, 2.609\\] | 31.0 µs \\[30.7, 31.3\\] | ▁▁▁▁▁▁ |
| all of them | 200.000x \\[198.000, 202.000\\] | 2.40 ms \\[2.38, 2.42\\] | ██████ |
| spans | failed | failed |  |

- not measured: with a container: no Docker engine answers
- all of them: far off, and counted: 2.400 ms
- every interval is as narrow as was asked for after 3 s; a change of 4.0% of any ratio would be found

## What the words mean

- **efficiency**: the longest tool's planned time as a part of the turn
- **gained**: how much was gained of what tools can gain at most by working at the same time
- **share**: which part of the turn something is, the median of the repetitions with its interval
- **together**: in how many repetitions the tools were in the database at the same time
- **work**: the tools' planned time in the database
- **serial**: a tool had to wait for another one
- **loop**: one frame held the event loop
- **pool**: a connection was asked for and not had yet
- **ledger**: the transaction that writes the bill
- **model**: a request to the model
- **sessions**: a tool, beside its planned time: its session, its transaction, its own statements
- **application**: everything else: the agent, HTTP, statements outside of tools

## What this does not say

- Seconds are those of a scripted model in the same process, of an embedded PostgreSQL with `fsync` off, and of this machine: not those of production.
- Only ratios are to be compared with those of another run, and only together with their intervals.
- The recorders that see the parts are in place in every arm.
- Milliseconds of parts are of the mean turn; their shares are medians, and it is these that have intervals.
- Intervals are at 95%: a few of many may be missed by chance.

## Where it ran

- `sessionproof bench`
- machine `a machine`
- every repetition is in `bench.json`, drawings are in `charts`
""")  # noqa: E501  # golden text


def test_a_benchmark_in_which_nothing_is_wrong_says_so() -> None:
    """Below the answer; there is no section for what was not measured."""
    page = summary(benchmark(case(arm("a", 0.25), arm("b", 0.5, parallel=False))))

    assert page.startswith("# Tools of 0.24 s called together take 0.250 s")
    assert "Nothing is wrong that was looked for." in page
    assert re.findall(r"^## (.*)", page, re.MULTILINE) == [
        "headline",
        "What the words mean",
        "What this does not say",
        "Where it ran",
    ]


@pytest.mark.parametrize("outcome", ["worse", "undecided"])
def test_what_is_worse_than_before_is_not_said_to_be_well(outcome: str) -> None:
    """Nor what may be, though the run by itself is."""
    well = benchmark(case(arm("a", 0.25), arm("b", 0.5, parallel=False)))
    compared = comparison().model_copy(update={"outcome": ChangeOutcome(outcome)})

    assert "Nothing is wrong" not in summary(well, compared)
    assert "Nothing is wrong" in summary(well, compared.model_copy(update={"outcome": ChangeOutcome.NOT_WORSE}))


def test_what_was_left_out_of_a_curve_is_not_known() -> None:
    """With the curve's name, above the tables: nobody may read that nothing is wrong."""
    page = summary(benchmark(curves=(curve(points=curve().points[:1]),)))

    head = page.partition("\n## tools_per_turn")[0]
    assert "## What is not known" in head
    assert (
        "- tools_per_turn: not measured: 16 tools: all arms together want 90 connections, and the server has 60 left"
    ) in head
    assert "Nothing is wrong" not in page


def test_a_benchmark_of_nothing_is_a_page() -> None:
    """It says so, and where it ran."""
    page = summary(benchmark())

    assert page.startswith("# Nothing was measured.\n")
    assert "- `sessionproof bench`" in page


def test_an_arm_that_failed_is_wrong_and_its_text_is_text() -> None:
    """In the list, and as a word in the table; of an arm that promises nothing it is only not known."""
    broken = failed("b", "<b>it | broke</b>").model_copy(update={"promised": True})

    page = summary(benchmark(case(arm("a", 0.25), broken)))

    assert "- **wrong**: headline: b failed after 0 repetitions: &lt;b&gt;it \\| broke&lt;/b&gt;" in page
    assert "| b | failed | failed |  |" in page


@pytest.mark.parametrize("text", [*documents.HOSTILE, LONG], ids=range(len(documents.HOSTILE) + 1))
def test_hostile_text_brings_no_html_links_or_pictures(text: str) -> None:
    """It is shown as text wherever it stands, leaves tables in shape, and takes no megabyte."""
    given = text.encode("utf-8", "replace").decode()
    grown = GrownDocument(seconds=1.0, low=0.9, high=1.1)
    change = (
        comparison()
        .changes[0]
        .model_copy(
            update={"case": given, "arm": given, "what": given, "before": given, "now": given, "spent": {given: grown}}
        )
    )
    compared: ComparisonDocument = masked(comparison(changes=(change,), doubts=(given,), notes=(given,)), masker({}))
    page = summary(masked(bench_documents.hostile(given), masker({})), compared)
    html = rendered(page)

    assert set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", html)) <= {
        *("h1", "h2", "ul", "li", "p", "strong", "code"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    for table in re.findall(r"<table>(.*?)</table>", html, re.DOTALL):
        assert (
            len({row.count("<td") + row.count("<th") for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)}) == 1
        )
    assert html.count("<table>") == 8
    assert not set(page) & {"\x00", "\x1b", "\x07", "\u202e", "\u2066", "\ufffe"}
    assert len(page) < 60_000


def test_the_summary_stays_small_however_much_was_measured() -> None:
    """What does not fit is counted, and is in `bench.json`."""
    arms = [failed(f"arm {number}", "no" * 100) for number in range(300)]
    many = [case(arm("a", 0.25), *arms, name=f"case {number}") for number in range(30)]
    page = summary(benchmark(*many, curves=[curve(name=f"curve {number}") for number in range(300)]))

    assert len(page.encode()) < 300_000
    assert "more rows, in `bench.json`" in page
    assert "more, in `bench.json`" in page


def test_the_rest_of_a_long_comparison_is_in_a_file_of_its_own() -> None:
    """In `bench.json` there is none."""
    change, notes = comparison().changes[0], [f"note {number}" for number in range(50)]

    page = summary(benchmark(case(arm("a", 0.25))), comparison(changes=(change,) * 300, notes=notes))

    assert "and 100 more rows, in `comparison.json`" in page
    assert "more, in `comparison.json`" in page
    assert "more, in `bench.json`" not in page
