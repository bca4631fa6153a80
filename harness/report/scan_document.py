"""The versioned document of a scan, as `sessionproof scan --format json` writes it.

Guarantee: files below the folder of the scan are relative to it, with `/`; others are whole. All text is made
printable, for names and comments are whatever somebody wrote.
"""

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from harness import __version__
from harness.project.problem import Problem
from harness.report.model import DocumentModel
from harness.report.text import inline
from harness.scan.codes import Severity
from harness.scan.finding import Finding, Result
from harness.scan.values import Place, Step

__all__ = [
    "SCAN_SCHEMA_VERSION",
    "FindingOfScan",
    "IgnoredOfScan",
    "PlaceOfScan",
    "ProblemOfScan",
    "ScanDocument",
    "StepOfScan",
    "UserOfScan",
    "document_of",
    "scan_status",
]

SCAN_SCHEMA_VERSION = 1
_TEXT_LIMIT = 1000
_FOUND, _UNKNOWN = 1, 3


class PlaceOfScan(DocumentModel):
    """A place in the source; lines and columns count from 1."""

    file: str
    line: int
    column: int


class StepOfScan(DocumentModel):
    """One step from where a session is made to where it is used."""

    place: PlaceOfScan
    words: str


class UserOfScan(DocumentModel):
    """A tool, a task or an object that uses the session: where it is, and where it uses it."""

    name: str
    place: PlaceOfScan
    uses: tuple[StepOfScan, ...]


class FindingOfScan(DocumentModel):
    """One session that reaches where it must not; `variable` is how it gets there."""

    code: str
    severity: Severity
    place: PlaceOfScan
    message: str
    variable: str
    users: tuple[UserOfScan, ...]
    path: tuple[StepOfScan, ...]
    repair: str


class IgnoredOfScan(DocumentModel):
    """A finding that a comment accepts, and why."""

    finding: FindingOfScan
    reason: str


class ProblemOfScan(DocumentModel):
    """A file that was not scanned, and why."""

    file: str
    line: int
    message: str


class ScanDocument(DocumentModel):
    """One scan. `status` is the exit status of the command."""

    schema_version: Literal[1] = 1
    version: str
    status: int
    files: int
    lines: int
    findings: tuple[FindingOfScan, ...]
    ignored: tuple[IgnoredOfScan, ...]
    problems: tuple[ProblemOfScan, ...]


def document_of(result: Result, *, folder: Path) -> ScanDocument:
    """The document of a scan that was made in this folder."""
    shown = _shown_from(folder)
    return ScanDocument(
        version=__version__,
        status=scan_status(result),
        files=result.files,
        lines=result.lines,
        findings=tuple(_finding(each, shown) for each in result.findings),
        ignored=tuple(
            IgnoredOfScan(finding=_finding(each.finding, shown), reason=_text(each.reason)) for each in result.ignored
        ),
        problems=tuple(_problem(each, shown) for each in result.problems),
    )


def scan_status(result: Result) -> int:
    """The exit status: 1 for an error, else 3 if something was not scanned, else 0."""
    if any(each.severity is Severity.ERROR for each in result.findings):
        return _FOUND
    return _UNKNOWN if result.problems else 0


def _shown_from(folder: Path) -> Callable[[str], str]:
    whole = folder.absolute()

    def shown(file: str) -> str:
        path = Path(file).absolute()
        relative = path.relative_to(whole) if path.is_relative_to(whole) else path
        return inline(posixpath.normpath(relative.as_posix()), limit=_TEXT_LIMIT)

    return shown


def _text(text: str) -> str:
    return inline(text, limit=_TEXT_LIMIT)


def _finding(finding: Finding, shown: Callable[[str], str]) -> FindingOfScan:
    return FindingOfScan(
        code=str(finding.code),
        severity=finding.severity,
        place=_place(finding.place, shown),
        message=_text(finding.message),
        variable=_text(finding.variable),
        users=tuple(
            UserOfScan(name=_text(user.name), place=_place(user.place, shown), uses=_steps(user.uses, shown))
            for user in finding.users
        ),
        path=_steps(finding.path, shown),
        repair=finding.repair,
    )


def _steps(steps: Sequence[Step], shown: Callable[[str], str]) -> tuple[StepOfScan, ...]:
    return tuple(StepOfScan(place=_place(step.place, shown), words=_text(step.words)) for step in steps)


def _place(place: Place, shown: Callable[[str], str]) -> PlaceOfScan:
    return PlaceOfScan(file=shown(place.file), line=place.line, column=place.column)


def _problem(problem: Problem, shown: Callable[[str], str]) -> ProblemOfScan:
    return ProblemOfScan(file=shown(problem.file), line=problem.line, message=_text(problem.message))
