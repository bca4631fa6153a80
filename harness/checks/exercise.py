"""Did the tools do to the database what the scenario needs them to do?

Problem: a tool that never reaches the database collides with nobody, and a tool that is to fail and succeeds leaves
everybody else in peace: such a cell finds nothing wrong, and proves nothing.

Mechanism: what a role promises (`harness.scenario.ToolRole`) is looked for in what its call did. Every call must have
run, with a statement of its own for each operation that it was to do. `flush` and `commit` must have written;
`rollback` and `fail` must have been refused a statement by the database, and `fail` must have raised.

Guarantee: no findings. What is missing makes the check unknown, because it says nothing of how sessions are shared. A
call that a model decided on by itself promises nothing. Two things are left to the other checks, which find them: a
turn with an error that is a sign of a collision, where one tool's work may be done, or prevented, by another; and a
tool whose error nobody planned.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.checks.classification import Classifier, is_refusal
from harness.checks.conclusion import Conclusion, turns_of
from harness.checks.writing import WRITING_ROLES
from harness.evidence import ErrorSource, Evidence, OperationKind, PlannedCall, Statement, ToolOutcome, ToolRun, Turn
from harness.scenario import INTENDED_FAILURES, ToolRole
from harness.sql import writes_rows
from harness.verdict import CheckResult, FindingKind

__all__ = ["Exercise"]

_RETRIES = ("ModelRetry", "ToolRetryError")
_Caller = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """No findings; unknown unless each planned call of each turn that was answered did what its role promises."""

    name: str = "exercise"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A doubt for each tool, and each thing that it did not do."""
        answered = [turn for turn in turns_of(evidence) if turn.answer is not None]
        deeds = _deeds(evidence)
        collided = _collided(evidence)
        conclusion = Conclusion(self.name)
        if not answered:
            conclusion.doubts.append("no turn was answered: the scenario was not exercised")
        lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
        for turn in answered:
            if not collided & {turn.id, None}:
                for call, lack in _lacks(turn, deeds):
                    lacking[call.tool, lack].append(call.tool_call_id)
        for (tool, lack), calls in lacking.items():
            conclusion.doubts.append(f"tool {tool!r} ({_listed(calls)}) {lack}: the scenario was not exercised")
        return conclusion.result


@dataclass(slots=True)
class _Deeds:
    """What one tool call did."""

    runs: list[ToolRun] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    flushed: bool = False
    refused: bool = False

    @property
    def wrote(self) -> bool:
        return self.flushed or any(writes_rows(each.sql) for each in self.statements if not each.failed)

    @property
    def raised(self) -> bool:
        return any(run.outcome is ToolOutcome.RAISED for run in self.runs)

    @property
    def failed_unplanned(self) -> bool:
        """Whether it raised something that the errors check finds; asking the model to try again is no error."""
        return any(
            run.outcome is ToolOutcome.RAISED and not (run.error_type or "").endswith(_RETRIES) for run in self.runs
        )


def _deeds(evidence: Evidence) -> dict[_Caller, _Deeds]:
    """By turn and call; reads every record, so that a missing one is always noticed."""
    deeds: dict[_Caller, _Deeds] = defaultdict(_Deeds)
    for run in evidence.tools:
        deeds[run.turn, run.tool_call_id].runs.append(run)
    for statement in evidence.statements:
        if not statement.injected:
            deed = deeds[statement.turn, statement.tool_call_id]
            deed.statements.append(statement)
            deed.refused |= statement.failed
    for operation in evidence.operations:
        if operation.kind is OperationKind.FLUSH and operation.rows > 0:
            deeds[operation.turn, operation.tool_call_id].flushed = True
    for record in evidence.errors:
        if record.source is ErrorSource.DATABASE and record.sqlstate is not None and is_refusal(record):
            deeds[record.turn, record.tool_call_id].refused = True
    return deeds


def _collided(evidence: Evidence) -> set[str | None]:
    """The turns with an error that has a kind of its own, and so is a finding; `None` for one outside any turn."""
    classifier = Classifier.of(evidence.errors)
    return {record.turn for record in evidence.errors if classifier.kind(record) is not FindingKind.UNEXPECTED_ERROR}


def _lacks(turn: Turn, deeds: dict[_Caller, _Deeds]) -> Iterator[tuple[PlannedCall, str]]:
    for call in () if turn.chosen else turn.planned:
        if lack := _lack(call, deeds[turn.id, call.tool_call_id]):
            yield call, lack


def _lack(call: PlannedCall, deeds: _Deeds) -> str:
    """What is missing, as the end of a sentence; empty if nothing, or if the errors check says why."""
    if not deeds.runs:
        return "did not run"
    if call.role in INTENDED_FAILURES:
        return _lack_of_failure(call, deeds)
    if deeds.failed_unplanned:
        return ""
    if len(deeds.statements) < call.operations:
        return _lack_of_statements(call, deeds)
    if call.role in WRITING_ROLES and not deeds.wrote:
        return f"wrote nothing, and its role is {call.role!r}"
    return ""


def _lack_of_failure(call: PlannedCall, deeds: _Deeds) -> str:
    """An error that only looks like the database's is intended by its name, so that only the database's counts."""
    if not (deeds.statements or deeds.refused):
        return f"{_ending(deeds)} without a statement"
    if not deeds.refused:
        return f"was refused nothing by the database, and its role is {call.role!r}"
    if call.role == ToolRole.FAIL and not deeds.raised:
        return f"did not raise, and its role is {call.role!r}"
    return ""


def _lack_of_statements(call: PlannedCall, deeds: _Deeds) -> str:
    if not deeds.statements:
        return f"{_ending(deeds)} without a statement"
    return f"ran {len(deeds.statements)} of at least {call.operations} statements, one for each planned operation"


def _ending(deeds: _Deeds) -> str:
    outcomes = {run.outcome for run in deeds.runs}
    return "returned" if ToolOutcome.RETURNED in outcomes else "raised" if deeds.raised else "was cut off"


def _listed(calls: list[str]) -> str:
    more = f" and {len(calls) - 1} more" if len(calls) > 1 else ""
    return f"call {calls[0]!r}{more}"
