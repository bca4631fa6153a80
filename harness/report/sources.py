"""The application's lines to which a report's stacks point, read while the report is written.

Problem: a frame, `service.py:41 in search`, says where; whoever reads a report wants to see what stands there, and has
another checkout, or none.

Mechanism: for each place in the findings' and the races' stacks, the line and its neighbours. Writers are pure, so that
they get them as an argument.

Guarantee: only lines of Python files that this process could import are read, of installed packages none: a document
that comes from elsewhere cannot name a file of this machine and get it shown. Files that are not there, or changed so
that they are too short, have no excerpt.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.report.document import CellDocument, RunDocument
from harness.report.redact import Mask
from harness.stacks import is_application

__all__ = ["PLACE", "Excerpt", "Sources", "read_sources"]

PLACE = re.compile(r"(?P<place>(?P<file>.{1,1000}):(?P<line>[0-9]{1,7})) in ")
"""A frame as stacks have it."""

_AROUND = 2
_PLACES_LIMIT = 500
_FILE_LIMIT = 2_000_000
_LINE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Some lines of a file, of which the first has the number `first`."""

    first: int
    lines: tuple[str, ...]


Sources = Mapping[str, Excerpt]
"""Excerpts by place: `app/service.py:41`."""


def read_sources(document: RunDocument, mask: Mask) -> Sources:
    """What stands at the places of the document's findings, as far as it can be read; secrets are masked."""
    found: dict[str, Excerpt] = {}
    for frame in dict.fromkeys(_frames(document)):
        if (match := PLACE.match(frame)) is None or match["place"] in found:
            continue
        lines, number = _lines(match["file"]), int(match["line"])
        if 0 < number <= len(lines):
            first = max(1, number - _AROUND)
            shown = lines[first - 1 : number + _AROUND]
            found[match["place"]] = Excerpt(first=first, lines=tuple(mask(line[:_LINE_LIMIT]) for line in shown))
        if len(found) == _PLACES_LIMIT:
            break
    _lines.cache_clear()
    return found


def _frames(document: RunDocument) -> Iterator[str]:
    """What is not as expected comes first."""
    for cell in sorted(document.cells, key=lambda each: each.as_expected):
        yield from _cell_frames(cell)


def _cell_frames(cell: CellDocument) -> Iterator[str]:
    for finding in cell.findings:
        yield from finding.stack
    for race in cell.evidence.races.items:
        for access in (race.first, race.second):
            yield from map(str, (*access.stack, *access.task_created))
        yield from map(str, race.subject_created)


@lru_cache(maxsize=512)
def _lines(file: str) -> list[str]:
    path = Path(file)
    try:
        path = path.resolve()
        if not _may_be_shown(path) or path.stat().st_size > _FILE_LIMIT:
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError, RuntimeError):
        return []


def _may_be_shown(path: Path) -> bool:
    if path.suffix != ".py" or not path.is_file() or not is_application(str(path)):
        return False
    roots = [Path.cwd(), *(Path(entry).resolve() for entry in sys.path if entry)]
    return any(path.is_relative_to(root) for root in roots)
