"""Was a session shared by tools that nothing keeps apart, and did one's commit or rollback cover another's rows?

On a shared session whoever ends the transaction ends it for everybody: one tool's commit publishes what
another has only half written, and one tool's rollback takes back what another has reported as done. Neither
raises; and where tools only read, on a warm pool, a shared session shows nothing at all. Two witnesses are heard.

The session sanitizer (`harness.sanitizer`) knows which operations overlapped, and which nothing orders; its findings
become `SESSION_…` and `BLEED`.

The session operations are replayed in order. For each session the check remembers which tool calls have
flushed rows since the last commit, rollback or close. One of these that covers the rows of another tool that
is still running is a `BLEED`; where the sanitizer has seen the same two tools do it, it is told once, with the places.
A rollback (or a close without a commit) that covers rows of a tool that returned, and that flushed nothing
afterwards, is a `LOST_WRITE`; a tool's own rollback is its own decision, and no finding.

Not seen by the replay: rows that were added and not yet flushed, because the flush belongs to whoever ends the
transaction; and a lost row of a tool that flushed another one later, because that may be its repetition. Rows
that are written by `execute(insert(...))` are no flush either: a tool whose role is to write, and that wrote only
so, leaves the question open.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from harness.checks.conclusion import Conclusion, Plan, turns_of
from harness.checks.races import tell_races
from harness.checks.writing import WRITING_ROLES
from harness.errors import MissingEvidence
from harness.evidence import (
    AccessSeen,
    Evidence,
    OperationKind,
    RaceKind,
    SessionOperation,
    SessionRace,
    ToolOutcome,
    ToolRun,
)
from harness.sql import writes_rows
from harness.verdict import CheckResult, FindingKind

__all__ = ["Sessions"]

_Caller = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """`BLEED`, `LOST_WRITE` and `SESSION_…`; in doubt without the races, the session operations or the tool runs."""

    name: str = "sessions"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each race, for each covered write of a running tool, and for each write that was lost."""
        plan = Plan(turns_of(evidence))
        conclusion = Conclusion(self.name)
        races = list(evidence.races.entries)
        if evidence.races.missing is not None:
            conclusion.doubts.append(f"recorder {evidence.races.recorder!r}: {evidence.races.missing}")
        try:
            _replay(evidence, plan, races, conclusion)
        except MissingEvidence as error:
            conclusion.doubts.append(str(error))
        tell_races(races, plan, conclusion)
        return conclusion.result


def _replay(evidence: Evidence, plan: Plan, races: list[SessionRace], conclusion: Conclusion) -> None:
    """Replay the operations; bleeds among the races that they show too are taken out."""
    runs: dict[_Caller, list[ToolRun]] = defaultdict(list)
    for run in evidence.tools:
        runs[run.turn, run.tool_call_id].append(run)
    replay = _Replay(plan, runs, conclusion, races)
    for operation in sorted(evidence.operations, key=lambda operation: operation.at):
        replay.follow(operation)
    replay.conclude()
    _doubt_writes_through_core(evidence, plan, runs, conclusion)


def _doubt_writes_through_core(
    evidence: Evidence, plan: Plan, runs: dict[_Caller, list[ToolRun]], conclusion: Conclusion
) -> None:
    flushed = {(each.turn, each.tool_call_id) for each in evidence.operations if _writes(each)}
    returned = {
        (turn, call.tool_call_id)
        for turn, call in plan
        if call.role in WRITING_ROLES
        and any(run.outcome is ToolOutcome.RETURNED for run in runs.get((turn, call.tool_call_id), ()))
    }
    open_callers = returned - flushed
    if not open_callers:
        return
    if evidence.statements.missing is not None:
        conclusion.doubts.append(f"recorder {evidence.statements.recorder!r}: {evidence.statements.missing}")
        return
    through_core = {
        plan.name(each.turn, each.tool_call_id)
        for each in evidence.statements
        if (each.turn, each.tool_call_id) in open_callers and not each.failed and writes_rows(each.sql)
    }
    if through_core:
        conclusion.doubts.append(f"writes through Core are not followed, and {', '.join(sorted(through_core))} did so")


def _writes(operation: SessionOperation) -> bool:
    return operation.kind is OperationKind.FLUSH and operation.rows > 0


@dataclass(slots=True)
class _Replay:
    plan: Plan
    runs: dict[_Caller, list[ToolRun]]
    conclusion: Conclusion
    races: list[SessionRace]
    unfinished: dict[int, dict[_Caller, int]] = field(default_factory=lambda: defaultdict(dict))
    lost: dict[_Caller, tuple[SessionOperation, int]] = field(default_factory=dict)

    def follow(self, operation: SessionOperation) -> None:
        """Take the next operation into account."""
        if operation.kind is OperationKind.FLUSH:
            self._flush(operation)
        elif operation.kind is not OperationKind.BEGIN:
            self._end(operation)

    def _flush(self, operation: SessionOperation) -> None:
        if operation.tool_call_id is None or operation.rows <= 0:
            return
        caller = (operation.turn, operation.tool_call_id)
        rows = self.unfinished[operation.session]
        rows[caller] = rows.get(caller, 0) + operation.rows
        self.lost.pop(caller, None)

    def _end(self, operation: SessionOperation) -> None:
        for caller, rows in self.unfinished.pop(operation.session, {}).items():
            foreign = _is_foreign(operation, caller)
            if foreign and self._running(caller, operation.at):
                self._bleed(operation, caller, rows)
            if operation.kind is OperationKind.COMMIT:
                continue
            own = caller == (operation.turn, operation.tool_call_id)
            if not own or operation.kind is OperationKind.CLOSE:
                self.lost[caller] = (operation, rows)

    def _running(self, caller: _Caller, at: float) -> bool:
        runs = self.runs.get(caller)
        if not runs:
            self.conclusion.doubts.append(
                f"{self.plan.name(*caller)} wrote rows, but there is no record of its run to tell when it ended"
            )
            return False
        return any(run.interval.start <= at <= run.interval.end for run in runs)

    def _bleed(self, operation: SessionOperation, caller: _Caller, rows: int) -> None:
        victim = self.plan.name(*caller)
        places = "".join(map(_places, self._take_bleeds(operation, caller)))
        self.conclusion.find(
            FindingKind.BLEED,
            f"{self._actor(operation)} called {operation.kind} on session {operation.session}, which "
            f"covered {_rows(rows)} that {victim} had flushed and not yet committed, while {victim} was "
            f"still running{places}",
            where=self.plan.place(operation.turn, operation.tool_call_id),
            turn=operation.turn,
            tool_call_id=operation.tool_call_id,
            stack=operation.stack,
        )

    def _take_bleeds(self, operation: SessionOperation, caller: _Caller) -> list[SessionRace]:
        """The sanitizer's bleeds of these two, which are told with the replay's."""
        pair = (caller, (operation.turn, operation.tool_call_id))
        taken = [race for race in self.races if race.kind is RaceKind.BLEED and _pair(race) == pair]
        self.races[:] = [race for race in self.races if race not in taken]
        return taken

    def conclude(self) -> None:
        """Judge the writes that were taken back and not repeated."""
        for caller, (operation, rows) in self.lost.items():
            runs = self.runs.get(caller)
            if runs and runs[-1].outcome is ToolOutcome.RETURNED:
                self._lost(operation, caller, rows)

    def _lost(self, operation: SessionOperation, caller: _Caller, rows: int) -> None:
        tool = self.plan.name(*caller)
        how = "closed without a commit" if operation.kind is OperationKind.CLOSE else "rolled back"
        own = caller == (operation.turn, operation.tool_call_id)
        by = "itself" if own else self._actor(operation)
        self.conclusion.find(
            FindingKind.LOST_WRITE,
            f"{tool} returned normally, but {_rows(rows)} that it had flushed on session {operation.session} "
            f"never became durable: the session was {how} by {by}",
            where=self.plan.place(*caller),
            turn=caller[0],
            tool_call_id=caller[1],
            stack=operation.stack,
        )

    def _actor(self, operation: SessionOperation) -> str:
        if operation.tool_call_id is None:
            return f"no tool (task {operation.task!r})"
        return self.plan.name(operation.turn, operation.tool_call_id)


def _is_foreign(operation: SessionOperation, caller: _Caller) -> bool:
    """Whether another tool, or another turn, ended the transaction; the turn's own code may."""
    turn, tool_call_id = caller
    if operation.tool_call_id is not None:
        return (operation.turn, operation.tool_call_id) != (turn, tool_call_id)
    return operation.turn is not None and turn is not None and operation.turn != turn


def _pair(race: SessionRace) -> tuple[object, object]:
    first, second = race.first, race.second
    return (first.turn, first.tool_call_id), (second.turn, second.tool_call_id)


def _places(race: SessionRace) -> str:
    return f"; {_place(race.first)}, and then {_place(race.second)}"


def _place(access: AccessSeen) -> str:
    return f"{access.operation} of task {access.task!r} at {access.place or 'an unknown place'}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
