"""One cell as lanes with what lies on them: the slices, marks and arrows of a trace, before they are events.

Mechanism: each recorder's records go to the lanes of whoever did them. What nobody recorded is a mark of its own where
its records would have been, with the reason, so that a lane that is not there is not read as nothing that happened.

Guarantee: pure. Records without a finite time are left out, and counted.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.evidence import (
    AccessSeen,
    Interval,
    OperationKind,
    PoolEvent,
    PoolEventKind,
    SessionOperation,
    SessionRace,
    Turn,
)
from harness.report.document import CellDocument, FindingDocument
from harness.report.lasting import Lasting, checkouts, transactions
from harness.report.places import race_kind, races_of_findings
from harness.report.text import block, inline
from harness.report.trace_lanes import Lanes, Slice
from harness.report.turn_events import evidence_gaps, turn_ending

__all__ = ["PROCESSES", "TASKS", "Arrow", "Mark", "Picture"]

TASKS, SESSIONS, BACKENDS, MODEL, LOOP = "tasks", "sessions", "backend processes", "model requests", "event loop"
PROCESSES = (TASKS, SESSIONS, BACKENDS, MODEL, LOOP)
_DRAWN = {
    "tools": (TASKS,),
    "statements": (TASKS, BACKENDS),
    "waits": (TASKS,),
    "operations": (SESSIONS,),
    "pool": (BACKENDS,),
    "requests": (MODEL,),
    "spans": (MODEL,),
    "stalls": (LOOP,),
    "races": (TASKS,),
    "errors": (TASKS,),
}
"""The records of which the picture is made, and the processes that lack something without them."""
_MOMENT = 1e-6
"""How long an access lasts in the trace, whose end nobody saw."""
_SQL_LIMIT = 4000
_FRAMES = 12
_Caller = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An instant on a lane."""

    process: str
    lane: str
    name: str
    at: float
    arguments: Mapping[str, Any]
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """From one access to another."""

    name: str
    ends: tuple[Slice, Slice]


class Picture:
    """One cell: its lanes by process, its marks and arrows.

    `gaps` has the reason for each record that is missing, and `untimed` counts the records that have no time.
    """

    def __init__(self, cell: CellDocument) -> None:
        self._cell = cell
        self._evidence = cell.evidence
        self.lanes = {process: Lanes() for process in PROCESSES}
        self.marks: list[Mark] = []
        self.arrows: list[Arrow] = []
        self.gaps = {name: inline(reason) for name, reason in evidence_gaps(cell.evidence) if name in _DRAWN}
        times = [_times(item) for item in self._drawn()]
        self.untimed = sum(not all(map(math.isfinite, each)) for each in times)
        self._start, self._end = self._bounds([at for each in times for at in each if math.isfinite(at)])
        self._callers: dict[_Caller, str] = {}
        self._begun: dict[str, list[float]] = defaultdict(list)
        self._name_tasks()
        for draw in (self._statements, self._waits, self._sessions, self._pool, self._model, self._stalls, self._races):
            draw()
        self._findings()
        self._missing()

    def _drawn(self) -> Iterator[Any]:
        yield from self._evidence.turns
        for name in _DRAWN:
            yield from getattr(self._evidence, name).items

    def _bounds(self, moments: Sequence[float]) -> tuple[float, float]:
        """When the first turn began, and the last one ended; without turns, when anything did."""
        turns = [at for turn in self._evidence.turns for at in _times(turn) if math.isfinite(at)]
        seen = turns or moments
        return min(seen, default=0.0), max(seen, default=0.0)

    def _missing(self) -> None:
        for name, reason in self.gaps.items():
            for process in _DRAWN[name]:
                self._mark(
                    process, "not recorded", f"no record of {name}", self._start, {"reason": reason}, category="gap"
                )

    def _name_tasks(self) -> None:
        """A lane for each turn at a time, and one for each run of a tool at a time."""
        turns = self._evidence.turns
        numbers = _side_by_side([(turn.interval.start, turn.interval.end) for turn in turns])
        for turn, number in zip(turns, numbers, strict=True):
            lane = _numbered("turn", number)
            self._callers[turn.id, None] = lane
            said = {
                "message": block(turn.message),
                "tenant": inline(turn.tenant),
                "outcome": inline(_ended_how(turn)),
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
        self.lanes[process].add(lane, piece)
        return piece

    def _work(self, lane: str, name: str, when: Interval, said: Mapping[str, Any]) -> None:
        """A slice of what a task did."""
        if self._slice(TASKS, lane, name, when, said) is not None:
            self._begun[lane].append(when.start)

    def _mark(
        self, process: str, lane: str, name: str, at: float, said: Mapping[str, Any], *, category: str = ""
    ) -> None:
        if math.isfinite(at):
            self.lanes[process].name(lane)
            mark = Mark(process=process, lane=lane, name=name, at=at, arguments=said, category=category or process)
            self.marks.append(mark)

    def _statements(self) -> None:
        for each in self._evidence.statements.items:
            said = {"sql": block(each.sql, limit=_SQL_LIMIT), "task": inline(each.task), "failed": each.failed}
            name = "latency" if each.injected else inline(each.sql, limit=60) or "statement"
            self._work(self._lane_of(each.turn, each.tool_call_id, each.task), name, each.interval, said)
            self._slice(BACKENDS, _backend(each.connection, each.backend_pid), name, each.interval, said)

    def _waits(self) -> None:
        for each in self._evidence.waits.items:
            lane = self._lane_of(each.turn, each.tool_call_id, "unknown")
            self._work(lane, "wait for a connection", each.interval, {"refused": each.failed})

    def _sessions(self) -> None:
        """Transactions, from their begin to what ended them, and what was done in them."""
        for each in self._evidence.operations.items:
            lane = f"session {each.session}"
            if each.kind is OperationKind.BEGIN:
                self.lanes[SESSIONS].name(lane)
                continue
            rows = {"rows": each.rows} if each.kind is OperationKind.FLUSH else {}
            said = {"task": inline(each.task), **rows, "stack": _text(each.stack)}
            self._mark(SESSIONS, lane, each.kind.value, each.at, said)
        for spell in transactions(self._evidence.operations.items):
            when = Interval(start=spell.start.at, end=spell.until(self._end))
            name = f"transaction: {spell.end.kind if spell.end else _unended(spell)}"
            self._slice(SESSIONS, f"session {spell.start.session}", name, when, _ended(spell.start, spell.end))

    def _pool(self) -> None:
        for each in self._evidence.pool.items:
            if each.kind is not PoolEventKind.CHECKOUT:
                lane = _backend(each.connection, each.backend_pid)
                self._mark(BACKENDS, lane, each.kind.value, each.at, {"task": inline(each.task)})
        for spell in checkouts(self._evidence.pool.items):
            lane = _backend(spell.start.connection, spell.start.backend_pid)
            said = {"by": inline(spell.start.task), "until": spell.end.kind.value if spell.end else _unended(spell)}
            when = Interval(start=spell.start.at, end=spell.until(self._end))
            self._slice(BACKENDS, lane, "checked out", when, said)

    def _model(self) -> None:
        requests = self._evidence.requests.items
        for each in requests:
            said = {"turn": each.turn, "error": inline(each.error_type or ""), "status": each.status}
            if each.end is None:  # as long as it is drawn, it would seem to have been served
                self._mark(MODEL, "model", "request: end not seen", each.start, said)
            else:
                self._slice(MODEL, "model", "request", Interval(start=each.start, end=each.end), said)
        spans = () if requests else self._evidence.spans.items
        for span in spans:
            if span.name.startswith("chat "):
                said = {"turn": span.turn, "failed": span.error, "from": "its span"}
                self._slice(MODEL, "model", inline(span.name, limit=80), span.interval, said)

    def _stalls(self) -> None:
        for each in self._evidence.stalls.items:
            said = {"stack": _text(each.stack), "samples": each.samples, "share": f"{each.share:.0%}"}
            self._slice(LOOP, "event loop", "held", each.interval, said)

    def _races(self) -> None:
        for begun in self._begun.values():
            begun.sort()
        for race in self._evidence.races.items:
            second = self._access(race.second, race.at, race, "when it was seen")
            before = self._last_begun(race.first, race.at)
            first = self._access(race.first, before, race, "not recorded: when its task last began something")
            if first is not None and second is not None:
                self.arrows.append(Arrow(name=race_kind(race.kind).value, ends=(first, second)))

    def _access(self, access: AccessSeen, at: float, race: SessionRace, moment: str) -> Slice | None:
        lane = self._lane_of(access.turn, access.tool_call_id, access.task)
        said = {
            "on": inline(race.subject),
            "stack": _text(map(str, access.stack)),
            "task created": _text(map(str, access.task_created)),
            "made": _text(map(str, race.subject_created)),
            "moment": moment,
        }
        when = Interval(start=at, end=at + _MOMENT)
        return self._slice(TASKS, lane, inline(access.operation, limit=80), when, said)

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
                "moment": "not recorded: when its turn was over" if at is None else "when it was seen",
            }
            lane = self._lane_of_finding(finding)
            self._mark(
                TASKS, lane, finding.kind.value, self._over(finding) if at is None else at, said, category="finding"
            )

    def _lane_of_finding(self, finding: FindingDocument) -> str:
        for caller in ((finding.turn, finding.tool_call_id), (finding.turn, None)):
            if (lane := self._callers.get(caller)) is not None:
                return lane
        return "turn"

    def _over(self, finding: FindingDocument) -> float:
        """When the finding's turn was over."""
        return next((turn.interval.end for turn in self._evidence.turns if turn.id == finding.turn), self._end)


def _times(item: object) -> tuple[float, ...]:
    """The moments of a record."""
    if (interval := getattr(item, "interval", None)) is not None:
        return interval.start, interval.end
    moments = (getattr(item, name, None) for name in ("at", "start", "end"))
    return tuple(at for at in moments if at is not None)


def _ended_how(turn: Turn) -> str:
    """How it ended: of an interruption with what by, and of a failure, where it is known, the error's type."""
    ending = turn_ending(turn)
    if ending == "interrupted":
        return f"{ending}: {turn.interrupted}"
    return (turn.error_type if ending == "failed" else None) or ending


def _unended(spell: Lasting[SessionOperation] | Lasting[PoolEvent]) -> str:
    return "open" if spell.by is None else "end not seen"


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
