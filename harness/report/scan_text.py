"""A scan as text, for people: each finding with who uses the session, how it gets there, and what to change."""

from collections.abc import Iterator

from harness.report.scan_document import FindingOfScan, PlaceOfScan, ScanDocument

__all__ = ["scan_text"]


def scan_text(document: ScanDocument) -> str:
    """The lines; the last one says what it amounts to."""
    lines: list[str] = []
    for finding in document.findings:
        lines += [*_finding(finding), ""]
    for problem in document.problems:
        lines += [f"not scanned: {problem.file}:{problem.line}: {problem.message}"]
    return "\n".join([*lines, *_summary(document), ""])


def _finding(finding: FindingOfScan) -> Iterator[str]:
    yield f"{_place(finding.place)}: {finding.severity} {finding.code}: {finding.message}"
    for user in finding.users:
        yield f"  {user.name}, {_place(user.place)}"
        yield from (f"    {_place(use.place)} {use.words}" for use in user.uses)
    if finding.path:
        yield "  the way of the session"
        yield from (f"    {_place(step.place)} {step.words}" for step in finding.path)
    if finding.repair:
        yield f"  repair: {finding.repair}"


def _summary(document: ScanDocument) -> Iterator[str]:
    files = f"{document.files:,} {'file' if document.files == 1 else 'files'}"
    found = len(document.findings)
    ignored = f", {len(document.ignored)} ignored" if document.ignored else ""
    unread = f", {len(document.problems)} not scanned" if document.problems else ""
    yield f"{found or 'no'} {'finding' if found == 1 else 'findings'} in {files}{ignored}{unread}"


def _place(place: PlaceOfScan) -> str:
    return f"{place.file}:{place.line}"
