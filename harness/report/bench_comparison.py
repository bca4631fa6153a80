"""What the writers of a benchmark say of its comparison with a baseline: the conclusion, each change, and the doubts.

Guarantee: pure functions of the comparison; numbers and names are put by `harness.report.bench_words`.
"""

from collections.abc import Iterator

from harness.report.bench_document import (
    ChangeDocument,
    ChangeOutcome,
    ComparisonDocument,
    GrownDocument,
)
from harness.report.bench_words import (
    name,
)
from harness.report.text import inline

__all__ = [
    "OUTCOMES",
    "became",
    "comparison_notes",
    "conclusion",
    "doubts",
    "regression",
]

OUTCOMES = {
    ChangeOutcome.WORSE: "WORSE",
    ChangeOutcome.UNDECIDED: "UNDECIDED",
    ChangeOutcome.NOT_WORSE: "not worse",
}
"""What became of something since the baseline, in words."""

_SHOWN_PARTS = 3

_DOUBT_LIMIT = 600

_LEAST_GROWN = 0.00005
"""Seconds: what is shown as 0.0 ms is nothing that grew, however sure it is."""


def conclusion(compared: ComparisonDocument) -> str:
    """What a comparison amounts to."""
    return f"{OUTCOMES[compared.outcome]}: looked for a growth of ratios by {compared.threshold:g} times or more"


def became(change: ChangeDocument) -> str:
    """What became of something; in small letters if it is undecided, and leaves nothing else undecided."""
    is_open = change.outcome is ChangeOutcome.UNDECIDED and not change.decisive
    return "undecided" if is_open else OUTCOMES[change.outcome]


def regression(change: ChangeDocument) -> str:
    """What became worse: the case, both values with their intervals, and the parts that grew the most beyond doubt."""
    values = f"{inline(change.before)} to {inline(change.now)}"
    return f"WORSE: {inline(change.case)}, {inline(change.arm)}, {inline(change.what)}: {values}{_spent(change)}"


def _spent(change: ChangeDocument) -> str:
    if not change.spent:
        return ""
    grown = {
        part: of
        for part, of in change.spent.items()
        if (of.seconds if of.low is None else of.low) > 0 and of.seconds >= _LEAST_GROWN
    }
    if not grown:
        return "; no part of it grew beyond doubt"
    shown = [f"{name(part)} {_grown(of)}" for part, of in grown.items()][:_SHOWN_PARTS]
    is_undecided = any(of.low is None for of in grown.values())
    means = " (means, and not decided: one of the runs does not have the parts of each repetition)"
    return f"; in {', '.join(shown)}{means if is_undecided else ''}"


def _grown(of: GrownDocument) -> str:
    """`+62.1 ms [55.0, 70.0]`."""
    interval = "" if of.low is None or of.high is None else f" [{of.low * 1000:.1f}, {of.high * 1000:.1f}]"
    return f"{of.seconds * 1000:+.1f} ms{interval}"


def doubts(compared: ComparisonDocument) -> Iterator[str]:
    """Why a comparison leaves something undecided, and what to do."""
    return (f"UNDECIDED: {inline(doubt, limit=_DOUBT_LIMIT)}" for doubt in compared.doubts)


def comparison_notes(compared: ComparisonDocument) -> Iterator[str]:
    """What else is to be known of a comparison."""
    yield from map(inline, compared.notes)
    if any(became(change) == "undecided" for change in compared.changes):
        yield "what is undecided in small letters was measured less closely, and leaves nothing else undecided"
