"""What all reports of a benchmark say: its answer, what is wrong or not known, and what was not promised."""

import pytest
from inline_snapshot import snapshot

from harness.report import bench_digest as digest
from harness.report.bench_document import BenchDocument, Concurrency, PointDocument
from harness.report.bench_markdown import summary
from harness.scenario import SessionMode
from tests.report import bench_documents
from tests.report.bench_documents import TWO, arm, benchmark, case
from tests.report.rendering import render_bench


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
