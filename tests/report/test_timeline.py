"""A turn on one axis: what was recorded is there, once, and where it was."""

from collections import Counter
from dataclasses import replace

import pytest

from harness.evidence import Evidence, PoolEventKind, RaceKind, Record
from harness.report.document import CellDocument
from harness.report.timeline import LaneKind, MarkKind, Timeline, timeline
from harness.report.turn_events import events
from harness.scenario import SessionMode
from harness.verdict import Finding, FindingKind
from tests.report import documents, racing


def drawn(cell: CellDocument, number: int = 0) -> Timeline:
    return timeline(events(cell)[number])


def counted(made: Timeline) -> Counter[MarkKind]:
    return Counter(mark.kind for mark in made.marks)


def test_lanes_are_the_model_tasks_sessions_processes_spans_and_the_loop() -> None:
    """In this order; tools by their names, processes by their numbers."""
    lanes = [(lane.kind, lane.label) for lane in drawn(racing.racing()).lanes]

    assert lanes == [
        (LaneKind.MODEL, "model"),
        (LaneKind.TASK, "turn"),
        (LaneKind.TASK, "search_directory"),
        (LaneKind.TASK, "search_documents"),
        (LaneKind.SESSION, "session 1"),
        (LaneKind.BACKEND, "pid 4001"),
        (LaneKind.SPANS, "spans"),
        (LaneKind.LOOP, "event loop"),
    ]


def test_a_repaired_turn_has_a_session_and_a_process_for_each_tool() -> None:
    """And its statements overlap."""
    made = drawn(racing.repaired())

    labels = [lane.label for lane in made.lanes if lane.kind in {LaneKind.SESSION, LaneKind.BACKEND}]
    assert labels == ["session 1", "session 2", "pid 4001", "pid 4002"]
    first, second = [mark for mark in made.marks if mark.kind is MarkKind.DELAY]
    assert second.start < (first.end or 0)


def test_every_record_is_one_mark() -> None:
    """What lies between two records is of a kind of its own; spans of tools and of requests are not twice there."""
    made = counted(drawn(racing.racing()))

    assert made == {
        MarkKind.REQUEST: 1,
        MarkKind.TOOL: 2,
        MarkKind.DELAY: 2,
        MarkKind.STATEMENT: 2,
        MarkKind.WAIT: 1,
        MarkKind.ARRIVAL: 2,
        MarkKind.ERROR: 1,
        MarkKind.BEGIN: 1,
        MarkKind.FLUSH: 1,
        MarkKind.COMMIT: 1,
        MarkKind.TRANSACTION: 1,
        MarkKind.CONNECT: 1,
        MarkKind.CHECKOUT: 1,
        MarkKind.CHECKIN: 1,
        MarkKind.HELD: 1,
        MarkKind.SPAN: 1,
        MarkKind.STALL: 1,
    }


def test_moments_are_seconds_since_the_turn_began() -> None:
    """A transaction is from its begin to its end, a connection is held from checkout to checkin."""
    marks = {mark.kind: mark for mark in drawn(racing.racing(turns=2), 1).marks}

    assert [marks[MarkKind.TRANSACTION].start, marks[MarkKind.TRANSACTION].end] == pytest.approx([0.013, 0.0698])
    assert [marks[MarkKind.HELD].start, marks[MarkKind.HELD].end] == pytest.approx([0.0128, 0.125])
    assert marks[MarkKind.FLUSH].text == "2 rows"


def test_statements_are_in_the_lanes_of_their_process_and_their_task() -> None:
    """So that it is seen who waited for whom."""
    made = drawn(racing.racing())
    lanes = [lane.label for lane in made.lanes]

    assert [(lanes[mark.lane], lanes[mark.task or 0]) for mark in made.marks if mark.kind is MarkKind.STATEMENT] == [
        ("pid 4001", "search_directory"),
        ("pid 4001", "search_documents"),
    ]


def test_a_finding_connects_the_two_accesses() -> None:
    """At the moment of the second, when the first was in flight. One that names a call is where that raised."""
    made = drawn(racing.racing())
    lanes = [lane.label for lane in made.lanes]
    refused, overlap = made.signs

    assert overlap.first is not None
    assert (lanes[overlap.first.lane], lanes[overlap.second.lane]) == ("search_directory", "search_documents")
    assert [overlap.first.at, overlap.second.at] == pytest.approx([0.02, 0.02])
    assert (overlap.finding, overlap.exact) == (2, True)
    assert (refused.finding, lanes[refused.second.lane], refused.first) == (0, "search_documents", None)
    assert refused.second.at == pytest.approx(0.128)


def test_of_accesses_that_did_not_overlap_the_first_is_its_tasks_last_record_before() -> None:
    """Its own moment was not recorded, which the sign says."""
    seen = racing.evidence()
    race = replace(seen.races.items[0], kind=RaceKind.UNORDERED, at=racing.START + 0.1)
    finding = Finding(
        kind=FindingKind.SESSION_UNORDERED,
        message="nothing orders them",
        check="sessions",
        turn=race.second.turn,
        tool_call_id=race.second.tool_call_id,
        stack=tuple(map(str, race.second.stack)),
    )
    cell = documents.cell(
        "unordered",
        SessionMode.SHARED,
        findings=[finding],
        evidence=replace(seen, races=Record.of("races", [race])),
    )

    (sign,) = drawn(cell).signs

    assert sign.first is not None
    assert sign.first.at == pytest.approx(0.07)
    assert not sign.exact


def test_what_names_no_turn_belongs_to_the_one_that_went_on() -> None:
    """If only one did: of turns at the same time nobody can say."""
    seen = racing.evidence(2)
    nobody = [replace(event, turn=None) for event in seen.pool.items]
    one_by_one = documents.cell("s", SessionMode.SHARED, evidence=replace(seen, pool=Record.of("pool", nobody)))
    turns = [replace(turn, interval=seen.turns[0].interval) for turn in seen.turns]
    together = documents.cell(
        "s", SessionMode.SHARED, evidence=replace(seen, turns=tuple(turns), pool=Record.of("pool", nobody))
    )

    assert [len(each.pool) for each in events(one_by_one)] == [3, 3]
    assert [len(each.pool) for each in events(together)] == [0, 0]


def test_a_turn_of_which_nothing_was_recorded_has_its_own_lane() -> None:
    """Records that are absent are no marks."""
    cell = documents.cell("s", SessionMode.SHARED, evidence=Evidence(turns=racing.evidence().turns))

    made = drawn(cell)

    assert [lane.label for lane in made.lanes] == ["turn"]
    assert (made.marks, made.signs, made.start) == ((), (), 0.0)
    assert made.end == pytest.approx(0.2)


def test_what_does_not_end_with_the_turn_says_so() -> None:
    """A transaction without an end, and a connection that was not given back, last as long as the turn."""
    seen = racing.evidence()
    cell = documents.cell(
        "s",
        SessionMode.SHARED,
        evidence=replace(
            seen,
            operations=Record.of("operations", seen.operations.items[:1]),
            pool=Record.of("pool", seen.pool.items[:2]),
        ),
    )

    unended = {mark.kind: mark.end for mark in drawn(cell).marks if mark.unended}

    assert unended == {MarkKind.TRANSACTION: pytest.approx(0.2), MarkKind.HELD: pytest.approx(0.2)}


def test_what_has_no_time_has_no_mark() -> None:
    """It did not happen when the turn began; and what has no end is unended."""
    seen = racing.evidence()
    nowhere = [replace(each, at=float("nan")) for each in seen.operations.items]
    endless = [
        replace(each, interval=replace(each.interval, end=float("nan")))
        for each in seen.statements.items
        if each.injected
    ]
    cell = documents.cell(
        "s",
        SessionMode.SHARED,
        evidence=replace(
            seen, operations=Record.of("operations", nowhere), statements=Record.of("statements", endless)
        ),
    )

    made = drawn(cell)

    assert not counted(made).keys() & {MarkKind.BEGIN, MarkKind.COMMIT, MarkKind.TRANSACTION}
    delays = [mark for mark in made.marks if mark.kind is MarkKind.DELAY]
    assert [mark.end for mark in delays] == pytest.approx([0.2, 0.2])
    assert all(mark.unended for mark in delays)


def test_a_connection_that_was_given_back_unseen_is_not_held_on() -> None:
    """Its next checkout says so."""
    seen = racing.evidence()
    checkouts = [event for event in seen.pool.items if event.kind is PoolEventKind.CHECKOUT]
    again = [*checkouts, *(replace(event, at=event.at + 0.05) for event in checkouts)]
    cell = documents.cell("s", SessionMode.SHARED, evidence=replace(seen, pool=Record.of("pool", again)))

    held = [mark for mark in drawn(cell).marks if mark.kind is MarkKind.HELD]

    assert [mark.start for mark in held] == pytest.approx([0.0128, 0.0628])
    assert [mark.end for mark in held] == pytest.approx([0.0628, 0.2])
    assert all(mark.unended for mark in held)


def test_a_bleed_has_its_sign_whatever_the_frame_of_its_finding_is() -> None:
    """The finding has the stack of the commit that was replayed."""
    seen = racing.evidence()
    race = replace(seen.races.items[0], kind=RaceKind.BLEED)
    finding = Finding(
        kind=FindingKind.BLEED,
        message="a commit covered it",
        check="sessions",
        turn=race.second.turn,
        tool_call_id=race.second.tool_call_id,
        stack=("app/elsewhere.py:1 in f",),
    )
    cell = documents.cell(
        "s", SessionMode.SHARED, findings=[finding], evidence=replace(seen, races=Record.of("races", [race]))
    )

    (sign,) = drawn(cell).signs

    assert sign.first is not None


def test_a_tool_that_is_called_twice_has_two_lanes() -> None:
    """Told apart by a number."""
    seen = racing.evidence()
    twice = [replace(run, tool="search", task="search") for run in seen.tools.items]
    cell = documents.cell("s", SessionMode.SHARED, evidence=replace(seen, tools=Record.of("tools", twice)))

    assert [lane.label for lane in drawn(cell).lanes if lane.kind is LaneKind.TASK] == ["turn", "search", "search #2"]
