"""Did what was to go wrong go wrong?

Problem: a ledger that is right after a fault that never came proves nothing.

Mechanism: whoever carries out a fault (the wire provider, the proxy in front of the database, the conversation) tells
it under the label that the scenario's plan has; each must be there as often as it was planned. A turn that was answered
must also have come to all of its model responses, and its tools to what their roles promise where that is the fault: a
call that is to fail has failed, one that is to ask the model to try again has done so, and one that is to hand on a
question was there. A turn that must be answered was, one that must not be was not, and none failed before anything was
served unless a fault struck it.

Guarantee: no findings. What is missing makes the check unknown.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from harness.checks.conclusion import Conclusion, turns_of
from harness.evidence import Evidence, PlannedCall, ToolOutcome, ToolRun, Turn
from harness.scenario import ToolRole
from harness.verdict import CheckResult

__all__ = ["Faults"]

_RAISING = frozenset({ToolRole.FAIL, ToolRole.RETRY})
_LOOKED_AT = _RAISING | {ToolRole.DELEGATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """No findings; unknown unless each planned fault struck, and each answered turn came to what its plan says."""

    name: str = "faults"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A doubt for each fault, response and call that did not come."""
        turns = turns_of(evidence)
        conclusion = Conclusion(self.name)
        came = Counter(fault.label for fault in evidence.faults)
        for label, times in (Counter(evidence.planned_faults) - came).items():
            planned = evidence.planned_faults.count(label)
            conclusion.doubts.append(f"the fault {label!r} struck {planned - times} times, and was planned {planned}")
        served = Counter(charge.turn for charge in evidence.invoice)
        struck = {fault.turn for fault in evidence.faults}
        runs = list(evidence.tools)
        for turn in turns:
            if turn.interrupted is None:
                conclusion.doubts += _lacks(turn, served[turn.id], runs, struck=bool(struck & {turn.id, None}))
        return conclusion.result


def _lacks(turn: Turn, served: int, runs: list[ToolRun], *, struck: bool) -> Iterator[str]:
    answered = turn.answer is not None
    if turn.to_be_answered is not None and turn.to_be_answered is not answered:
        yield f"turn {turn.id!r} was {'answered' if answered else 'not answered'}, and should not have been so"
    if answered and served < turn.planned_responses:
        yield f"turn {turn.id!r} was answered after {served} of {turn.planned_responses} planned model responses"
    if not (answered or served or struck):
        yield f"turn {turn.id!r} failed before anything was served, and no fault struck it"
    for call in turn.planned if answered else ():
        if call.role in _LOOKED_AT and not _did(call, [run for run in runs if run.turn == turn.id]):
            yield f"tool {call.tool!r} (call {call.tool_call_id!r}) did not do what its role {call.role!r} says"


def _did(call: PlannedCall, runs: list[ToolRun]) -> bool:
    wanted = ToolOutcome.RAISED if call.role in _RAISING else ToolOutcome.RETURNED
    return any(run.tool_call_id == call.tool_call_id and run.outcome is wanted for run in runs)
