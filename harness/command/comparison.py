"""A comparison as the document that reports are made from, and on a terminal."""

from rich.console import Console

from harness.bench.baseline import Change, Comparison
from harness.report import bench_terminal
from harness.report.bench_document import ChangeDocument, ChangeOutcome, ComparisonDocument, GrowthDocument

__all__ = ["comparison_document", "show_comparison"]


def show_comparison(compared: Comparison, console: Console) -> None:
    """Print a row for each change, then what a regression was spent on, and one last line."""
    bench_terminal.show_comparison(comparison_document(compared), console)


def comparison_document(compared: Comparison) -> ComparisonDocument:
    """The comparison, for reports: they know nothing of how it was made."""
    return ComparisonDocument(
        threshold=compared.gate.threshold,
        outcome=ChangeOutcome(compared.outcome.value),
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
        outcome=ChangeOutcome(change.outcome.value),
        growth=GrowthDocument(value=growth.value, low=growth.low, high=growth.high) if growth is not None else None,
        spent=dict(change.parts),
    )
