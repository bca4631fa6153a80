"""The application's lines to which a report's stacks point, as the run document keeps them.

Problem: a frame, `service.py:41 in search`, says where; whoever reads a report wants to see what stood there, and has
another checkout, or none.

Mechanism: the run keeps what stands around the places of its findings' and races' stacks
(`harness.report.source_reading`), and a report finds each place in that.

Guarantee: pure. What is shown is what ran, wherever and whenever the report is made; no file is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.report.document import CellDocument, RunDocument, SourceFileDocument

__all__ = ["AROUND", "PLACE", "PLACES_LIMIT", "Excerpt", "Sources", "frames_of", "places_of", "sources_of"]

PLACE = re.compile(r"(?P<place>(?P<file>.{1,1000}?):(?P<line>[0-9]{1,7})) in (?P<function>.{0,1000})", re.DOTALL)
"""A frame as stacks have it."""

AROUND = 2
"""How many lines are kept before a place, and after it."""
PLACES_LIMIT = 500
"""Of how many places a report shows the lines at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Some lines of a file, of which the first has the number `first`."""

    first: int
    lines: tuple[str, ...]


Sources = Mapping[str, Excerpt]
"""Excerpts by place: `app/service.py:41`."""


def sources_of(document: RunDocument) -> Sources:
    """What stood at the places of the document's findings; in place of lines that are missing, the reason."""
    files = {each.file: each for each in document.source_files}
    found: dict[str, Excerpt] = {}
    for match in places_of(document):
        kept = files.get(match["file"])
        if kept is not None and (excerpt := _around(kept, int(match["line"]))) is not None:
            found[match["place"]] = excerpt
        if len(found) == PLACES_LIMIT:
            break
    return found


def _around(kept: SourceFileDocument, line: int) -> Excerpt | None:
    if kept.missing is not None:
        return Excerpt(first=line, lines=(f"[not shown: {kept.missing}]",))
    for excerpt in kept.excerpts:
        index = line - excerpt.first
        if 0 <= index < len(excerpt.lines):
            first = max(0, index - AROUND)
            return Excerpt(first=excerpt.first + first, lines=excerpt.lines[first : index + AROUND + 1])
    return None


def places_of(document: RunDocument) -> Iterator[re.Match[str]]:
    """The frames that name a line, each once; those of cells that are not as expected first."""
    for frame in dict.fromkeys(frames_of(document)):
        if (match := PLACE.fullmatch(frame)) is not None:
            yield match


def frames_of(document: RunDocument) -> Iterator[str]:
    """Every frame of the document's findings and races."""
    for cell in sorted(document.cells, key=lambda each: each.as_expected):
        yield from _cell_frames(cell)


def _cell_frames(cell: CellDocument) -> Iterator[str]:
    for finding in cell.findings:
        yield from finding.stack
    for race in cell.evidence.races.items:
        for access in (race.first, race.second):
            yield from map(str, (*access.stack, *access.task_created))
        yield from map(str, race.subject_created)
