"""What became of one cell from one run to another: worse, undecided, better, or with other findings.

Problem: a cell can get worse without another outcome, when a failed one shows one more defect; and it can look better
because somebody no longer looked.

Mechanism: a finding is the same in both runs if its kind is, and the functions in which it is; how often it was seen,
which changes from run to run, is not compared. For a cell that changed, `harness.report.steps` names the first session
operation that differs.

Guarantee, by definition: a cell is worse if it has failed and had not, if a finding appeared that must not be in it, or
if it had failed and, with every check as able to decide as before, something that must appear no longer did. Failing
that it is undecided if its outcome was known and is not, if a check that decided no longer does, or if a record is
missing that was there; what a check leaves undecided in a cell that is as expected its scenario admits. Only then can
it be better. A first run that could not decide excuses nothing in the second.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.report.digest import Outcome
from harness.report.document import CellDocument, FindingDocument
from harness.report.places import Roots, innermost, places_of, races_of_findings
from harness.report.selection import cell_name
from harness.report.steps import Difference, first_difference
from harness.report.turn_events import evidence_gaps
from harness.verdict import FindingKind, Verdict

__all__ = ["Became", "CellChange", "Sighting", "became", "compare_cells"]

_Key = tuple[FindingKind, tuple[str, ...]]


class Became(StrEnum):
    """What became of a cell, the worst first."""

    WORSE = "worse"
    UNDECIDED = "undecided"
    """Something was known of it that is not known any more."""
    OTHER = "other"
    """Its findings are others, and it is no worse and no better."""
    BETTER = "better"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A kind of finding at a place: how often it was seen, the first of them, and whether it must not be there."""

    finding: FindingDocument
    place: str
    count: int
    unexpected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """One cell in both runs; `lost` are checks that decided in the first alone, and records that it alone has."""

    before: CellDocument
    after: CellDocument
    became: Became
    appeared: tuple[Sighting, ...]
    vanished: tuple[Sighting, ...]
    lost: tuple[str, ...]
    difference: Difference

    @property
    def name(self) -> str:
        """The cell's name in its run."""
        return cell_name(self.after)

    @property
    def outcomes(self) -> tuple[Outcome, Outcome]:
        """What it was, and what it is."""
        return Outcome.of(self.before), Outcome.of(self.after)

    @property
    def reasons(self) -> list[str]:
        """Why the cell is not as expected, and what is not known of it any more."""
        return list(dict.fromkeys([*self.after.objections, *self.lost]))

    @property
    def told(self) -> Iterator[tuple[str, Sighting]]:
        """The findings that only one run has, each with the word for what became of it."""
        for seen in self.appeared:
            word = "appeared" if seen.finding.check in _decided(self.before) else "seen now, undecided before"
            yield f"{word}, unexpected" if seen.unexpected else word, seen
        for seen in self.vanished:
            yield "vanished" if seen.finding.check in _decided(self.after) else "seen before, undecided now", seen


def compare_cells(before: CellDocument, after: CellDocument, roots: tuple[Roots, Roots]) -> CellChange | None:
    """What changed in the cell, whose files lie below these roots in each run; `None` if nothing did."""
    old, new = _sightings(before, roots[0]), _sightings(after, roots[1])
    appeared = tuple(seen for key, seen in new.items() if key not in old)
    vanished = tuple(seen for key, seen in old.items() if key not in new)
    lost = tuple(_lost(before, after))
    what = became(
        Outcome.of(before),
        Outcome.of(after),
        unexpected=any(seen.unexpected for seen in appeared),
        objected=bool(_definite(after) - _definite(before)),
        lost=bool(lost),
    )
    if what is Became.SAME and not appeared and not vanished:
        return None
    return CellChange(
        before=before,
        after=after,
        became=Became.OTHER if what is Became.SAME else what,
        appeared=appeared,
        vanished=vanished,
        lost=lost,
        difference=first_difference(before, after),
    )


def became(before: Outcome, after: Outcome, *, unexpected: bool, objected: bool, lost: bool) -> Became:
    """What became of a cell with these outcomes.

    `unexpected`: a finding appeared that must not be in it. `objected`: something that must appear does not, and did.
    `lost`: a check that decided does not any more, or a record is missing that was there.
    """
    failed = after is Outcome.FAILED
    if unexpected or (failed and before is not Outcome.FAILED) or (failed and objected and not lost):
        return Became.WORSE
    if lost or (after is Outcome.UNKNOWN and before is not Outcome.UNKNOWN):
        return Became.UNDECIDED
    if after.good and not before.good:
        return Became.BETTER
    return Became.SAME if before is after else Became.OTHER


def _lost(before: CellDocument, after: CellDocument) -> Iterator[str]:
    now = {check.check: check for check in after.checks}
    for check in before.checks:
        if check.verdict is Verdict.UNKNOWN:
            continue
        if (other := now.get(check.check)) is None:
            yield f"check {check.check!r} did not run"
        elif other.verdict is Verdict.UNKNOWN and not after.as_expected:
            yield f"{_undecided(check.check)}: {other.reason}"
    had = dict(evidence_gaps(before.evidence))
    for name, reason in evidence_gaps(after.evidence):
        if name not in had:
            yield f"no record of {name}: {reason}"


def _undecided(check: str) -> str:
    """How an objection begins that is none of what was seen."""
    return f"check {check!r} could not decide"


def _definite(cell: CellDocument) -> set[str]:
    """The objections to a cell that do not come from a finding, nor from a check that could not look."""
    open_ = tuple(_undecided(check.check) for check in cell.checks)
    found = {f"unexpected finding {finding.kind.value!r}" for finding in cell.findings}
    told = cell.objections if cell.checks else ()
    return {objection for objection in told if objection not in found and not objection.startswith(open_)}


def _decided(cell: CellDocument) -> set[str]:
    return {check.check for check in cell.checks if check.verdict is not Verdict.UNKNOWN}


def _sightings(cell: CellDocument, roots: Roots) -> dict[_Key, Sighting]:
    """The cell's findings by kind and by the functions in which they are."""
    races = races_of_findings(cell)
    first: dict[_Key, tuple[FindingDocument, str]] = {}
    counts: Counter[_Key] = Counter()
    wrong: set[_Key] = set()
    for number, finding in enumerate(cell.findings):
        own = innermost(places_of(finding.stack), roots)
        race = races.get(number)
        other = innermost(race.first.stack, roots) if race is not None else None
        names = tuple(f"{roots.stable(place.file)} {place.function}" for place in (own, other) if place is not None)
        key = finding.kind, names
        shown = f"{roots.relative(own.file) or own.file}:{own.line} in {own.function}" if own is not None else ""
        counts[key] += 1
        first.setdefault(key, (finding, shown))
        if finding.unexpected:
            wrong.add(key)
    return {
        key: Sighting(finding=finding, place=place, count=counts[key], unexpected=key in wrong)
        for key, (finding, place) in first.items()
    }
