"""The timing check: together by structure, a free event loop, and a speed-up that the interval shows."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks import Timing
from harness.checks.speedup import median_interval, saving_of
from harness.evidence import Evidence, Interval, Record, SpanRecord, Statement, TimingPair, ToolOutcome
from harness.verdict import FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build


def _round(build: "Build", *statements: Statement, **records: object) -> Evidence:
    """A turn whose two tools ran, and were each to take one second in the database."""
    runs = [build.run("a"), build.run("b")]
    return build.evidence(statements=statements, **({"tools": runs} | records))


def test_two_tools_on_two_backends_at_once_pass(build: "Build") -> None:
    """Half of the shorter one's time is enough."""
    evidence = _round(build, build.statement("a"), build.statement("b", 0.5, 1.5, backend_pid=4712))

    assert Timing()(evidence).verdict is Verdict.PASSED


def test_two_tools_on_one_backend_are_serialised_even_if_they_seem_to_overlap(build: "Build") -> None:
    """On a shared connection the second waits for the driver's mutex inside its own interval."""
    evidence = _round(build, build.statement("a"), build.statement("b", 0, 2))

    (finding,) = Timing()(evidence).findings

    assert finding.kind is FindingKind.SERIALISED
    assert finding.where == "turn 't1', round 0"
    assert finding.message == (
        "search_directory and search_documents ran on one connection (backend 4711), "
        "where only one statement runs at a time"
    )


def test_many_tools_on_one_connection_are_one_sentence(build: "Build") -> None:
    """Not one for each two of them; a tool that is called twice is told apart by its calls."""
    calls = (*build.two_calls, build.call("c", "leave_message"), build.call("d", "leave_message"))
    evidence = build.evidence(
        build.turn(planned=calls),
        statements=[build.statement(call.tool_call_id) for call in calls],
        tools=[build.run(call.tool_call_id) for call in calls],
    )

    (finding,) = Timing()(evidence).findings

    assert finding.message == (
        "search_directory, search_documents, leave_message (c) and leave_message (d) ran on one connection "
        "(backend 4711), where only one statement runs at a time"
    )


def test_two_tools_one_after_the_other_are_serialised(build: "Build") -> None:
    """Other backends do not help if the times do not meet for long enough."""
    evidence = _round(build, build.statement("a"), build.statement("b", 0.95, 1.95, backend_pid=4712))

    (finding,) = Timing()(evidence).findings

    assert finding.message == (
        "search_directory and search_documents were in the database together for 0.050 s, "
        "where 0.100 s were due (backends 4711 and 4712)"
    )


def test_a_backend_that_serves_one_tool_after_the_other_is_no_sharing(build: "Build") -> None:
    """A returned connection may go to another tool; what counts is the time together."""
    evidence = _round(
        build,
        build.statement("a", 0, 1),
        build.statement("b", 0, 1, backend_pid=4712),
        build.statement("b", 1.1, 1.2),
    )

    assert Timing()(evidence).verdict is Verdict.PASSED


def test_a_sequential_turn_is_not_asked(build: "Build") -> None:
    """Its tools were told to run one by one."""
    evidence = _round(build, build.statement("a"), build.statement("b", 2, 3))
    evidence = replace(evidence, turns=(replace(evidence.turns[0], parallel=False),))

    assert Timing()(evidence).verdict is Verdict.PASSED


def test_rounds_one_after_the_other_are_not_compared(build: "Build") -> None:
    """Only tools that are called together must run together."""
    calls = (build.call("a"), build.call("b", round=1))
    evidence = _round(build, build.statement("a"), build.statement("b", 2, 3))
    evidence = replace(evidence, turns=(replace(evidence.turns[0], planned=calls),))

    assert Timing()(evidence).verdict is Verdict.PASSED


def test_a_tool_that_raised_before_the_database_is_noted(build: "Build") -> None:
    """The errors check has it; whether the tools ran together cannot be seen."""
    runs = [build.run("a"), build.run("b", outcome=ToolOutcome.RAISED)]
    failed = build.statement("b", 0.1, 0.2, failed=True)

    for statements in ([build.statement("a")], [build.statement("a"), failed]):
        result = Timing()(_round(build, *statements, tools=runs))

        assert result.verdict is Verdict.PASSED
        assert result.notes[0] == "turn 't1', round 0: 1 of 2 tools ran a statement"


def test_a_tool_that_returned_without_a_statement_leaves_it_open(build: "Build") -> None:
    """It was planned to take time in the database, and nobody saw it there."""
    result = Timing()(_round(build, build.statement("a")))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == "turn 't1', round 0: search_documents returned without a statement"


def test_a_tool_that_did_not_run_leaves_it_open_unless_its_turn_failed(build: "Build") -> None:
    """A turn that ends early explains it."""
    evidence = _round(build, build.statement("a"), tools=[build.run("a")])
    failed = replace(evidence, turns=(build.turn(answer=None, error="broken"),))

    assert Timing()(evidence).reason == "turn 't1', round 0: search_documents did not run"
    assert Timing()(evidence).verdict is Verdict.UNKNOWN
    assert Timing()(failed).verdict is Verdict.PASSED


def test_an_unknown_backend_leaves_it_open(build: "Build") -> None:
    """Without the server's process nobody knows whether a connection was shared."""
    result = Timing()(_round(build, build.statement("a"), build.statement("b", backend_pid=None)))

    assert result.verdict is Verdict.UNKNOWN
    assert "server process" in result.reason


def test_a_tool_that_waits_in_vain_at_the_barrier_shows_serialisation(build: "Build") -> None:
    """The other tool cannot come while the first holds the lock; arriving together is silent."""
    calls = (build.call("a", database_seconds=0), build.call("b", database_seconds=0))
    together = build.evidence(
        build.turn(planned=calls),
        tools=[build.run("a"), build.run("b")],
        arrivals=[build.arrival("a"), build.arrival("b")],
    )
    alone = replace(
        together,
        arrivals=replace(together.arrivals, entries=(build.arrival("a", "timeout"), build.arrival("b"))),
    )

    (finding,) = Timing()(alone).findings

    assert Timing()(together).verdict is Verdict.PASSED
    assert finding.message == (
        "search_directory waited in vain for the other tools of the round before the first statement"
    )


def test_a_tool_that_raised_before_the_barrier_excuses_the_wait(build: "Build") -> None:
    """The errors check has the reason."""
    calls = (build.call("a", database_seconds=0), build.call("b", database_seconds=0))
    evidence = build.evidence(
        build.turn(planned=calls),
        tools=[build.run("a"), build.run("b", outcome=ToolOutcome.RAISED)],
        arrivals=[build.arrival("a", "timeout")],
    )

    assert Timing()(evidence).verdict is Verdict.PASSED


def test_a_chosen_tool_that_came_too_late_is_noted_if_it_did_something_else(build: "Build") -> None:
    """A lock that both tools need looks the same, but for what the late one did meanwhile: that leaves it open."""
    early, late = build.arrival("a", "timeout"), replace(build.arrival("b", "timeout"), at=6.5)
    evidence = build.evidence(
        build.turn(chosen=True),
        statements=[build.statement("a", 5.5, 6.4), build.statement("b", 6.6, 7.6, backend_pid=4712)],
        tools=[build.run("a"), build.run("b")],
        arrivals=[early, late],
    )
    span = SpanRecord(
        name="POST",
        interval=Interval(start=1.0, end=6.0),
        trace_id="1",
        span_id="1",
        parent_id=None,
        error=False,
        attributes={},
        turn="t1",
        tool_call_id="b",
    )

    locked = Timing()(evidence)
    busy = Timing()(replace(evidence, spans=Record.of("spans", [span])))
    other = Timing()(replace(evidence, spans=Record.of("spans", [replace(span, tool_call_id="a")])))

    assert (locked.verdict, other.verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert "came too late to be compared" in locked.reason
    assert (busy.verdict, busy.findings) == (Verdict.PASSED, ())
    assert any("came too late to be compared" in note for note in busy.notes)


def test_a_frame_that_holds_the_loop_is_a_finding(build: "Build") -> None:
    """With its stack, and the turn that it fell into."""
    (finding,) = Timing()(build.evidence(build.turn(planned=()), stalls=[build.stall()])).findings

    assert finding.kind is FindingKind.LOOP_BLOCKED
    assert finding.turn == "t1"
    assert finding.stack == ("tools.py:3 in crunch",)
    assert finding.message == (
        "the event loop ran nothing else for 1.000 s: in 90% of 100 samples it was at tools.py:3 in crunch"
    )


@pytest.mark.parametrize(
    "harmless",
    [{"share": 0.79}, {"samples": 9}, {"end": 1.09}, {"start": 10.0, "end": 11.0}],
    ids=["many frames", "few samples", "short", "after the turn"],
)
def test_a_stall_that_proves_nothing_is_silent(build: "Build", harmless: dict[str, float]) -> None:
    """A garbage collection, a slow machine, or something outside the turn."""
    stall = build.stall(**harmless)

    assert Timing()(build.evidence(build.turn(planned=()), stalls=[stall])).verdict is Verdict.PASSED


def _pairs(*speedups: float) -> list[TimingPair]:
    return [TimingPair(parallel=1.0, sequential=speedup) for speedup in speedups]


def _slow(build: "Build", *speedups: float) -> Evidence:
    """Sequential turns of exactly two seconds, the time of their two tools."""
    evidence = _timed(build)
    pairs = tuple(TimingPair(parallel=2.0 / speedup, sequential=2.0) for speedup in speedups)
    return replace(evidence, pairs=replace(evidence.pairs, entries=pairs))


def _timed(build: "Build", *speedups: float) -> Evidence:
    return _round(
        build,
        build.statement("a"),
        build.statement("b", backend_pid=4712),
        pairs=_pairs(*speedups),
    )


def test_pairs_that_show_the_speedup_pass_with_their_figures(build: "Build") -> None:
    """Of 1.95 s two equal tools can save one; half of that is demanded."""
    result = Timing()(_timed(build, 1.9, 2.0, 1.8, 2.1, 1.95))

    assert result.verdict is Verdict.PASSED
    assert result.notes == (
        "median speed-up of 5 pairs: 1.95 [1.80, 2.10], coverage 93.8%; possible 2.05, required 1.34",
    )


def test_pairs_without_a_speedup_are_a_finding(build: "Build") -> None:
    """The whole interval lies below what is required."""
    (finding,) = Timing()(_slow(build, 1.0, 1.1, 0.9, 1.02, 1.33)).findings

    assert finding.kind is FindingKind.NO_SPEEDUP


def test_pairs_on_both_sides_decide_nothing(build: "Build") -> None:
    """One of them on the other side is enough to be unsure."""
    for speedups in [(1.0, 1.1, 0.9, 1.02, 1.34), (1.9, 2.0, 1.8, 2.1, 1.33)]:
        result = Timing()(_slow(build, *speedups))

        assert result.verdict is Verdict.UNKNOWN
        assert "on both sides" in result.reason


def test_too_few_pairs_decide_nothing(build: "Build") -> None:
    """Four pairs enclose the median with 87.5 % only, however clear they look."""
    for speedup in (1.0, 2.0):
        result = Timing()(_slow(build, *[speedup] * 4))

        assert result.verdict is Verdict.UNKNOWN
        assert "too few" in result.reason


def test_a_plan_with_nothing_to_save_decides_nothing(build: "Build") -> None:
    """Asking for pairs of a plan with one tool is a mistake that must not look like a result."""
    turn = build.turn(planned=(build.call("a"),))

    result = Timing()(build.evidence(turn, pairs=_pairs(1, 1, 1, 1, 1)))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason.endswith("the plan can save 0.000 s of 1.000 s, which gives no measure")


def test_what_both_halves_spend_elsewhere_does_not_hide_the_speedup(build: "Build") -> None:
    """Ten seconds of model time, and two tools of one second: 12 against 11 is all that there is to save."""
    saved = [TimingPair(parallel=11.0, sequential=12.0)] * 5
    lost = [TimingPair(parallel=11.9, sequential=12.0)] * 5
    evidence = _timed(build)

    def check(pairs: list[TimingPair], required: float | None = None) -> Verdict:
        timed = replace(evidence, pairs=replace(evidence.pairs, entries=tuple(pairs)))
        return Timing(required_speedup=required)(timed).verdict

    assert check(saved) is Verdict.PASSED
    assert check(lost) is Verdict.FAILED
    assert check(saved, required=1.5) is Verdict.FAILED


def test_without_pairs_nothing_is_said_of_times(build: "Build") -> None:
    """An empty record of pairs means that nobody asked for any."""
    result = Timing()(_timed(build))

    assert result.verdict is Verdict.PASSED
    assert result.notes == ("no pairs of parallel and sequential turns: nothing is said of their times",)


def test_the_saving_counts_the_rounds_and_not_the_tools(build: "Build") -> None:
    """2 + 1 beside each other take 2, and 1 after them takes 1: four seconds in three."""
    calls = (
        build.call("a", database_seconds=2),
        build.call("b", database_seconds=1),
        build.call("c", round=1, database_seconds=1),
    )

    saving = saving_of([build.turn(planned=calls), build.turn(planned=calls)])

    assert (saving.one_by_one, saving.together, saving.seconds) == (4, 3, 1)


def test_the_saving_is_that_of_the_turns_that_are_compared(build: "Build") -> None:
    """The sequential turns are those of the pairs; other messages of the scenario have other plans."""
    other = build.turn(planned=())
    compared = build.turn("t2", parallel=False)

    assert saving_of([other, compared]).seconds == 1


def test_the_interval_narrows_as_far_as_the_confidence_allows() -> None:
    """For ten values, the second from either end cover the median with 97.9 %, the third with 89.1 %."""
    wide = median_interval(range(1, 11), confidence=0.95)
    narrow = median_interval(range(1, 11), confidence=0.89)

    assert (wide.low, wide.high, wide.coverage) == (2, 9, 1 - 22 / 1024)
    assert (narrow.low, narrow.high, narrow.coverage) == (3, 8, 1 - 112 / 1024)
    assert median_interval([1.0], confidence=0.5).coverage == 0


@given(st.lists(st.floats(min_value=0.1, max_value=10), min_size=1, max_size=40))
def test_the_interval_encloses_the_samples_median(sample: list[float]) -> None:
    """For any sample, in any order."""
    interval = median_interval(sample, confidence=0.9)

    assert min(sample) <= interval.low <= interval.median <= interval.high <= max(sample)
    assert interval == median_interval(sample[::-1], confidence=0.9)
