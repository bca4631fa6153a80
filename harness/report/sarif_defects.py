"""The results of a SARIF log: findings that are one defect, because what does not change from run to run is the same.

Guarantee: no two defects have the same fingerprint, and each finding with a place in a file is in exactly one. A
fingerprint is made of kind, files, functions and operations, and not of lines, identifiers or times, which would tell
a defect from itself after an edit, in another run, or on another machine.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sarif_pydantic.sarif import Level

from harness.evidence import PlaceSeen, SessionRace
from harness.report.document import CellDocument, FindingDocument, RunDocument
from harness.report.places import Roots, innermost, is_pseudo, places_of, races_of_findings
from harness.report.selection import cell_name

__all__ = ["Defect", "Occurrence", "defects"]

_SEVERITY = (Level.ERROR, Level.WARNING, Level.NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A finding with a place, and how bad it is in its cell."""

    finding: FindingDocument
    race: SessionRace | None
    place: PlaceSeen
    level: Level
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """Findings that are one result, the worst first; `fingerprint` is what they have in common."""

    fingerprint: str
    seen: Sequence[Occurrence]

    @property
    def worst(self) -> Occurrence:
        """The one that is shown."""
        return self.seen[0]

    @property
    def cells(self) -> dict[str, Level]:
        """In which cells it was seen, and how bad it is there, the worst first."""
        found: dict[str, Level] = {}
        for each in self.seen:
            found.setdefault(each.cell, each.level)
        return found

    @property
    def others(self) -> list[PlaceSeen]:
        """The other lines at which it was seen, in their order."""
        places = {each.place for each in self.seen} - {self.worst.place}
        return sorted(places, key=lambda place: (place.file, place.line, place.function))


def defects(document: RunDocument, roots: Roots) -> list[Defect]:
    """The worst first, then in the document's order."""
    found: dict[str, list[Occurrence]] = {}
    for cell in document.cells:
        races = races_of_findings(cell)
        for number, finding in enumerate(cell.findings):
            place = innermost(places_of(finding.stack), roots)
            if place is None or is_pseudo(place.file):
                continue
            level, race = _level(finding, cell), races.get(number)
            one = Occurrence(finding=finding, race=race, place=place, level=level, cell=cell_name(cell))
            found.setdefault(_fingerprint(one, roots), []).append(one)
    made = [Defect(fingerprint=key, seen=sorted(seen, key=_severity)) for key, seen in found.items()]
    return sorted(made, key=lambda defect: _severity(defect.worst))


def _severity(seen: Occurrence) -> int:
    """How bad it is: 0 is the worst."""
    return _SEVERITY.index(seen.level)


def _level(finding: FindingDocument, cell: CellDocument) -> Level:
    if finding.unexpected:
        return Level.ERROR
    return Level.NOTE if cell.as_expected else Level.WARNING


def _fingerprint(seen: Occurrence, roots: Roots) -> str:
    parts = [seen.finding.kind.value]
    if seen.race is None:
        parts += _names([seen.place], roots)
    else:
        for access in (seen.race.first, seen.race.second):
            place = innermost(access.stack, roots)
            parts += [access.operation, *_names([place] if place else [], roots)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _names(places: Iterable[PlaceSeen], roots: Roots) -> list[str]:
    return [f"{roots.stable(place.file)} {place.function}" for place in places]
