"""Did every turn give its answer?

The user sees a turn that failed or never ended, whatever the cause; the cause is for the other checks to say. Only
where a model decides by itself, and it is the model that gave no answer, there is no finding: that is noted.
A turn that timed out is described by its own tasks that were still running: its tools' first, which are named after
them, then the one that sent it. Each is shown by the innermost line of the application in it, because that can be
looked up, and by what that line waits for. Where none of the tasks is the turn's, all are shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from harness.checks.conclusion import Conclusion, seconds, sentence, turns_of
from harness.checks.model_outcomes import ModelOutcome, outcome_of
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
            if turn.chosen and (outcome := outcome_of(turn, evidence)) is not None:
                if outcome is not ModelOutcome.ANSWERED:
                    conclusion.notes.append(f"turn {turn.id!r} has no answer of the model: {outcome.value}")
            elif turn.timed_out:
                _timed_out(turn, conclusion)
            elif turn.answer is None or turn.error is not None:
                _failed(turn, conclusion)
        return conclusion.result


def _timed_out(turn: Turn, conclusion: Conclusion) -> None:
    own = list(_tasks_of(turn))
    shown = own or list(turn.stuck)
    stuck = "; ".join(_place(task) for task in shown) or "no task was still running"
    others = len(turn.stuck) - len(shown)
    conclusion.find(
        FindingKind.TURN_TIMED_OUT,
        f"turn {turn.id!r} gave no answer within {seconds(turn.interval.seconds)}; {stuck}"
        + (f"; other tasks that were still running: {others}" if others else ""),
        where=f"turn {turn.id!r} of {turn.tenant}/{turn.agent}",
        turn=turn.id,
        stack=next((task.stack for task in shown if task.stack), ()),
    )


def _tasks_of(turn: Turn) -> Iterator[StuckTask]:
    """The tasks of the turn's tools, and then the turn's own. Tools of other turns have the same names."""
    tools = {call.tool for call in turn.planned}
    yield from (task for task in turn.stuck if task.name in tools)
    yield from (task for task in turn.stuck if task.name == f"turn {turn.id}")


def _place(task: StuckTask) -> str:
    if not task.stack:
        return f"task {task.name!r} waits at an unknown place"
    line, innermost = _application_line(task.stack), task.stack[-1]
    return f"task {task.name!r} waits at {line}" + (f", in {innermost}" if line != innermost else "")


def _application_line(stack: Sequence[str]) -> str:
    """The innermost frame below the working directory; failing that, the one before the last (`observe.stuck`)."""
    own = [frame for frame in stack if _is_own(frame)]
    return own[-1] if own else stack[-2:][0]


def _is_own(frame: str) -> bool:
    """Whether a frame's path is relative, as those below the working directory are, and not an installed package's."""
    path = PurePath(frame)
    return not (path.is_absolute() or frame.startswith("<") or "site-packages" in path.parts)


def _failed(turn: Turn, conclusion: Conclusion) -> None:
    error = ": ".join(part for part in (turn.error_type, sentence(turn.error or "")) if part)
    conclusion.find(
        FindingKind.TURN_FAILED,
        f"turn {turn.id!r} gave no answer: {error or 'it ended with neither an answer nor an error'}",
        where=f"turn {turn.id!r} of {turn.tenant}/{turn.agent}",
        turn=turn.id,
    )
