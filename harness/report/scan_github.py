"""A scan as annotations of GitHub Actions: a line for each finding, beside its code; GitHub shows ten of each level."""

from collections.abc import Iterator

from harness.plurals import number_of
from harness.report.github import command
from harness.report.scan_document import FindingOfScan, ScanDocument
from harness.scan.codes import Severity

__all__ = ["scan_github"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def scan_github(document: ScanDocument) -> str:
    """The lines; one at least, for silence is no proof."""
    lines = [*map(_annotation, document.findings), *_problems(document), _conclusion(document)]
    return "".join(f"{line}\n" for line in lines)


def _annotation(finding: FindingOfScan) -> str:
    users = "\n".join(f"{user.name}: {user.place.file}:{user.place.line}" for user in finding.users)
    text = "\n".join(part for part in (finding.message, users, f"Repair: {finding.repair}") if part)
    return command(
        _LEVELS[finding.severity],
        text,
        file=finding.place.file,
        line=str(finding.place.line),
        col=str(finding.place.column),
        title=finding.code,
    )


def _problems(document: ScanDocument) -> Iterator[str]:
    for problem in document.problems:
        yield command("error", problem.message, file=problem.file, line=str(problem.line), title="not scanned")


def _conclusion(document: ScanDocument) -> str:
    found = f"{number_of(len(document.findings), 'finding')} in {number_of(document.files, 'file')}"
    text = f"{found}, {len(document.problems)} not scanned"
    return command("notice", text, title="sessionproof scan")
