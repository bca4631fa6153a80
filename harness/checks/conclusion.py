"""What the parts of a check have in common: gathering findings, and concluding from them.

A check may find something wrong in one place and have nothing to look at in another. `Conclusion` keeps the
two apart until the end: findings make the check `failed`, and only without any do the doubts make it
`unknown`, with all of them as the reason. Without either it has `passed`. So a doubt is never lost, and never
outweighs a finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.errors import MissingEvidence
from harness.evidence import Evidence, PlannedCall, Turn
from harness.verdict import CheckResult, Finding, FindingKind, Verdict

__all__ = ["Conclusion", "Plan", "seconds", "sentence", "turns_of"]

_SENTENCE_LENGTH = 300


@dataclass(slots=True)
class Conclusion:
    """What one check has found so far, what it only noticed, and what it could not decide."""

    check: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def find(
        self,
        kind: FindingKind,
        message: str,
        *,
        where: str = "",
        turn: str | None = None,
        tool_call_id: str | None = None,
        stack: tuple[str, ...] = (),
    ) -> None:
        """Add a finding of this check."""
        finding = Finding(
            kind=kind,
            message=message,
            check=self.check,
            where=where,
            turn=turn,
            tool_call_id=tool_call_id,
            stack=stack,
        )
        self.findings.append(finding)

    @property
    def result(self) -> CheckResult:
        """The verdict: findings fail the check; without any, a doubt makes it unknown."""
        verdict = Verdict.FAILED if self.findings else Verdict.UNKNOWN if self.doubts else Verdict.PASSED
        return CheckResult(
            check=self.check,
            verdict=verdict,
            findings=tuple(self.findings),
            reason="; ".join(self.doubts),
            notes=tuple(self.notes),
        )


class Plan:
    """The planned calls of all turns, by turn and tool call id."""

    def __init__(self, turns: tuple[Turn, ...]) -> None:
        self._calls = {(turn.id, call.tool_call_id): call for turn in turns for call in turn.planned}

    def __iter__(self) -> Iterator[tuple[str, PlannedCall]]:
        return ((turn, call) for (turn, _), call in self._calls.items())

    def call(self, turn: str | None, tool_call_id: str | None) -> PlannedCall | None:
        """The planned call, also without its turn if the id is enough; `None` if nobody planned it."""
        if tool_call_id is None:
            return None
        if turn is not None:
            return self._calls.get((turn, tool_call_id))
        candidates = [call for (_, identifier), call in self._calls.items() if identifier == tool_call_id]
        return candidates[0] if len(candidates) == 1 else None

    def name(self, turn: str | None, tool_call_id: str | None) -> str:
        """The tool's name, or failing that the call's id in quotes."""
        call = self.call(turn, tool_call_id)
        return call.tool if call else f"call {tool_call_id!r}"

    def place(self, turn: str | None, tool_call_id: str | None) -> str:
        """Where something happened, for a finding's `where`."""
        parts = [f"turn {turn!r}"] if turn is not None else []
        if tool_call_id is not None:
            call = self.call(turn, tool_call_id)
            name = f"tool {call.tool!r} " if call else ""
            parts.append(f"{name}(call {tool_call_id!r})")
        return ", ".join(parts) or "outside any turn"


def turns_of(evidence: Evidence) -> tuple[Turn, ...]:
    """The turns; raises `MissingEvidence` if there is none, because then nothing was exercised."""
    if not evidence.turns:
        raise MissingEvidence("no turn was sent, so that there is nothing to look at")
    return evidence.turns


def sentence(text: str) -> str:
    """The first line of a text that may be long, cut to what fits into a message."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    return line if len(line) <= _SENTENCE_LENGTH else line[: _SENTENCE_LENGTH - 1] + "…"


def seconds(value: float) -> str:
    """A duration as findings show it."""
    return f"{value:.3f} s"
