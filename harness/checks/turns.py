"""Did every turn give its answer?

The user sees a turn that failed or never ended, whatever the cause; the cause is for the other checks to say.
A turn that timed out is described by the tasks that were still running, each by its innermost frame, because
that is where it waits.
"""

from dataclasses import dataclass

from harness.checks.conclusion import Conclusion, seconds, sentence, turns_of
from harness.evidence import Evidence, StuckTask, Turn
from harness.verdict import CheckResult, FindingKind

__all__ = ["Turns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """`TURN_FAILED` and `TURN_TIMED_OUT`; unknown if no turn was sent."""

    name: str = "turns"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each turn without an answer."""
        conclusion = Conclusion(self.name)
        for turn in turns_of(evidence):
            if turn.timed_out:
                _timed_out(turn, conclusion)
            elif turn.answer is None or turn.error is not None:
                _failed(turn, conclusion)
        return conclusion.result


def _timed_out(turn: Turn, conclusion: Conclusion) -> None:
    stuck = "; ".join(_innermost(task) for task in turn.stuck) or "no task was still running"
    conclusion.find(
        FindingKind.TURN_TIMED_OUT,
        f"turn {turn.id!r} gave no answer within {seconds(turn.interval.seconds)}; {stuck}",
        where=f"turn {turn.id!r} of {turn.tenant}/{turn.agent}",
        turn=turn.id,
        stack=next((task.stack for task in turn.stuck if task.stack), ()),
    )


def _innermost(task: StuckTask) -> str:
    return f"task {task.name!r} waits at {task.stack[-1] if task.stack else 'an unknown place'}"


def _failed(turn: Turn, conclusion: Conclusion) -> None:
    error = ": ".join(part for part in (turn.error_type, sentence(turn.error or "")) if part)
    conclusion.find(
        FindingKind.TURN_FAILED,
        f"turn {turn.id!r} gave no answer: {error or 'it ended with neither an answer nor an error'}",
        where=f"turn {turn.id!r} of {turn.tenant}/{turn.agent}",
        turn=turn.id,
    )
