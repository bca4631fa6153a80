"""The sessions check: races, bleed and lost writes on a shared session, and silence on everything legal."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import Sessions
from harness.evidence import RaceKind, Record, SessionOperation, SessionRace, ToolOutcome
from harness.verdict import CheckResult, FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

Step = tuple[str, str | None, float] | tuple[str, str | None, float, int]


def _operations(build: "Build", steps: list[Step]) -> list[SessionOperation]:
    return [build.operation(kind, tool, at, session=session[0] if session else 1) for kind, tool, at, *session in steps]


def _check(build: "Build", steps: list[Step], **outcomes: ToolOutcome) -> CheckResult:
    """Tool `a` runs from 0 to 5, tool `b` from 2 to 8."""
    runs = [
        build.run("a", 0, 5, outcome=outcomes.get("a", ToolOutcome.RETURNED)),
        build.run("b", 2, 8, outcome=outcomes.get("b", ToolOutcome.RETURNED)),
    ]
    return Sessions()(build.evidence(tools=runs, operations=_operations(build, steps)))


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_ending_a_transaction_with_rows_of_a_running_tool_is_bleed(build: "Build", end: str) -> None:
    """Both tools and the operation are named; the flush of `a` is repeated, so that nothing else is wrong."""
    result = _check(build, [("flush", "a", 1), (end, "b", 3), ("flush", "a", 4), ("commit", "a", 4.5)])

    (finding,) = result.findings
    assert finding.kind is FindingKind.BLEED
    assert finding.message == (
        f"search_documents called {end} on session 1, which covered 1 row that search_directory had flushed "
        "and not yet committed, while search_directory was still running"
    )
    assert finding.tool_call_id == "b"


def test_a_rollback_of_rows_of_a_tool_that_returned_is_a_lost_write(build: "Build") -> None:
    """The tool said that it had written, and another took it back."""
    result = _check(build, [("flush", "a", 1), ("rollback", "b", 6)])

    (finding,) = result.findings
    assert finding.kind is FindingKind.LOST_WRITE
    assert finding.message == (
        "search_directory returned normally, but 1 row that it had flushed on session 1 never became "
        "durable: the session was rolled back by search_documents"
    )


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_a_rollback_by_nobody_loses_the_write_too(build: "Build", end: str) -> None:
    """For example when the turn's own code closes the session without a commit."""
    result = _check(build, [("flush", "a", 1), (end, None, 9)])

    assert [finding.kind for finding in result.findings] == [FindingKind.LOST_WRITE]


def test_a_tool_that_closes_its_own_session_without_a_commit_loses_its_write(build: "Build") -> None:
    """The usual mistake of a repair: the commit was the shared session's."""
    result = _check(build, [("flush", "a", 1), ("close", "a", 2)])

    (finding,) = result.findings
    assert finding.message.endswith("the session was closed without a commit by itself")


SILENT: dict[str, list[Step]] = {
    "sessions of their own": [
        ("flush", "a", 1, 1),
        ("flush", "b", 2.5, 2),
        ("commit", "b", 3, 2),
        ("commit", "a", 4, 1),
        ("close", "a", 4.1, 1),
    ],
    "one after the other": [("flush", "a", 1), ("commit", "a", 4), ("flush", "b", 6), ("commit", "b", 7)],
    "the turn commits what is finished": [("flush", "a", 1), ("commit", None, 9)],
    "the turn's own code commits meanwhile": [("flush", "a", 1), ("commit", None, 3), ("close", None, 9)],
    "another commits what is finished": [("flush", "a", 1), ("commit", "b", 6)],
    "its own rollback": [("flush", "a", 1), ("rollback", "a", 2)],
    "nothing was written": [("begin", "a", 1), ("commit", "b", 3), ("rollback", "b", 4), ("close", None, 9)],
    "written again after the rollback": [
        ("flush", "a", 1),
        ("rollback", None, 3),
        ("flush", "a", 4),
        ("commit", None, 9),
    ],
    "recorded out of order": [("commit", "a", 2), ("rollback", "b", 3), ("flush", "a", 1)],
}


@pytest.mark.parametrize("steps", SILENT.values(), ids=SILENT)
def test_legal_use_is_silent(build: "Build", steps: list[Step]) -> None:
    """Own sessions, sequential tools, own failures, and what the turn commits for its tools."""
    assert _check(build, steps).verdict is Verdict.PASSED


def test_a_tool_that_raised_did_not_report_success(build: "Build") -> None:
    """Its rows may go; the errors check has its error."""
    result = _check(build, [("flush", "a", 1), ("rollback", "b", 6)], a=ToolOutcome.RAISED)

    assert result.verdict is Verdict.PASSED


def test_an_empty_flush_writes_nothing(build: "Build") -> None:
    """A flush of no rows can neither bleed nor get lost."""
    operations = [build.operation("flush", "a", 1, rows=0), build.operation("rollback", "b", 3)]

    result = Sessions()(build.evidence(tools=[build.run("a"), build.run("b")], operations=operations))

    assert result.verdict is Verdict.PASSED


def test_another_turn_that_ends_the_transaction_is_bleed(build: "Build") -> None:
    """A session that is shared between turns, outside any tool."""
    operations = [build.operation("flush", "a", 1), build.operation("commit", None, 3, turn="t2")]

    result = Sessions()(build.evidence(tools=[build.run("a")], operations=operations))

    assert [finding.kind for finding in result.findings] == [FindingKind.BLEED]


def test_without_the_writers_run_it_is_unknown(build: "Build") -> None:
    """Nobody knows whether the tool was still running."""
    operations = [build.operation("flush", "a", 1), build.operation("commit", "b", 3)]

    result = Sessions()(build.evidence(operations=operations))

    assert result.verdict is Verdict.UNKNOWN
    assert "no record of its run" in result.reason


INSERT = "INSERT INTO messages (text) VALUES ($1)"


def _through_core(build: "Build", role: str, sql: str = INSERT, **fields: Any) -> CheckResult:
    """Tool `a` runs one statement and returns; nothing is flushed unless operations are given."""
    turn = build.turn(planned=(build.call("a", role=role),))
    records: dict[str, Any] = {"statements": [build.statement("a", sql=sql)], "tools": [build.run("a")]} | fields
    return Sessions()(build.evidence(turn, **records))


@pytest.mark.parametrize("role", ["flush", "commit"])
def test_a_write_through_core_is_not_followed(build: "Build", role: str) -> None:
    """Nothing was looked at, so that nothing has passed."""
    result = _through_core(build, role)

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == "writes through Core are not followed, and search_directory did so"


def test_what_is_no_write_through_core_leaves_no_doubt(build: "Build") -> None:
    """A read, another role, a flush of its own, a statement that failed, a tool that raised."""
    flush = [build.operation("flush", "a", 1), build.operation("commit", "a", 2)]
    results = [
        _through_core(build, "commit", "SELECT 1"),
        _through_core(build, "read"),
        _through_core(build, "commit", operations=flush),
        _through_core(build, "commit", statements=[build.statement("a", sql=INSERT, failed=True)]),
        _through_core(build, "commit", tools=[build.run("a", outcome=ToolOutcome.RAISED)]),
    ]

    assert {result.verdict for result in results} == {Verdict.PASSED}


def test_without_statements_a_writer_without_a_flush_is_unknown(build: "Build") -> None:
    """And one that flushed is not."""
    turn = build.turn(planned=(build.call("a", role="commit"),))
    evidence = build.without(build.evidence(turn, tools=[build.run("a")]), "statements")
    flushed = replace(evidence, operations=Record.of("operations", [build.operation("flush", "a", 1)]))

    assert Sessions()(evidence).reason == "recorder 'statements': the disk was full"
    assert Sessions()(flushed).verdict is Verdict.PASSED


B_AT = "Session.execute of search_documents (call 'b') at app/service.py:2 in work"
A_AT = "Session.execute of search_directory (call 'a') at app/service.py:1 in work"
RACES = {
    "overlap": (FindingKind.SESSION_OVERLAP, f"on Session 3, {B_AT} began while {A_AT} was in flight"),
    "unordered": (
        FindingKind.SESSION_UNORDERED,
        f"on Session 3, nothing orders {A_AT} and {B_AT}: they did not overlap in this run, and can in another",
    ),
    "bleed": (
        FindingKind.BLEED,
        f"on Session 3, {B_AT} ended a transaction with unfinished writes of a task that is still at work: {A_AT}",
    ),
    "foreign_thread": (
        FindingKind.SESSION_FOREIGN_THREAD,
        f"on Session 3, {B_AT} ran in a thread that does not run its event loop, to which it belongs since {A_AT}",
    ),
    "foreign_loop": (
        FindingKind.SESSION_FOREIGN_LOOP,
        f"on Session 3, {B_AT} ran in another event loop than the one to which it belongs since {A_AT}",
    ),
}


@pytest.mark.parametrize("kind", RaceKind)
def test_every_race_is_a_finding_of_its_kind(build: "Build", kind: RaceKind) -> None:
    """With both tools, both places and the session; it belongs to the second, and shows that one's stack."""
    result = Sessions()(build.evidence(races=[build.race(kind)]))

    (finding,) = result.findings
    assert (finding.kind, finding.message) == RACES[kind]
    assert (finding.turn, finding.tool_call_id) == ("t1", "b")
    assert finding.where == "turn 't1', tool 'search_documents' (call 'b')"
    assert finding.stack == ("app/tools.py:9 in tool", "app/service.py:2 in work")


def test_a_race_says_how_often_and_between_which_turns(build: "Build") -> None:
    """Turns are named where they differ; who is no tool is named by the task, and a tool nobody planned by itself."""
    first = build.access(None, 1, turn="t0", task="janitor")
    second = build.access("z", 2, tool="improvise")

    result = Sessions()(build.evidence(races=[build.race("overlap", first, second, count=4)]))

    (finding,) = result.findings
    assert finding.message == (
        "on Session 3, Session.execute of improvise (call 'z') in turn 't1' at app/service.py:2 in work began while "
        "Session.execute of task 'janitor' in turn 't0' at app/service.py:1 in work was in flight (4 times)"
    )


def test_a_race_outside_of_any_turn_is_a_finding(build: "Build") -> None:
    """For example while the application starts; a place that nobody knows is called so."""
    access = build.access(None, 1, turn=None, stack=())

    result = Sessions()(build.evidence(races=[build.race("unordered", access, access)]))

    (finding,) = result.findings
    assert finding.where == "outside any turn"
    assert "Session.execute of task 'turn' at an unknown place" in finding.message
    assert finding.stack == ()


def _bleeding(build: "Build", *races: SessionRace) -> CheckResult:
    """Tool `b` commits while `a`, which has flushed a row, still runs; and what the sanitizer says."""
    operations = [build.operation("flush", "a", 1), build.operation("commit", "b", 3)]
    runs = [build.run("a", 0, 5), build.run("b", 2, 8)]
    return Sessions()(build.evidence(tools=runs, operations=operations, races=races))


def test_a_bleed_that_both_witnesses_saw_is_told_once(build: "Build") -> None:
    """With the replay's count of rows, and the sanitizer's places."""
    first, second = build.access("a", 1, operation="Session.flush"), build.access("b", 2, operation="Session.commit")

    result = _bleeding(build, build.race("bleed", first, second))

    (finding,) = result.findings
    assert finding.kind is FindingKind.BLEED
    assert finding.message == (
        "search_documents called commit on session 1, which covered 1 row that search_directory had flushed and not "
        "yet committed, while search_directory was still running; Session.flush of task 'a' at app/service.py:1 in "
        "work, and then Session.commit of task 'b' at app/service.py:2 in work"
    )


@pytest.mark.parametrize("other", ["the pair the other way round", "another turn", "another kind"])
def test_what_only_one_witness_saw_is_told_beside_it(build: "Build", other: str) -> None:
    """Only the same two tools of the same turns are one bleed."""
    race = {
        "the pair the other way round": build.race("bleed", build.access("b", 1), build.access("a", 2)),
        "another turn": build.race("bleed", build.access("a", 1, turn="t2"), build.access("b", 2, turn="t2")),
        "another kind": build.race("unordered"),
    }[other]

    kinds = [finding.kind for finding in _bleeding(build, race).findings]

    assert kinds == [FindingKind.BLEED, RACES[race.kind][0]]


def test_without_the_sanitizer_it_is_unknown(build: "Build") -> None:
    """Two tools that only read would be seen by nobody else; what the replay finds is found all the same."""
    unwatched = build.without(build.evidence(tools=[build.run("a")]), "races")
    operations = [build.operation("flush", "a", 1), build.operation("rollback", None, 9)]
    lost = replace(unwatched, operations=Record.of("operations", operations))

    assert Sessions()(unwatched).verdict is Verdict.UNKNOWN
    assert Sessions()(unwatched).reason == "recorder 'races': the disk was full"
    assert [finding.kind for finding in Sessions()(lost).findings] == [FindingKind.LOST_WRITE]


@pytest.mark.parametrize("record", ["operations", "tools"])
def test_without_the_replay_it_is_unknown(build: "Build", record: str) -> None:
    """And a race is found all the same."""
    quiet = build.without(build.evidence(), record)
    racy = replace(quiet, races=Record.of("races", [build.race("overlap")]))

    assert Sessions()(quiet).verdict is Verdict.UNKNOWN
    assert Sessions()(quiet).reason == f"recorder '{record}': the disk was full"
    assert [finding.kind for finding in Sessions()(racy).findings] == [FindingKind.SESSION_OVERLAP]
