"""What changed from one run to another: verdicts, findings, cells, and where a cell first went another way.

Problem: two documents of a hundred cells differ in every identifier and every time, and what one wants to know is
whether something got worse, and from which operation on.

Mechanism: cells are brought together by their names. A finding is the same in both runs if its kind is, and the
functions in which it is; how often it was seen, which changes from run to run, is not compared. For a cell whose
outcome or findings changed, `harness.report.steps` names the first session operation that differs.

Guarantee: what the second run does not have is not passed over: that it was not looked at is said, and makes the answer
unknown, not good.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.report.digest import Outcome
from harness.report.document import CellDocument, FindingDocument, RunDocument
from harness.report.places import Roots, innermost, parse_frame, races_of_findings
from harness.report.selection import cell_name
from harness.report.steps import Difference, first_difference
from harness.verdict import FindingKind

__all__ = [
    "Became",
    "CellChange",
    "RunChange",
    "Sighting",
    "cells_in_words",
    "change_status",
    "compare_runs",
    "conclusion",
    "rest_in_words",
]


class Became(StrEnum):
    """What became of a cell."""

    WORSE = "worse"
    UNDECIDED = "undecided"
    """It was as expected, and is unknown."""
    OTHER = "other"
    """Its findings are others, and its outcome is no worse and no better."""
    BETTER = "better"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A kind of finding at a place: how often it was seen, and the first of them."""

    finding: FindingDocument
    place: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """One cell in both runs."""

    before: CellDocument
    after: CellDocument
    became: Became
    appeared: tuple[Sighting, ...]
    vanished: tuple[Sighting, ...]
    difference: Difference

    @property
    def name(self) -> str:
        """The cell's name in its run."""
        return cell_name(self.after)

    @property
    def outcomes(self) -> tuple[Outcome, Outcome]:
        """What it was, and what it is."""
        return Outcome.of(self.before), Outcome.of(self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """Both runs, the cells that changed, the worst first, how many did not, and those that only one run has."""

    before: RunDocument
    after: RunDocument
    changed: tuple[CellChange, ...]
    unchanged: int
    only_before: tuple[CellDocument, ...]
    only_after: tuple[CellDocument, ...]

    def count(self, became: Became) -> int:
        """How many cells became so."""
        return sum(change.became is became for change in self.changed)


def compare_runs(before: RunDocument, after: RunDocument) -> RunChange:
    """What changed from one run to the other."""
    old = {cell_name(cell): cell for cell in before.cells}
    new = {cell_name(cell): cell for cell in after.cells}
    roots = (Roots(directory=before.environment.directory), Roots(directory=after.environment.directory))
    both = [_compared(old[name], new[name], roots) for name in new if name in old]
    changed = sorted((each for each in both if each is not None), key=lambda each: list(Became).index(each.became))
    return RunChange(
        before=before,
        after=after,
        changed=tuple(changed),
        unchanged=len(both) - len(changed),
        only_before=tuple(cell for name, cell in old.items() if name not in new),
        only_after=tuple(cell for name, cell in new.items() if name not in old),
    )


def _compared(before: CellDocument, after: CellDocument, roots: tuple[Roots, Roots]) -> CellChange | None:
    old, new = _sightings(before, roots[0]), _sightings(after, roots[1])
    appeared = tuple(seen for key, seen in new.items() if key not in old)
    vanished = tuple(seen for key, seen in old.items() if key not in new)
    became = _became(Outcome.of(before), Outcome.of(after))
    if became is Became.SAME and not appeared and not vanished:
        return None
    return CellChange(
        before=before,
        after=after,
        became=Became.OTHER if became is Became.SAME else became,
        appeared=appeared,
        vanished=vanished,
        difference=first_difference(before, after),
    )


def _became(before: Outcome, after: Outcome) -> Became:
    was, now = (0 if outcome.good else 1 if outcome is Outcome.UNKNOWN else 2 for outcome in (before, after))
    if now == was:
        return Became.SAME if before is after else Became.OTHER
    if now < was:
        return Became.BETTER
    return Became.UNDECIDED if after is Outcome.UNKNOWN else Became.WORSE


def _sightings(cell: CellDocument, roots: Roots) -> dict[tuple[FindingKind, tuple[str, ...]], Sighting]:
    """The cell's findings by kind and by the functions in which they are."""
    races = races_of_findings(cell)
    first: dict[tuple[FindingKind, tuple[str, ...]], tuple[FindingDocument, str]] = {}
    counts: Counter[tuple[FindingKind, tuple[str, ...]]] = Counter()
    for number, finding in enumerate(cell.findings):
        own = innermost((place for frame in finding.stack if (place := parse_frame(frame)) is not None), roots)
        race = races.get(number)
        other = innermost(race.first.stack, roots) if race is not None else None
        names = tuple(f"{roots.stable(place.file)} {place.function}" for place in (own, other) if place is not None)
        shown = f"{roots.relative(own.file) or own.file}:{own.line} in {own.function}" if own is not None else ""
        counts[finding.kind, names] += 1
        first.setdefault((finding.kind, names), (finding, shown))
    return {key: Sighting(finding=finding, place=place, count=counts[key]) for key, (finding, place) in first.items()}


def cells_in_words(count: int) -> str:
    """`1 cell`, `2 cells`."""
    return "1 cell" if count == 1 else f"{count:,} cells"


def rest_in_words(change: RunChange) -> str:
    """What is said of the cells that did not change."""
    return f"{cells_in_words(change.unchanged)} {'is as it was' if change.unchanged == 1 else 'are as they were'}"


def conclusion(change: RunChange) -> str:
    """The last word, in one line."""
    parts = [*_counted(change)]
    said = ", ".join(parts) if parts else "nothing changed"
    return f"{_WORDS[change_status(change)]}: {said}"


_WORDS = {0: "NOT WORSE", 1: "WORSE", 3: "UNKNOWN"}


def _counted(change: RunChange) -> Iterator[str]:
    total = len(change.changed) + change.unchanged
    for became in (Became.WORSE, Became.UNDECIDED, Became.BETTER):
        if count := change.count(became):
            yield f"{count} of {cells_in_words(total)} {became}"
    if count := change.count(Became.OTHER):
        yield f"{count} of {cells_in_words(total)} with other findings"
    if change.only_before:
        yield f"{len(change.only_before)} only in the first run"
    if change.only_after:
        yield f"{len(change.only_after)} only in the second run"


def change_status(change: RunChange) -> int:
    """The command's exit status: 1 if a verdict is worse; 3 if what the first run decided the second one did not."""
    if change.count(Became.WORSE) or any(Outcome.of(cell) is Outcome.FAILED for cell in change.only_after):
        return 1
    lost = (
        change.only_before or change.count(Became.UNDECIDED) or (change.after.problems and not change.before.problems)
    )
    return 3 if lost or not change.after.cells else 0
