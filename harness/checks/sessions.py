"""Did a tool's commit or rollback cover another tool's rows?

On a shared session whoever ends the transaction ends it for everybody: one tool's commit publishes what
another has only half written, and one tool's rollback takes back what another has reported as done. Neither
raises.

The session operations are replayed in order. For each session the check remembers which tool calls have
flushed rows since the last commit, rollback or close. One of these that covers the rows of another tool that
is still running is a `BLEED`. A rollback (or a close without a commit) that covers rows of a tool that
returned, and that flushed nothing afterwards, is a `LOST_WRITE`; a tool's own rollback is its own decision,
and no finding.

Not seen here: rows that were added and not yet flushed, because the flush belongs to whoever ends the
transaction; and a lost row of a tool that flushed another one later, because that may be its repetition. Rows
that are written by `execute(insert(...))` are no flush either: a tool whose role is to write, and that wrote only
so, leaves the question open.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from harness.checks.conclusion import Conclusion, Plan, turns_of
from harness.checks.writing import WRITING_ROLES
from harness.evidence import Evidence, OperationKind, SessionOperation, ToolOutcome, ToolRun
from harness.sql import writes_rows
from harness.verdict import CheckResult, FindingKind

__all__ = ["Sessions"]

_Caller = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """`BLEED` and `LOST_WRITE`; unknown without the session operations or the tool runs."""

    name: str = "sessions"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each covered write of a running tool, and for each write that was lost."""
        plan = Plan(turns_of(evidence))
        runs: dict[_Caller, list[ToolRun]] = defaultdict(list)
        for run in evidence.tools:
            runs[run.turn, run.tool_call_id].append(run)
        conclusion = Conclusion(self.name)
        replay = _Replay(plan, runs, conclusion)
        for operation in sorted(evidence.operations, key=lambda operation: operation.at):
            replay.follow(operation)
        replay.conclude()
        _doubt_writes_through_core(evidence, plan, runs, conclusion)
        return conclusion.result


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
        self.conclusion.find(
            FindingKind.BLEED,
            f"{self._actor(operation)} called {operation.kind} on session {operation.session}, which "
            f"covered {_rows(rows)} that {victim} had flushed and not yet committed, while {victim} was "
            "still running",
            where=self.plan.place(operation.turn, operation.tool_call_id),
            turn=operation.turn,
            tool_call_id=operation.tool_call_id,
            stack=operation.stack,
        )

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


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
