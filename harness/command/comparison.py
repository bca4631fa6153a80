"""A comparison as the document that reports are made from."""

from harness.bench.baseline import Change, Comparison
from harness.report.bench_document import ChangeDocument, ComparisonDocument, GrowthDocument

__all__ = ["comparison_document"]


def comparison_document(compared: Comparison) -> ComparisonDocument:
    """The comparison, for reports: they know nothing of how it was made."""
    return ComparisonDocument(
        threshold=compared.gate.threshold,
        outcome=compared.outcome,
        changes=tuple(map(_change, compared.changes)),
        notes=compared.notes,
    )


def _change(change: Change) -> ChangeDocument:
    growth = change.growth
    return ChangeDocument(
        case=change.case,
        arm=change.arm,
        what=change.what,
        before=change.before,
        now=change.now,
        outcome=change.outcome,
        growth=GrowthDocument(value=growth.value, low=growth.low, high=growth.high) if growth is not None else None,
        spent=dict(change.parts),
    )
