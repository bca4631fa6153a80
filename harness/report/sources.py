"""The application's lines to which a report's stacks point, as the run document keeps them.

Problem: a frame, `service.py:41 in search`, says where; whoever reads a report wants to see what stood there, and has
another checkout, or none.

Mechanism: the run keeps what stands around the places of its findings' and races' stacks
(`harness.report.source_reading`), and a report finds each place in that.

Guarantee: pure. What is shown is what ran, wherever and whenever the report is made; no file is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.evidence import PlaceSeen
from harness.report.document import CellDocument, RunDocument, SourceFileDocument
from harness.report.places import parse_frame

__all__ = ["AROUND", "FRAMES_LIMIT", "Excerpt", "Sources", "frames_of", "sources_of"]

AROUND = 2
"""How many lines are kept before a place, and after it."""
FRAMES_LIMIT = 500
"""Of how many frames a report shows the lines at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Some lines of a file, of which the first has the number `first`; `at` is the one that the frame names."""

    first: int
    at: int
    lines: tuple[str, ...]


Sources = Mapping[str, Excerpt]
"""Excerpts by frame: `app/service.py:41 in search`."""


def sources_of(document: RunDocument) -> Sources:
    """What stood where the document's frames are; in place of lines that are missing, the reason."""
    files = {each.file: each for each in document.source_files}
    found: dict[str, Excerpt] = {}
    for frame, place in frames_of(document):
        kept = files.get(place.file)
        if kept is not None and (excerpt := _around(kept, place.line)) is not None:
            found[frame] = excerpt
        if len(found) == FRAMES_LIMIT:
            break
    return found


def _around(kept: SourceFileDocument, line: int) -> Excerpt | None:
    if kept.missing is not None:
        return Excerpt(first=line, at=line, lines=(f"[not shown: {kept.missing}]",))
    for excerpt in kept.excerpts:
        index = line - excerpt.first
        if 0 <= index < len(excerpt.lines):
            first = max(0, index - AROUND)
            return Excerpt(first=excerpt.first + first, at=line, lines=excerpt.lines[first : index + AROUND + 1])
    return None


def frames_of(document: RunDocument) -> Iterator[tuple[str, PlaceSeen]]:
    """The frames that name a line, with their places, each once; those of cells that are not as expected first."""
    cells = sorted(document.cells, key=lambda each: each.as_expected)
    for frame in dict.fromkeys(frame for cell in cells for frame in _cell_frames(cell)):
        if (place := parse_frame(frame)) is not None:
            yield frame, place


def _cell_frames(cell: CellDocument) -> Iterator[str]:
    for finding in cell.findings:
        yield from finding.stack
    for race in cell.evidence.races.items:
        for access in (race.first, race.second):
            yield from map(str, (*access.stack, *access.task_created))
        yield from map(str, race.subject_created)
