"""How far a fault reached: what it took from the ledger, and how many tools and turns failed with it.

Pure counting, without a judgement: a fault may break the one tool that it strikes. In a session per operation that is
where it ends; on a shared session the others break as well. A call that asked the model to try again has not failed,
and a turn that the harness itself interrupted has not either.
"""

from collections.abc import Sequence

from harness.evidence import Evidence, PlannedCall, ToolOutcome, ToolRun, Turn
from harness.verdict import CheckResult, Damage, FindingKind

__all__ = ["damage_of"]

_RETRIES = ("ModelRetry", "ToolRetryError")
_WRONG = frozenset(
    {
        FindingKind.FOREIGN_ROW,
        FindingKind.WRONG_TOKENS,
        FindingKind.WRONG_MODEL,
        FindingKind.WRONG_COST,
        FindingKind.ZERO_COST,
        FindingKind.NULL_PRICED_AS_ZERO,
        FindingKind.BROKEN_TOTAL,
        FindingKind.NIL_IDENTIFIER,
    }
)


def damage_of(evidence: Evidence, results: Sequence[CheckResult]) -> Damage:
    """The counts; those of tools are 0 of 0 where the tools could not be recorded."""
    kinds = [finding.kind for result in results for finding in result.findings]
    runs = evidence.tools.entries
    calls = [(turn, call) for turn in evidence.turns if turn.interrupted is None for call in turn.planned]
    return Damage(
        missing=kinds.count(FindingKind.MISSING_ROW),
        duplicate=kinds.count(FindingKind.DUPLICATE_ROW),
        wrong=sum(kind in _WRONG for kind in kinds),
        tools=len(calls) if evidence.tools.missing is None else 0,
        failed_tools=sum(_failed(turn, call, runs) for turn, call in calls if evidence.tools.missing is None),
        turns=len(evidence.turns),
        failed_turns=sum(turn.answer is None and turn.interrupted is None for turn in evidence.turns),
    )


def _failed(turn: Turn, call: PlannedCall, runs: Sequence[ToolRun]) -> bool:
    """Whether a call that was begun did not return; one that the turn never came to is the turn's failure."""
    own = [run for run in runs if run.turn == turn.id and run.tool_call_id == call.tool_call_id]
    return bool(own) and not any(
        run.outcome is ToolOutcome.RETURNED or (run.error_type or "").endswith(_RETRIES) for run in own
    )
