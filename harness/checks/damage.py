"""How far a fault reached: what it took from the ledger, and how many tools and turns failed with it.

Pure counting, without a judgement: a fault may break the one tool that it strikes. In a session per operation that is
where it ends; on a shared session the others break as well. A call that asked the model to try again has not failed,
and a turn that the harness itself interrupted has not either.
"""

from collections.abc import Sequence

from harness.checks.ledger import Ledger
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
    """The counts; `None` in place of what could not be looked at."""
    sides = (evidence.invoice, evidence.responses, evidence.ledger)
    reconciled = any(result.check == Ledger().name for result in results) and all(
        side.missing is None for side in sides
    )
    kinds = [finding.kind for result in results for finding in result.findings]
    recorded = evidence.tools.missing is None
    runs = evidence.tools.entries
    calls = [(turn, call) for turn in evidence.turns if turn.interrupted is None for call in turn.planned]
    return Damage(
        missing=kinds.count(FindingKind.MISSING_ROW) if reconciled else None,
        duplicate=kinds.count(FindingKind.DUPLICATE_ROW) if reconciled else None,
        wrong=sum(kind in _WRONG for kind in kinds) if reconciled else None,
        tools=len(calls) if recorded else None,
        failed_tools=sum(_failed(turn, call, runs) for turn, call in calls) if recorded else None,
        turns=len(evidence.turns),
        failed_turns=sum(turn.answer is None and turn.interrupted is None for turn in evidence.turns),
    )


def _failed(turn: Turn, call: PlannedCall, runs: Sequence[ToolRun]) -> bool:
    """Whether a call that was begun did not return; one that the turn never came to is the turn's failure."""
    own = [run for run in runs if run.turn == turn.id and run.tool_call_id == call.tool_call_id]
    return bool(own) and not any(
        run.outcome is ToolOutcome.RETURNED or (run.error_type or "").endswith(_RETRIES) for run in own
    )
