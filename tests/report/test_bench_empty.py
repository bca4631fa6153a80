"""Benchmarks in which something is empty: every writer says so, and none of them fails.

A document is written after each thing that was measured, so that it may hold a curve whose points were all left out.
"""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.report.bench_document import ArmDocument, BenchDocument, PointDocument
from harness.report.bench_markdown import summary
from harness.report.charts import charts
from tests.report.bench_documents import arm, benchmark, case, cost, curve, failed, pools
from tests.report.rendering import render_bench

SAID: dict[str, Callable[[BenchDocument], str]] = {
    "terminal": lambda document: render_bench(document, width=10_000),
    "narrow terminal": lambda document: render_bench(document, width=60),
    "markdown": summary,
    "charts": lambda document: "".join(map(_words, charts(document).values())),
}
"""What each writer makes of a document."""


def _words(svg: str) -> str:
    assert not {"nan", "inf"} & {value for element in ET.fromstring(svg).iter() for value in element.attrib.values()}
    return "\n".join(ET.fromstring(svg).itertext())


def few(name: str, repetitions: int, **others: Any) -> ArmDocument:
    """An arm with too few repetitions for a number."""
    nothing: dict[str, Any] = dict.fromkeys(("seconds", "ratio", "stretch", "efficiency"))
    parts = {} if repetitions == 0 else {"work": 0.24, "serial": 0.01}
    return arm(name, 0.25, **{"samples": (0.25,) * repetitions, "parts": parts, **nothing, **others})


def stopped(repetitions: int, **others: Any) -> Any:
    """A case that somebody ended after so many repetitions."""
    arms = (few("a", repetitions, pool_size=2), few("b", repetitions, pool_size=1))
    return case(*arms, **{"reached": False, "ended": "interrupted", **others})


NONE = case(arm("a", 0.25)).model_copy(update={"arms": ()})
BROKEN = case(failed("a", "no", pool_size=2), failed("b", "no", pool_size=1), reached=False, ended="failure")
POINT = PointDocument(x=1, case=NONE)

EMPTY: dict[str, tuple[BenchDocument, str]] = {
    "nothing": (benchmark(), ""),
    "a case without arms": (benchmark(NONE), "headline: nothing was measured"),
    "a case whose arms failed": (benchmark(BROKEN), "b failed after 0 repetitions: no"),
    "a curve of no points": (
        benchmark(curves=(curve(points=(), skipped=("1 tools: no room",)),)),
        "not measured: 1 tools: no room",
    ),
    "a curve of nothing": (
        benchmark(curves=(curve(points=(), skipped=()),)),
        "tools_per_turn: nothing was measured",
    ),
    "a curve of points without arms": (
        benchmark(curves=(curve(points=(POINT, POINT), skipped=()),)),
        "tools_per_turn: nothing was measured",
    ),
    "a curve some of whose points have arms": (
        benchmark(curves=(curve(points=(POINT, PointDocument(x=2, case=case(arm("a", 0.25)))), skipped=()),)),
        "tools_per_turn, 1 tools: a was not measured",
    ),
    "a curve whose arms failed": (
        benchmark(curves=(curve(points=(PointDocument(x=1, case=BROKEN),), skipped=()),)),
        "tools_per_turn, 1 tools: b failed after 0 repetitions: no",
    ),
    "pools without arms": (benchmark(pools=(pools(case=NONE, measured=None),)), "headline: nothing was measured"),
    "pools whose arms failed": (
        benchmark(pools=(pools(case=BROKEN, measured=None, saturated=(), timed_out=()),)),
        "b failed after 0 repetitions: no",
    ),
    "a cost without arms": (
        benchmark(costs=(cost(arms=(), missing=("with a container: no engine",)),)),
        "not measured: with a container: no engine",
    ),
    "a cost of nothing": (
        benchmark(costs=(cost(arms=(), missing=(), reference=None),)),
        "recorders: nothing was measured",
    ),
    "a cost of which nothing was compared": (
        benchmark(costs=(cost(reference=None),)),
        "spans failed after 0 repetitions: no exporter",
    ),
    **{
        f"{what}, ended after {repetitions}": (
            document,
            f"b has {repetitions} repetition{'' if repetitions == 1 else 's'}, too few for an interval",
        )
        for repetitions in range(5)
        for what, document in (
            ("a case", benchmark(stopped(repetitions))),
            ("a curve", benchmark(curves=(curve(points=(PointDocument(x=1, case=stopped(repetitions)),)),))),
            ("pools", benchmark(pools=(pools(case=stopped(repetitions), measured=None, timed_out=()),))),
        )
    },
}


@pytest.mark.parametrize("writer", SAID)
@pytest.mark.parametrize("what", EMPTY)
def test_what_is_empty_is_said_by_every_writer(what: str, writer: str) -> None:
    """In words, where a number would have been."""
    document, words = EMPTY[what]

    said = " ".join(SAID[writer](document).split())

    assert words in said
    assert not re.search(r"\bnan\b|\binf\b", said)


@pytest.mark.parametrize("what", EMPTY)
def test_a_page_with_something_empty_does_not_say_that_nothing_is_wrong(what: str) -> None:
    """What was asked for and is not there is not known."""
    assert "Nothing is wrong that was looked for" not in summary(EMPTY[what][0])


WELL = case(arm("a", 0.25), arm("b", 0.5))


def test_nothing_is_wrong_with_a_whole_benchmark_alone() -> None:
    """Not with one that goes on, or broke off, or in which only a reason is known."""
    said = "Nothing is wrong that was looked for"

    assert said in summary(benchmark(WELL))
    assert said in summary(benchmark(costs=(cost(arms=cost().arms[:2], missing=()),)))
    assert said not in summary(benchmark(WELL, finished=False))
    assert said not in summary(benchmark(WELL, interrupted=True))
    assert said not in summary(benchmark(missing=("headline: no room",)))


@pytest.mark.parametrize("writer", SAID)
@pytest.mark.parametrize(
    ("others", "words"),
    [
        (
            {"finished": False},
            "NOT FINISHED: the measurement is going on, or broke off; this is what was known by then",
        ),
        ({"interrupted": True}, "INTERRUPTED: not everything was measured that was asked for"),
        ({"interrupted": True, "finished": False}, "INTERRUPTED: not everything was measured that was asked for"),
    ],
    ids=["unfinished", "interrupted", "both"],
)
@pytest.mark.parametrize("where", ["case", "curve", "pools", "cost"])
def test_that_a_benchmark_did_not_come_to_its_end_is_said_by_every_writer(
    where: str, others: dict[str, Any], words: str, writer: str
) -> None:
    """Whatever was measured by then; also where all of that is whole, for points of a curve that are not there yet."""
    document = {
        "case": benchmark(WELL, **others),
        "curve": benchmark(curves=(curve(points=curve().points[:1], skipped=()),), **others),
        "pools": benchmark(pools=(pools(),), **others),
        "cost": benchmark(costs=(cost(),), **others),
    }[where]

    assert words in " ".join(SAID[writer](document).split())
    assert "NOT FINISHED" not in SAID[writer](document.model_copy(update={"interrupted": False, "finished": True}))


@pytest.mark.parametrize("writer", SAID)
@pytest.mark.parametrize("where", ["case", "curve", "pools", "cost"])
def test_what_failed_when_it_had_a_number_has_its_reason_in_every_writer(where: str, writer: str) -> None:
    """The number is kept, and nobody may take it for one of an arm that did what it was to do."""
    broken = {"ratio": None, "failure": "it broke"}
    of = case(arm("a", 0.25, pool_size=2), arm("b", 0.5, pool_size=1, **broken))
    ways = (cost().arms[0], cost().arms[1].model_copy(update=broken))
    document = {
        "case": benchmark(of),
        "curve": benchmark(curves=(curve(points=(PointDocument(x=1, case=of),)),)),
        "pools": benchmark(pools=(pools(case=of, timed_out=()),)),
        "cost": benchmark(costs=(cost(arms=ways, reference=None),)),
    }[where]
    name, times = ("statements", 6) if where == "cost" else ("b", 10)

    assert f"{name} failed after {times} repetitions: it broke" in " ".join(SAID[writer](document).split())


@pytest.mark.parametrize("writer", SAID)
@pytest.mark.parametrize("where", ["case", "pools"])
def test_where_the_reference_failed_nobody_has_too_few_repetitions(where: str, writer: str) -> None:
    """The reason is its failure, which every writer says; and it is not 1 to itself."""
    of = case(
        arm("a", 0.25, pool_size=2, failure="it broke", ratio=None),
        arm("b", 0.5, pool_size=1, ratio=None),
        reached=False,
        ended="failure",
    )
    document = benchmark(of) if where == "case" else benchmark(pools=(pools(case=of, timed_out=(), saturated=()),))

    said = " ".join(SAID[writer](document).split())

    assert "a failed after 10 repetitions: it broke" in said
    assert "reference failed" in said
    assert "too few" not in said
    assert "1, the reference" not in said
    assert "2 connections: the reference" not in said


INTERRUPTED = case(arm("a", 0.25, pool_size=2), arm("b", 0.5, pool_size=1), reached=False, ended="interrupted")


@pytest.mark.parametrize("writer", SAID)
@pytest.mark.parametrize("ended", ["interrupted", "failure", "something new"])
@pytest.mark.parametrize("where", ["case", "curve", "pools", "cost"])
def test_only_what_reached_a_limit_is_noisy(where: str, ended: str, writer: str) -> None:
    """What somebody ended was not measured to its end, however wide its intervals are."""
    of = INTERRUPTED.model_copy(update={"ended": ended})
    document = {
        "case": benchmark(of),
        "curve": benchmark(curves=(curve(points=(PointDocument(x=1, case=of),)),)),
        "pools": benchmark(pools=(pools(case=of, timed_out=()),)),
        "cost": benchmark(costs=(cost(reached=False, ended=ended),)),
    }[where]
    said = " ".join(SAID[writer](document).split())

    words = {"interrupted": "somebody ended it", "failure": "the reference failed"}.get(ended, ended)
    assert not re.search("noisy", said, re.IGNORECASE)
    if ended != "failure":
        assert f"not measured to its end: {words}" in said


@pytest.mark.parametrize("ended", ["time", "repetitions"])
def test_what_reached_a_limit_is_noisy(ended: str) -> None:
    """Its intervals are wider than was asked for."""
    page = summary(benchmark(INTERRUPTED.model_copy(update={"ended": ended})))

    assert "headline is TOO NOISY" in page
    assert "not measured to its end" not in page
