"""One turn on one time axis: a lane for the model, each task, session and server process, and what happened in them.

Mechanism: what each recorder saw of a turn becomes a mark. A statement is in two lanes, that of its task and that of
its server process; everything else is in one. What is between two records (a transaction from its begin to its end, a
connection from checkout to checkin) is a mark, too, of a kind of its own. A finding is a sign: where it was seen, and,
if two accesses were wrong together, where the first one was.

Guarantee: pure, and one mark for each record of the turn that has a time, in the order of time. Times are seconds since
the turn began. What has no end that is a time is unended.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite
from typing import Any

from harness import evidence as ev
from harness.report.document import FindingDocument
from harness.report.lasting import Lasting, checkouts, transactions
from harness.report.places import race_of
from harness.report.turn_events import TurnEvents, tool_names

__all__ = ["Lane", "LaneKind", "Mark", "MarkKind", "Point", "Sign", "Timeline", "timeline"]

_MODEL_SPAN = "chat "
_TOOL_SPAN = "execute_tool "


class LaneKind(StrEnum):
    """What a lane stands for, in the order in which lanes are shown."""

    MODEL = "model"
    TASK = "task"
    SESSION = "session"
    BACKEND = "backend"
    SPANS = "spans"
    LOOP = "loop"


class MarkKind(StrEnum):
    """What a mark stands for."""

    REQUEST = "model request"
    TOOL = "tool"
    STATEMENT = "statement"
    DELAY = "injected delay"
    WAIT = "wait for a connection"
    ARRIVAL = "arrival at the barrier"
    ERROR = "error"
    TRANSACTION = "transaction"
    BEGIN = "begin"
    FLUSH = "flush"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    CLOSE = "close"
    HELD = "connection in use"
    CONNECT = "connect"
    CHECKOUT = "checkout"
    CHECKIN = "checkin"
    INVALIDATE = "invalidate"
    DISCARD = "connection closed"
    SPAN = "span"
    STALL = "event loop held"


_OPERATIONS = {
    ev.OperationKind.BEGIN: MarkKind.BEGIN,
    ev.OperationKind.FLUSH: MarkKind.FLUSH,
    ev.OperationKind.COMMIT: MarkKind.COMMIT,
    ev.OperationKind.ROLLBACK: MarkKind.ROLLBACK,
    ev.OperationKind.CLOSE: MarkKind.CLOSE,
}
_POOL = {
    ev.PoolEventKind.CONNECT: MarkKind.CONNECT,
    ev.PoolEventKind.CHECKOUT: MarkKind.CHECKOUT,
    ev.PoolEventKind.CHECKIN: MarkKind.CHECKIN,
    ev.PoolEventKind.INVALIDATE: MarkKind.INVALIDATE,
    ev.PoolEventKind.CLOSE: MarkKind.DISCARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One line of the timeline."""

    kind: LaneKind
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened, at a moment or from `start` to `end`, in a lane; `task` is the lane of who did it.

    `unended` is what had not ended with the turn, as far as anybody saw.
    """

    kind: MarkKind
    lane: int
    start: float
    end: float | None = None
    task: int | None = None
    text: str = ""
    stack: tuple[str, ...] = ()
    failed: bool = False
    unended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment in a lane."""

    lane: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Where the finding with this number (of the cell's, from 0) is, and the access with which it is wrong together.

    `exact` is false if the moment of the first access is not recorded, but that of its task's last record before.
    """

    finding: int
    second: Point
    first: Point | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A turn; everything in it lies between `start` and `end`."""

    start: float
    end: float
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    signs: tuple[Sign, ...]


_Key = tuple[LaneKind, str]


@dataclass(slots=True)
class _Lanes:
    """Lanes by what they are for, numbered as they come, and put in order in the end."""

    keys: dict[_Key, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)

    def of(self, kind: LaneKind, key: object = "", label: str = "") -> int:
        number = self.keys.setdefault((kind, str(key)), len(self.labels))
        if number == len(self.labels):
            self.labels.append(label or kind.value)
        return number

    def order(self, firsts: Mapping[int, float]) -> list[_Key]:
        """By kind, the turn's own task first, and then by when something happened in them."""
        kinds = list(LaneKind)
        return sorted(
            self.keys,
            key=lambda key: (kinds.index(key[0]), key != _TURN, firsts.get(self.keys[key], 0.0), self.keys[key]),
        )


_TURN: _Key = (LaneKind.TASK, "")


def timeline(seen: TurnEvents) -> Timeline:
    """The turn on one axis."""
    maker = _Maker(seen)
    seen_at = (mark for mark in maker.marks() if isfinite(mark.start))
    marks = sorted(seen_at, key=lambda mark: (mark.start, mark.end is None, -(mark.end or 0.0)))
    signs = list(maker.signs(marks))
    firsts: dict[int, float] = {}
    for mark in marks:
        firsts.setdefault(mark.lane, mark.start)
    keys = maker.lanes.order(firsts)
    places = {maker.lanes.keys[key]: place for place, key in enumerate(keys)}
    labels = maker.lanes.labels
    moments = [mark.start for mark in marks] + [mark.end for mark in marks if mark.end is not None]
    return Timeline(
        start=min([0.0, *moments]),
        end=max([seen.turn.interval.seconds, *moments]),
        lanes=tuple(Lane(kind=key[0], label=labels[maker.lanes.keys[key]]) for key in keys),
        marks=tuple(_moved(mark, places) for mark in marks),
        signs=tuple(_sign_moved(sign, places) for sign in signs),
    )


def _moved(mark: Mark, places: Mapping[int, int]) -> Mark:
    return replace(mark, lane=places[mark.lane], task=None if mark.task is None else places[mark.task])


def _sign_moved(sign: Sign, places: Mapping[int, int]) -> Sign:
    first = None if sign.first is None else Point(lane=places[sign.first.lane], at=sign.first.at)
    second = Point(lane=places[sign.second.lane], at=sign.second.at)
    return Sign(finding=sign.finding, first=first, second=second, exact=sign.exact)


@dataclass(slots=True)
class _Maker:
    seen: TurnEvents
    lanes: _Lanes = field(default_factory=_Lanes)
    _tools: dict[str, str] = field(init=False)
    _pids: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._tools = tool_names(self.seen.turn, self.seen.tools)
        used: Iterable[ev.Statement | ev.PoolEvent] = (*self.seen.statements, *self.seen.pool)
        self._pids = {each.connection: each.backend_pid for each in used if each.backend_pid is not None}
        self.lanes.of(*_TURN, label="turn")

    def marks(self) -> Iterator[Mark]:
        """One for each record, and what lies between two."""
        yield from self._model()
        yield from self._tasks()
        yield from self._operations()
        yield from self._pool()
        yield from self._rest()

    def _since(self, at: float) -> float:
        return at - self.seen.turn.interval.start

    def _task(self, call: str | None, name: str = "") -> int:
        if call is None:
            return self.lanes.of(*_TURN)
        return self.lanes.of(LaneKind.TASK, call, self._tools.get(call) or name or call)

    def _lasting(self, kind: MarkKind, lane: int, interval: ev.Interval, **others: Any) -> Mark:
        ended = isfinite(interval.end)
        start, end = self._since(interval.start), self._since(interval.end if ended else self.seen.turn.interval.end)
        unended = others.pop("unended", False) or not ended
        return Mark(kind=kind, lane=lane, start=start, end=max(start, end), unended=unended, **others)

    def _model(self) -> Iterator[Mark]:
        """The model's requests as they were recorded; where they are not, their spans."""
        for request in self.seen.requests:
            yield Mark(
                kind=MarkKind.REQUEST,
                lane=self.lanes.of(LaneKind.MODEL),
                start=self._since(request.start),
                end=self._since(self.seen.turn.interval.end if request.end is None else request.end),
                text=" ".join(str(said) for said in (request.error_type, request.status) if said is not None),
                failed=request.error_type is not None or request.status is not None,
                unended=request.end is None,
            )
        if not self.seen.requests:
            for span in self.seen.spans:
                if span.name.startswith(_MODEL_SPAN):
                    lane = self.lanes.of(LaneKind.MODEL)
                    yield self._lasting(MarkKind.REQUEST, lane, span.interval, text=span.name, failed=span.error)

    def _tasks(self) -> Iterator[Mark]:
        for run in self.seen.tools:
            lane = self._task(run.tool_call_id, run.task)
            said = f"{run.tool} {run.outcome}" + (f" {run.error_type}" if run.error_type else "")
            yield self._lasting(
                MarkKind.TOOL,
                lane,
                run.interval,
                task=lane,
                text=said,
                failed=run.outcome is not ev.ToolOutcome.RETURNED,
                unended=run.outcome is ev.ToolOutcome.UNFINISHED,
            )
        for statement in self.seen.statements:
            yield self._lasting(
                MarkKind.DELAY if statement.injected else MarkKind.STATEMENT,
                self._backend(statement.connection, statement.backend_pid),
                statement.interval,
                task=self._task(statement.tool_call_id, statement.task),
                text=statement.sql,
                failed=statement.failed,
            )
        for wait in self.seen.waits:
            lane = self._task(wait.tool_call_id)
            yield self._lasting(MarkKind.WAIT, lane, wait.interval, task=lane, failed=wait.failed)
        for arrival in self.seen.arrivals:
            lane = self._task(arrival.tool_call_id)
            said = f"released {arrival.released}"
            yield Mark(kind=MarkKind.ARRIVAL, lane=lane, task=lane, start=self._since(arrival.at), text=said)
        for error in self.seen.errors:
            lane = self._task(error.tool_call_id)
            said = f"{error.type}: {error.message} ({error.source})"
            at = self._since(error.at)
            yield Mark(kind=MarkKind.ERROR, lane=lane, task=lane, start=at, text=said, stack=error.stack, failed=True)

    def _operations(self) -> Iterator[Mark]:
        for operation in self.seen.operations:
            lane = self._session(operation)
            rows = f"{operation.rows} {'row' if operation.rows == 1 else 'rows'}" if operation.rows else ""
            task = self._task(operation.tool_call_id, operation.task)
            at, kind = self._since(operation.at), _OPERATIONS[operation.kind]
            yield Mark(kind=kind, lane=lane, task=task, start=at, text=rows, stack=operation.stack)
        for each in transactions(self.seen.operations):
            said = "" if each.end is None else f"ended by {each.end.kind}"
            yield self._between(MarkKind.TRANSACTION, self._session(each.start), each, text=said)

    def _session(self, operation: ev.SessionOperation) -> int:
        return self.lanes.of(LaneKind.SESSION, operation.session, f"session {operation.session}")

    def _pool(self) -> Iterator[Mark]:
        for event in self.seen.pool:
            lane = self._backend(event.connection, event.backend_pid)
            task = self._task(event.tool_call_id, event.task)
            yield Mark(kind=_POOL[event.kind], lane=lane, task=task, start=self._since(event.at), stack=event.stack)
        for each in checkouts(self.seen.pool):
            yield self._between(MarkKind.HELD, self._backend(each.start.connection, each.start.backend_pid), each)

    def _between(
        self, kind: MarkKind, lane: int, each: Lasting[ev.SessionOperation] | Lasting[ev.PoolEvent], text: str = ""
    ) -> Mark:
        end = self._since(each.until(self.seen.turn.interval.end))
        return Mark(
            kind=kind, lane=lane, start=self._since(each.start.at), end=end, text=text, unended=each.end is None
        )

    def _backend(self, connection: int, pid: int | None) -> int:
        """Of a connection whose process nobody knows, the lane of the one that it had."""
        known = self._pids.get(connection, pid)
        if known is None:
            return self.lanes.of(LaneKind.BACKEND, f"connection {connection}", f"connection {connection}")
        return self.lanes.of(LaneKind.BACKEND, known, f"pid {known}")

    def _rest(self) -> Iterator[Mark]:
        for span in self.seen.spans:
            if not span.name.startswith((_MODEL_SPAN, _TOOL_SPAN)):
                lane = self.lanes.of(LaneKind.SPANS)
                yield self._lasting(MarkKind.SPAN, lane, span.interval, text=span.name, failed=span.error)
        for stall in self.seen.stalls:
            lane = self.lanes.of(LaneKind.LOOP, label="event loop")
            yield self._lasting(MarkKind.STALL, lane, stall.interval, stack=stall.stack)

    def signs(self, marks: Sequence[Mark]) -> Iterator[Sign]:
        """One for each finding of the turn that has a place in it."""
        left = list(self.seen.races)
        for number, finding in self.seen.findings:
            if (race := race_of(finding, left)) is not None:
                left.remove(race)
                yield self._race(number, race, marks)
            elif (at := self._seen_at(finding, marks)) is not None:
                yield Sign(finding=number, second=at)

    def _race(self, number: int, race: ev.SessionRace, marks: Sequence[Mark]) -> Sign:
        at = self._since(race.at)
        first, second = (self._task(access.tool_call_id, access.task) for access in (race.first, race.second))
        here = Point(lane=second, at=at)
        if race.first.turn not in {None, self.seen.turn.id}:
            return Sign(finding=number, second=here)
        if race.kind is ev.RaceKind.OVERLAP:
            return Sign(finding=number, first=Point(lane=first, at=at), second=here)
        ends = [mark.start if mark.end is None else mark.end for mark in marks if first in {mark.task, mark.lane}]
        before = max((end for end in ends if end <= at), default=at)
        return Sign(finding=number, first=Point(lane=first, at=before), second=here, exact=False)

    def _seen_at(self, finding: FindingDocument, marks: Sequence[Mark]) -> Point | None:
        """Where its tool raised, or ended; of a finding that names no tool, nowhere."""
        if finding.tool_call_id is None:
            return None
        lane = self._task(finding.tool_call_id)
        mine = [mark for mark in marks if lane in {mark.lane, mark.task}]
        raised = [mark for mark in mine if mark.kind is MarkKind.ERROR]
        alike = [mark for mark in raised if mark.stack == finding.stack]
        for mark in (*alike, *raised):
            return Point(lane=lane, at=mark.start)
        ended = [mark.end for mark in mine if mark.kind is MarkKind.TOOL and mark.end is not None]
        return Point(lane=lane, at=ended[-1]) if ended else None
