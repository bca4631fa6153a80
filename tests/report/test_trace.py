"""Turns in the trace-event format."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from harness.evidence import Evidence, Interval, ModelRequestSeen, Record
from harness.report.document import CellDocument, RunDocument
from harness.report.redact import redact
from harness.report.selection import select_turn
from harness.report.trace import TraceWriter
from harness.report.trace_lanes import Lanes, Slice
from harness.scenario import SessionMode
from tests.report import documents, two_tools

law = settings(derandomize=True, deadline=None, max_examples=200)

Event = Mapping[str, Any]


def events(document: RunDocument) -> list[Event]:
    """The trace's events."""
    made: list[Event] = json.loads(TraceWriter().write(document))["traceEvents"]
    return made


def threads(made: Sequence[Event]) -> dict[tuple[int, int], str]:
    """The name of each thread, after its process."""
    processes = {each["pid"]: each["args"]["name"] for each in made if each["name"] == "process_name"}
    return {
        (each["pid"], each["tid"]): f"{processes[each['pid']]} / {each['args']['name']}"
        for each in made
        if each["name"] == "thread_name"
    }


CORPUS = {
    "as_expected": documents.as_expected(),
    "troubled": documents.troubled(),
    "hostile": redact(documents.hostile()),
    "empty": documents.empty(),
    "two_tools": two_tools.run(two_tools.shared(), two_tools.own_sessions()),
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_written_is_a_trace(name: str) -> None:
    """ASCII JSON; every event has what its phase needs, a thread that is named, and is not before the first."""
    text = TraceWriter().write(CORPUS[name])
    made = events(CORPUS[name])
    named = threads(made)

    assert text.isascii()
    assert "NaN" not in text
    for event in made:
        assert event["ph"] in {"M", "X", "i", "s", "f"}
        if event["ph"] != "M":
            assert (event["pid"], event["tid"]) in named
            assert event["ts"] >= 0
            assert event["name"]
        if event["ph"] == "X":
            assert event["dur"] >= 0
        if event["ph"] == "i":
            assert event["s"] == "t"
    assert len({(event["pid"], event["tid"]) for event in made if event["name"] == "thread_name"}) == len(named)


@pytest.mark.parametrize("name", CORPUS)
def test_slices_of_a_thread_nest(name: str) -> None:
    """Viewers draw nothing else."""
    lanes: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for event in events(CORPUS[name]):
        if event["ph"] == "X":
            lanes[event["pid"], event["tid"]].append((event["ts"], round(event["ts"] + event["dur"], 3)))

    for slices in lanes.values():
        assert all(apart_or_nested(one, other) for one, other in combinations(sorted(slices), 2))


def apart_or_nested(one: tuple[float, float], other: tuple[float, float]) -> bool:
    (start, end), (begin, stop) = one, other
    return end <= begin or stop <= start or (start <= begin and stop <= end) or (begin <= start and end <= stop)


@law
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12))))
def test_lanes_nest_whatever_is_laid(times: list[tuple[int, int]]) -> None:
    """And nothing is lost."""
    lanes = Lanes()
    pieces = [Slice(name=str(number), start=start, end=start + long) for number, (start, long) in enumerate(times)]
    for piece in pieces:
        lanes.add("lane", piece)
    lanes.lay()

    laid = [(number, piece) for number, _, found in lanes for piece in found]
    assert sorted(int(piece.name) for _, piece in laid) == list(range(len(pieces)))
    assert all(lanes.number_of(piece) == number for number, piece in laid)
    for _, _, found in lanes:
        spans = [(piece.start, piece.end) for piece in found]
        assert all(apart_or_nested(one, other) for one, other in combinations(spans, 2))


def test_a_turn_is_seen_from_all_sides() -> None:
    """Tasks by their tools, sessions, the server's processes, and the model's requests; all after the cell."""
    made = events(two_tools.run(two_tools.shared()))

    assert sorted(threads(made).values()) == snapshot(
        [
            "two_parallel_tools/shared-warm-scripted: backend processes / connection 1, backend 4001",
            "two_parallel_tools/shared-warm-scripted: model requests / model",
            "two_parallel_tools/shared-warm-scripted: sessions / session 1",
            "two_parallel_tools/shared-warm-scripted: tasks / tool search_directory",
            "two_parallel_tools/shared-warm-scripted: tasks / tool search_documents",
            "two_parallel_tools/shared-warm-scripted: tasks / turn",
        ]
    )


def told(made: Sequence[Event], phase: str, thread: str) -> list[tuple[str, float, float]]:
    """The events of a phase on a thread: name, start and length in microseconds."""
    named = threads(made)
    return [
        (event["name"], event["ts"], event.get("dur", 0.0))
        for event in made
        if event["ph"] == phase and named[event["pid"], event["tid"]].endswith(f"/ {thread}")
    ]


def test_times_are_microseconds_since_the_first_event() -> None:
    """Of the cell, so that another cell lies below it on the same axis."""
    made = events(two_tools.run(two_tools.shared(start=10.0), two_tools.own_sessions(start=2000.0)))

    assert [each[1] for each in told(made, "X", "turn")] == [0.0, 0.0]
    assert told(made, "X", "connection 1, backend 4001")[:3] == [
        ("checked out", 14000.0, 66000.0),
        ("SELECT 1 FROM directory", 20000.0, 15000.0),
        ("INSERT INTO notes VALUES ($1)", 40000.0, 15000.0),
    ]
    assert told(made, "X", "tool search_documents")[1] == ("wait for a connection", 12000.0, 2000.0)
    assert told(made, "X", "session 1")[0] == ("transaction: commit", 15000.0, 55000.0)
    assert ("commit", 70000.0, 0.0) in told(made, "i", "session 1")


def test_an_arrow_leads_from_one_access_to_the_other() -> None:
    """From the statement that was in flight; each end stands in a slice of the access, with its stack."""
    made = events(two_tools.run(two_tools.shared()))
    named = threads(made)

    start, finish = (next(event for event in made if event["ph"] == phase) for phase in "sf")

    assert (start["id"], start["name"], start["cat"]) == (finish["id"], "session_overlap", "race")
    assert finish["bp"] == "e"
    assert (start["ts"], finish["ts"]) == (20000.0, 30000.0)
    for event, tool in ((start, "search_directory"), (finish, "search_documents")):
        assert named[event["pid"], event["tid"]].endswith(f"/ tool {tool}")
        (access,) = (
            each
            for each in made
            if each["ph"] == "X" and each["name"] == "Session.execute" and each["tid"] == event["tid"]
        )
        assert access["ts"] <= event["ts"] < access["ts"] + access["dur"]
        assert access["args"]["made"][-1] == f"{two_tools.DIRECTORY}/app/database.py:23 in Database.session"


def test_a_finding_is_a_mark_where_it_happened() -> None:
    """A race when the second access began; what has no time, when its turn was over."""
    made = events(two_tools.run(two_tools.shared()))
    lost = events(documents.document(documents.troubled_cells("single_tool", SessionMode.SHARED)[:1]))

    assert told(made, "i", "tool search_documents") == [("session_overlap", 30000.0, 0.0)]
    assert told(lost, "i", "turn") == [("missing_row", 500000.0, 0.0)]


def test_tools_of_one_name_have_a_thread_each() -> None:
    """Where they run at once."""
    seen = two_tools.evidence()
    runs = [replace(run, tool="search") for run in seen.tools.items]
    cell = documents.cell("single_tool", SessionMode.SHARED, evidence=replace(seen, tools=Record.of("tools", runs)))

    made = events(two_tools.run(cell))

    assert told(made, "X", "tool search")[0] == ("search", 10000.0, 80000.0)
    assert told(made, "X", "tool search #2")[0] == ("search", 10000.0, 80000.0)


def test_one_turn_has_its_own_events_only() -> None:
    """The others of the cell are not in the trace."""
    first, second = two_tools.evidence(), two_tools.evidence(turn="second", start=11.0)
    both = replace(
        first,
        turns=first.turns + second.turns,
        tools=Record.of("tools", first.tools.items + second.tools.items),
        statements=Record.of("statements", first.statements.items + second.statements.items),
    )
    document = two_tools.run(documents.cell("single_tool", SessionMode.SHARED, evidence=both))

    whole, part = (len(told(events(each), "X", "turn")) for each in (document, select_turn(document, "2")))
    assert (whole, part) == (2, 1)
    assert len(told(events(select_turn(document, "second")), "X", "tool search_directory")) == 2


def test_the_same_document_gives_the_same_text() -> None:
    """Also after it was written and read again."""
    document = two_tools.run(two_tools.shared(), two_tools.own_sessions())
    again = RunDocument.model_validate_json(document.model_dump_json())

    assert TraceWriter().write(again) == TraceWriter().write(document)


def other(document: RunDocument) -> dict[str, Any]:
    """What the trace says beside its events."""
    said: dict[str, Any] = json.loads(TraceWriter().write(document))["otherData"]
    return said


def bare(seen: Evidence) -> CellDocument:
    return documents.cell("single_tool", SessionMode.SHARED, evidence=seen)


NAME = "single_tool/shared-warm-scripted"


@pytest.mark.parametrize(
    ("record", "processes"),
    [
        ("tools", ["tasks"]),
        ("statements", ["backend processes", "tasks"]),
        ("operations", ["sessions"]),
        ("pool", ["backend processes"]),
        ("requests", ["model requests"]),
        ("stalls", ["event loop"]),
        ("races", ["tasks"]),
    ],
)
def test_a_record_that_is_missing_is_no_empty_lane(record: str, processes: list[str]) -> None:
    """It is an instant where its records would be, with the reason, and stands beside the events."""
    seen = replace(two_tools.evidence(), **{record: Record.absent(record, "it broke")})  # type: ignore[arg-type]  # a record
    document = two_tools.run(bare(seen))
    made = events(document)
    named = threads(made)

    found = [event for event in made if event.get("cat") == "gap"]

    assert sorted(named[event["pid"], event["tid"]] for event in found) == [
        f"{NAME}: {process} / not recorded" for process in processes
    ]
    assert {(event["name"], event["ts"]) for event in found} == {(f"no record of {record}", 0.0)}
    assert {event["args"]["reason"] for event in found} == {"it broke"}
    assert other(document)["not recorded"] == [f"{NAME}: {record}: it broke"]


def test_what_the_picture_is_not_made_of_is_no_gap_of_it() -> None:
    """A ledger that nobody read, for example."""
    document = two_tools.run(bare(replace(two_tools.evidence(), ledger=Record.absent("ledger", "no table"))))

    assert other(document) == {"tool": "sessionproof", "verdict": "passed", "command": "sessionproof verify"}
    assert not [event for event in events(document) if event.get("cat") == "gap"]


def test_a_run_that_is_not_whole_says_so() -> None:
    """Beside the events: its problems, what was not verified, and a cell without a turn."""
    told = other(documents.troubled())
    turnless = other(two_tools.run(bare(replace(two_tools.evidence(), turns=()))))

    assert told["problems"] == ["worker 'gw1' crashed"]
    assert told["not verified"] == [
        "streaming, all modes: the backend cannot stream",
        "single_tool, locked: the backend has no mode 'locked'",
    ]
    assert turnless["not recorded"] == [f"{NAME}: it has no turn"]


def test_only_a_flush_has_rows() -> None:
    """A commit of 0 rows would be a lie: nobody counted."""
    made = events(two_tools.run(two_tools.shared()))

    counted = {event["name"]: event["args"].get("rows") for event in made if event.get("cat") == "sessions"}

    assert (counted["flush"], counted["commit"]) == (1, None)
    assert [event["name"] for event in made if "rows" in event.get("args", {})] == ["flush"]


def test_what_has_no_end_lasts_as_long_as_anything_is_known() -> None:
    """Also where no turn is, which would end it."""
    seen = two_tools.evidence(shared=False)
    begun = replace(
        seen,
        operations=Record.of("operations", seen.operations.items[:1]),
        pool=Record.of("pool", seen.pool.items[:1]),
        turns=(),
    )
    made = events(two_tools.run(bare(begun)))

    assert told(made, "X", "session 1") == [("transaction: open", 14000.0, 75000.0)]
    assert told(made, "X", "connection 1, backend 4001")[0] == ("checked out", 13000.0, 76000.0)


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "answered"),
        ({"answer": None}, "not recorded"),
        ({"answer": None, "error": "no"}, "failed"),
        ({"answer": None, "error": "no", "error_type": "E"}, "E"),
        ({"answer": None, "timed_out": True}, "timed out"),
        ({"answer": None, "error": "gone", "interrupted": "the client went away"}, "interrupted: the client went away"),
    ],
)
def test_a_turn_has_the_outcome_that_was_recorded(changed: dict[str, Any], outcome: str) -> None:
    """None is made up."""
    seen = two_tools.evidence()
    made = events(two_tools.run(bare(replace(seen, turns=(replace(seen.turns[0], **changed),)))))

    assert [event["args"]["outcome"] for event in made if event["name"] == "turn"] == [outcome]


def test_a_moment_that_was_not_recorded_is_called_so() -> None:
    """That of a finding without a time, and that of a race's first access."""
    made = events(two_tools.run(two_tools.shared()))
    lost = events(documents.document(documents.troubled_cells("single_tool", SessionMode.SHARED)[:1]))

    moments = [event["args"]["moment"] for event in [*made, *lost] if "moment" in event.get("args", {})]

    assert moments == [
        "not recorded: when its task last began something",
        "when it was seen",
        "when it was seen",
        "not recorded: when its turn was over",
    ]


def test_a_time_that_is_none_is_left_out() -> None:
    """A statement of which nobody saw the end does not spoil the trace; how many are left out is said."""
    seen = two_tools.evidence()
    broken = [replace(each, interval=Interval(start=10.02, end=float("nan"))) for each in seen.statements.items]
    backwards = [replace(each, interval=Interval(start=10.05, end=10.01)) for each in seen.tools.items]
    cell = documents.cell(
        "single_tool",
        SessionMode.SHARED,
        evidence=replace(seen, statements=Record.of("statements", broken), tools=Record.of("tools", backwards)),
    )

    text = TraceWriter().write(two_tools.run(cell))

    assert "NaN" not in text
    assert "SELECT" not in text
    assert other(two_tools.run(cell))["not recorded"] == [f"{NAME}: the time of 2 records, which are left out"]


def test_a_request_whose_end_nobody_saw_has_no_length() -> None:
    """It would seem to have been served for as long as the cell has turns."""
    turn = two_tools.evidence().turns[0].id
    answered = ModelRequestSeen(turn=turn, start=1.0, end=2.0)
    seen = replace(two_tools.evidence(), requests=Record.of("requests", [answered, replace(answered, end=None)]))

    made = events(two_tools.run(bare(seen)))

    asked = [(each["ph"], each["name"]) for each in made if each["ph"] in "Xi" and each["name"].startswith("request")]
    assert sorted(asked) == [("X", "request"), ("i", "request: end not seen")]
