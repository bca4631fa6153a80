"""`trace.json`: turns in Chrome's trace-event format, for Perfetto and other viewers of it.

Problem: who used which session when is a picture, and there are good tools to look at such pictures.

Mechanism: each cell has a process for each point of view: its tasks (the turns' own code, and each tool), its sessions,
the server's backends, the model's requests, and the event loop where it was held. Their threads have the statements,
waits for a connection, transactions and checkouts as slices; commits, rollbacks, flushes and findings are instants; an
arrow leads from the first access of a race to the second. An access has the time at which the sanitizer saw the second
one, or for the first one that of the last thing which its task is known to have begun by then.

Guarantee: times are microseconds since the first event of the cell, so that cells stand below each other on one axis.
The same document gives the same text, which is ASCII, whatever the backend said.
"""

import json
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.evidence import AccessSeen, Interval, OperationKind, PoolEventKind, SessionOperation, SessionRace
from harness.report.document import CellDocument, FindingDocument, RunDocument
from harness.report.places import race_kind, races_of_findings
from harness.report.selection import cell_name
from harness.report.text import block, inline
from harness.report.trace_lanes import Lanes, Slice

__all__ = ["TraceWriter"]

_MICROSECONDS = 1e6
_MOMENT = 1e-6
"""How long an access lasts in the trace, whose end nobody saw."""
_SQL_LIMIT = 4000
_FRAMES = 12
_TASKS, _SESSIONS, _BACKENDS, _MODEL, _LOOP = "tasks", "sessions", "backend processes", "model requests", "event loop"
_PROCESSES = (_TASKS, _SESSIONS, _BACKENDS, _MODEL, _LOOP)
_ENDS = frozenset({OperationKind.COMMIT, OperationKind.ROLLBACK, OperationKind.CLOSE})
_Caller = tuple[str | None, str | None]


class TraceWriter:
    """Writes `trace.json`."""

    name = "trace"
    filename = "trace.json"

    def write(self, document: RunDocument) -> str:
        """The trace, an event a line."""
        events = [event for number, cell in enumerate(document.cells) for event in _Picture(cell, number).events()]
        lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
        other = {"tool": "sessionproof", "verdict": document.verdict.value, "command": inline(document.command)}
        head = f'"displayTimeUnit":"ms","otherData":{json.dumps(other)}'
        return f'{{{head},"traceEvents":[\n{lines}\n]}}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """An instant on a lane."""

    process: str
    lane: str
    name: str
    at: float
    arguments: Mapping[str, Any]

    @property
    def category(self) -> str:
        """What it is: tasks have no marks but findings."""
        return "finding" if self.process == _TASKS else self.process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrow:
    """From one access to another."""

    name: str
    ends: tuple[Slice, Slice]


class _Picture:
    """One cell: first its slices and marks are gathered, then lanes are found for them, then events are made."""

    def __init__(self, cell: CellDocument, number: int) -> None:
        self._cell = cell
        self._evidence = cell.evidence
        self._number = number
        self._lanes = {process: Lanes() for process in _PROCESSES}
        self._marks: list[_Mark] = []
        self._arrows: list[_Arrow] = []
        self._callers: dict[_Caller, str] = {}
        self._begun: dict[str, list[float]] = defaultdict(list)
        self._name_tasks()
        for draw in (self._statements, self._waits, self._sessions, self._pool, self._model, self._stalls, self._races):
            draw()
        self._findings()

    def _name_tasks(self) -> None:
        """A lane for each turn at a time, and one for each run of a tool at a time."""
        turns = self._evidence.turns
        numbers = _side_by_side([(turn.interval.start, turn.interval.end) for turn in turns])
        for turn, number in zip(turns, numbers, strict=True):
            lane = _numbered("turn", number)
            self._callers[turn.id, None] = lane
            ended = "answered" if turn.answer else "timed out" if turn.timed_out else turn.error_type or "failed"
            said = {
                "message": block(turn.message),
                "tenant": inline(turn.tenant),
                "outcome": inline(ended),
                "id": turn.id,
            }
            self._work(lane, "turn", turn.interval, said)
        names = dict.fromkeys(run.tool for run in self._evidence.tools.items)
        for name in names:
            runs = [run for run in self._evidence.tools.items if run.tool == name]
            numbers = _side_by_side([(run.interval.start, run.interval.end) for run in runs])
            for run, number in zip(runs, numbers, strict=True):
                lane = _numbered(f"tool {inline(name, limit=80)}", number)
                self._callers[run.turn, run.tool_call_id] = lane
                said = {"call": inline(run.tool_call_id), "task": inline(run.task), "outcome": run.outcome.value}
                if run.error_type:
                    said["error"] = inline(run.error_type)
                self._work(lane, inline(name, limit=80), run.interval, said)

    def _lane_of(self, turn: str | None, call: str | None, task: str) -> str:
        """The lane of a task: its tool's, its turn's, or one of its own."""
        if (lane := self._callers.get((turn, call))) is not None:
            return lane
        return inline(f"task {task}", limit=80)

    def _slice(self, process: str, lane: str, name: str, when: Interval, said: Mapping[str, Any]) -> Slice | None:
        if not (math.isfinite(when.start) and math.isfinite(when.end)):
            return None
        piece = Slice(name=name, start=when.start, end=max(when.start, when.end), arguments=said)
        self._lanes[process].add(lane, piece)
        return piece

    def _work(self, lane: str, name: str, when: Interval, said: Mapping[str, Any]) -> None:
        """A slice of what a task did."""
        if self._slice(_TASKS, lane, name, when, said) is not None:
            self._begun[lane].append(when.start)

    def _mark(self, process: str, lane: str, name: str, at: float, said: Mapping[str, Any]) -> None:
        if math.isfinite(at):
            self._lanes[process].name(lane)
            self._marks.append(_Mark(process=process, lane=lane, name=name, at=at, arguments=said))

    def _statements(self) -> None:
        for each in self._evidence.statements.items:
            said = {"sql": block(each.sql, limit=_SQL_LIMIT), "task": inline(each.task), "failed": each.failed}
            name = "latency" if each.injected else inline(each.sql, limit=60) or "statement"
            self._work(self._lane_of(each.turn, each.tool_call_id, each.task), name, each.interval, said)
            self._slice(_BACKENDS, _backend(each.connection, each.backend_pid), name, each.interval, said)

    def _waits(self) -> None:
        for each in self._evidence.waits.items:
            lane = self._lane_of(each.turn, each.tool_call_id, "unknown")
            self._work(lane, "wait for a connection", each.interval, {"refused": each.failed})

    def _sessions(self) -> None:
        """Transactions, from their begin to what ended them, and what was done in them."""
        begun: dict[int, SessionOperation] = {}
        for each in sorted(self._evidence.operations.items, key=lambda operation: operation.at):
            lane = f"session {each.session}"
            said = {"task": inline(each.task), "rows": each.rows, "stack": _text(each.stack)}
            if each.kind is OperationKind.BEGIN:
                begun.setdefault(each.session, each)
                self._lanes[_SESSIONS].name(lane)
                continue
            if each.kind in _ENDS and (start := begun.pop(each.session, None)) is not None:
                when = Interval(start=start.at, end=each.at)
                self._slice(_SESSIONS, lane, f"transaction: {each.kind}", when, _ended(start, each))
            self._mark(_SESSIONS, lane, each.kind.value, each.at, said)
        for session, start in begun.items():
            when = Interval(start=start.at, end=self._end)
            self._slice(_SESSIONS, f"session {session}", "transaction: open", when, _ended(start, None))

    @property
    def _end(self) -> float:
        """When the last turn ended."""
        return max((turn.interval.end for turn in self._evidence.turns), default=0.0)

    def _pool(self) -> None:
        out: dict[int, tuple[float, str]] = {}
        for each in sorted(self._evidence.pool.items, key=lambda event: event.at):
            lane = _backend(each.connection, each.backend_pid)
            if each.kind is PoolEventKind.CHECKOUT:
                out[each.connection] = each.at, each.task
                continue
            if each.connection in out and each.kind is not PoolEventKind.CONNECT:
                start, task = out.pop(each.connection)
                said = {"by": inline(task), "until": each.kind.value}
                self._slice(_BACKENDS, lane, "checked out", Interval(start=start, end=each.at), said)
            self._mark(_BACKENDS, lane, each.kind.value, each.at, {"task": inline(each.task)})
        pids = {event.connection: event.backend_pid for event in self._evidence.pool.items}
        for connection, (start, task) in out.items():
            lane = _backend(connection, pids[connection])
            said = {"by": inline(task), "until": "not returned"}
            self._slice(_BACKENDS, lane, "checked out", Interval(start=start, end=self._end), said)

    def _model(self) -> None:
        requests = self._evidence.requests.items
        for each in requests:
            said = {"turn": each.turn, "error": inline(each.error_type or ""), "status": each.status}
            when = Interval(start=each.start, end=self._end if each.end is None else each.end)
            self._slice(_MODEL, "model", "request", when, said)
        spans = () if requests else self._evidence.spans.items
        for span in spans:
            if span.name.startswith("chat "):
                said = {"turn": span.turn, "failed": span.error}
                self._slice(_MODEL, "model", inline(span.name, limit=80), span.interval, said)

    def _stalls(self) -> None:
        for each in self._evidence.stalls.items:
            said = {"stack": _text(each.stack), "samples": each.samples, "share": f"{each.share:.0%}"}
            self._slice(_LOOP, "event loop", "held", each.interval, said)

    def _races(self) -> None:
        for begun in self._begun.values():
            begun.sort()
        for race in self._evidence.races.items:
            second = self._access(race.second, race.at, race)
            first = self._access(race.first, self._last_begun(race.first, race.at), race)
            if first is not None and second is not None:
                self._arrows.append(_Arrow(name=race_kind(race.kind).value, ends=(first, second)))

    def _access(self, access: AccessSeen, at: float, race: SessionRace) -> Slice | None:
        lane = self._lane_of(access.turn, access.tool_call_id, access.task)
        said = {
            "on": inline(race.subject),
            "stack": _text(map(str, access.stack)),
            "task created": _text(map(str, access.task_created)),
            "made": _text(map(str, race.subject_created)),
        }
        when = Interval(start=at, end=at + _MOMENT)
        return self._slice(_TASKS, lane, inline(access.operation, limit=80), when, said)

    def _last_begun(self, access: AccessSeen, at: float) -> float:
        """When the task last began something by that time; that time if nothing is known of it."""
        begun = self._begun.get(self._lane_of(access.turn, access.tool_call_id, access.task), [])
        before = bisect_right(begun, at)
        return begun[before - 1] if before else at

    def _findings(self) -> None:
        races = races_of_findings(self._cell)
        times = {
            (error.turn, error.tool_call_id, error.stack): error.at for error in reversed(self._evidence.errors.items)
        }
        for number, finding in enumerate(self._cell.findings):
            race = races.get(number)
            key = (finding.turn, finding.tool_call_id, finding.stack)
            at = race.at if race is not None else times.get(key) if finding.stack else None
            said = {
                "message": block(finding.message),
                "where": inline(finding.where),
                "unexpected": finding.unexpected,
                "stack": _text(finding.stack),
                "reproduce": inline(finding.reproduce, limit=1000),
            }
            lane = self._lane_of_finding(finding)
            self._mark(_TASKS, lane, finding.kind.value, self._over(finding) if at is None else at, said)

    def _lane_of_finding(self, finding: FindingDocument) -> str:
        for caller in ((finding.turn, finding.tool_call_id), (finding.turn, None)):
            if (lane := self._callers.get(caller)) is not None:
                return lane
        return "turn"

    def _over(self, finding: FindingDocument) -> float:
        """When the finding's turn was over."""
        return next((turn.interval.end for turn in self._evidence.turns if turn.id == finding.turn), self._end)

    def events(self) -> Iterator[dict[str, Any]]:
        """All events: names first, then slices, instants and arrows."""
        for lanes in self._lanes.values():
            lanes.lay()
        slices = (piece.start for lanes in self._lanes.values() for _, _, pieces in lanes for piece in pieces)
        origin = min([*slices, *(mark.at for mark in self._marks)], default=0.0)
        for process, lanes in self._lanes.items():
            yield from self._named(process, lanes)
        for process, lanes in self._lanes.items():
            for number, _, pieces in lanes:
                for piece in pieces:
                    yield {"ph": "X", **_shown(piece, origin), "cat": process, **self._place(process, number)}
        for mark in self._marks:
            place = self._place(mark.process, self._lanes[mark.process].number(mark.lane))
            said = {"ts": _microseconds(mark.at - origin), "args": dict(mark.arguments)}
            yield {"ph": "i", "s": "t", "name": mark.name, "cat": mark.category, **said, **place}
        for number, arrow in enumerate(self._arrows):
            yield from self._drawn(arrow, number, origin)

    def _named(self, process: str, lanes: Lanes) -> Iterator[dict[str, Any]]:
        named = list(lanes)
        if not named:
            return
        place = self._place(process, 0)
        title = f"{inline(cell_name(self._cell), limit=120)}: {process}"
        yield {"ph": "M", "name": "process_name", **place, "args": {"name": title}}
        yield {"ph": "M", "name": "process_sort_index", **place, "args": {"sort_index": place["pid"]}}
        for number, label, _ in named:
            thread = self._place(process, number)
            yield {"ph": "M", "name": "thread_name", **thread, "args": {"name": label}}
            yield {"ph": "M", "name": "thread_sort_index", **thread, "args": {"sort_index": number}}

    def _place(self, process: str, number: int) -> dict[str, int]:
        pid = self._number * 10 + 1 + _PROCESSES.index(process)
        return {"pid": pid, "tid": pid * 100_000 + number}

    def _drawn(self, arrow: _Arrow, number: int, origin: float) -> Iterator[dict[str, Any]]:
        identifier = self._number * 1_000_000 + number + 1
        for piece, phase in zip(arrow.ends, ({"ph": "s"}, {"ph": "f", "bp": "e"}), strict=True):
            place = self._place(_TASKS, self._lanes[_TASKS].number_of(piece))
            ts = _microseconds(piece.start - origin)
            yield {**phase, "id": identifier, "name": arrow.name, "cat": "race", "ts": ts, **place}


def _shown(piece: Slice, origin: float) -> dict[str, Any]:
    """Its end is rounded, not its length, so that what nests still does."""
    start = _microseconds(piece.start - origin)
    length = round(_microseconds(piece.end - origin) - start, 3)
    return {"name": piece.name, "ts": start, "dur": length, "args": dict(piece.arguments)}


def _ended(start: SessionOperation, end: SessionOperation | None) -> dict[str, Any]:
    said = {"begun by": inline(start.task), "begun at": _text(start.stack)}
    return said if end is None else {**said, "ended by": inline(end.task), "ended at": _text(end.stack)}


def _backend(connection: int, pid: int | None) -> str:
    return f"connection {connection}, backend {'unknown' if pid is None else pid}"


def _text(stack: Sequence[str] | Iterator[str]) -> list[str]:
    return [inline(frame) for frame in [*stack][-_FRAMES:]]


def _numbered(name: str, number: int) -> str:
    return name if not number else f"{name} #{number + 1}"


def _side_by_side(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """For each interval the lowest number that none has which it overlaps."""
    free: list[float] = []
    numbers = [0] * len(intervals)
    for index in sorted(range(len(intervals)), key=lambda index: intervals[index]):
        start, end = intervals[index]
        number = next((number for number, until in enumerate(free) if until <= start), len(free))
        free[number:] = [end, *free[number + 1 :]]
        numbers[index] = number
    return numbers


def _microseconds(seconds: float) -> float:
    return round(seconds * _MICROSECONDS, 3)
