"""Does a bug show in a cell, and in a run? Four answers, and missing evidence is one of them.

Problem: "the cell failed" is not "the tools share a session": a turn can fail for a hundred reasons. And a cell without
that finding is not one without the bug, if the checks that would find it could not look.

Mechanism: kinds of findings are witnesses, which nothing but sharing gives; symptoms, which sharing gives and other
things can; and the rest, which is unrelated. In the modes of the repair only those findings count that a scenario does
not admit there.

Guarantee: pure. `shows` beats `symptoms` beats `unknown` beats `clear`, and a run without cells is unknown.
"""

from collections.abc import Collection
from enum import StrEnum

from harness.report.document import CellDocument, FindingDocument, RunDocument
from harness.scenario import SessionMode
from harness.verdict import FindingKind, Verdict

__all__ = ["SYMPTOMS", "WITNESSES", "Showing", "counted", "showing", "showing_of_run"]

WITNESSES = frozenset(
    {
        FindingKind.BLEED,
        FindingKind.CONCURRENT_OPERATION,
        FindingKind.DRIVER_BUSY,
        FindingKind.FOREIGN_ERROR,
        FindingKind.ILLEGAL_STATE,
        FindingKind.SESSION_FOREIGN_THREAD,
        FindingKind.SESSION_OVERLAP,
        FindingKind.SESSION_UNORDERED,
    }
)
"""Findings that there are only where tools, or a tool and the tracker, use one session or connection."""
SYMPTOMS = frozenset(
    {
        FindingKind.ABORTED_TRANSACTION,
        FindingKind.FOREIGN_LOOP,
        FindingKind.LOST_WRITE,
        FindingKind.MISSING_ROW,
        FindingKind.NO_SPEEDUP,
        FindingKind.POISONED_CONNECTION,
        FindingKind.POOL_EXHAUSTED,
        FindingKind.SERIALISED,
        FindingKind.SESSION_FOREIGN_LOOP,
        FindingKind.TURN_FAILED,
        FindingKind.TURN_TIMED_OUT,
        FindingKind.UNBILLED_RESPONSE,
        FindingKind.UNEXPECTED_ERROR,
    }
)
"""Findings that come of sharing, and can come of something else."""
_REPAIRS = frozenset({SessionMode.PER_OPERATION, SessionMode.DURABLE, SessionMode.DEFERRED})


class Showing(StrEnum):
    """Whether the bug shows, the worst first."""

    SHOWS = "shows"
    SYMPTOMS = "symptoms"
    """There are findings that the bug gives, but none that nothing else gives."""
    UNKNOWN = "unknown"
    CLEAR = "clear"
    """There is neither, and every check could decide."""


def counted(cell: CellDocument) -> list[FindingDocument]:
    """The findings that say something of the application: in a mode of the repair those that must not be there."""
    if cell.session_mode in _REPAIRS:
        return [finding for finding in cell.findings if finding.unexpected]
    return list(cell.findings)


def showing(cell: CellDocument, bug: frozenset[FindingKind] = WITNESSES) -> Showing:
    """Whether the bug, which is known by any of these kinds of findings, shows in the cell."""
    kinds = {finding.kind for finding in counted(cell)}
    if kinds & bug:
        return Showing.SHOWS
    if kinds & (WITNESSES | SYMPTOMS):
        return Showing.SYMPTOMS
    return Showing.CLEAR if _decided(cell, kinds) else Showing.UNKNOWN


def _decided(cell: CellDocument, kinds: Collection[FindingKind]) -> bool:
    """Whether what is not found is not there; a scenario may admit that a check cannot decide."""
    if cell.session_mode in _REPAIRS and (cell.as_expected or not kinds):
        return cell.as_expected
    return bool(cell.checks) and all(check.verdict is not Verdict.UNKNOWN for check in cell.checks)


def showing_of_run(document: RunDocument, bug: frozenset[FindingKind] = WITNESSES) -> Showing:
    """Whether the bug shows in any of the run's cells; only a run without problems can be clear of it."""
    seen = {showing(cell, bug) for cell in document.cells}
    if not seen or document.problems:
        seen.add(Showing.UNKNOWN)
    return next(each for each in Showing if each in seen)
