"""A comparison as the document that reports are made from."""

from harness.bench.change import Change, Comparison
from harness.report.bench_document import (
    ChangeDocument,
    ChangeOutcome,
    ComparisonDocument,
    GrownDocument,
    GrowthDocument,
)

__all__ = ["comparison_document"]


def comparison_document(compared: Comparison) -> ComparisonDocument:
    """The comparison, for reports, which know nothing of how it was made: the worst first, as far as there is room."""
    return ComparisonDocument(
        threshold=compared.gate.threshold,
        outcome=compared.outcome,
        changes=tuple(map(_change, sorted(compared.changes, key=_how_bad))),
        doubts=compared.doubts,
        notes=compared.notes,
    )


def _how_bad(change: Change) -> int:
    """What is worse comes first, then what leaves all undecided; all else stays as it was measured."""
    if change.outcome is ChangeOutcome.WORSE:
        return 0
    return 1 if change.is_in_doubt else 2


def _change(change: Change) -> ChangeDocument:
    growth = change.growth
    return ChangeDocument(
        case=change.case,
        arm=change.arm,
        what=change.what,
        before=change.before,
        now=change.now,
        outcome=change.outcome,
        decisive=change.decisive,
        growth=GrowthDocument(value=growth.value, low=growth.low, high=growth.high) if growth is not None else None,
        spent={
            part: GrownDocument(seconds=grown.seconds, low=grown.low, high=grown.high)
            for part, grown in change.parts.items()
        },
        reason=change.reason,
    )
