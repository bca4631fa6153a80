"""What changed from one run to another: verdicts, findings, cells, and where a cell first went another way.

Problem: two documents of a hundred cells differ in every identifier and every time, and what one wants to know is
whether something got worse, and from which operation on.

Mechanism: cells are brought together by their names, and `harness.report.cell_change` says what became of each.
Problems of the runs are compared by their texts, and what was not verified by scenario, mode and reason.

Guarantee: the status is 1 if something got worse, 3 if something that was known is not known any more, and 0 only if
neither is so. What the second run does not have is not passed over: that it was not looked at is said.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.plurals import number_of
from harness.report.cell_change import Became, CellChange, compare_cells
from harness.report.digest import Outcome
from harness.report.document import CellDocument, NotVerifiedDocument, RunDocument
from harness.report.places import Roots
from harness.report.selection import cell_name

__all__ = [
    "OneSided",
    "RunChange",
    "cells_in_words",
    "change_status",
    "compare_runs",
    "conclusion",
    "rest_in_words",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSided:
    """What only one of the runs has: cells, problems, and what was not verified."""

    cells: tuple[CellDocument, ...]
    problems: tuple[str, ...]
    gaps: tuple[NotVerifiedDocument, ...]

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How often its cells have each outcome."""
        return Counter(map(Outcome.of, self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """Both runs, the cells that changed, the worst first, how many did not, and what only one of the runs has."""

    before: RunDocument
    after: RunDocument
    changed: tuple[CellChange, ...]
    unchanged: int
    only_before: OneSided
    only_after: OneSided

    def count(self, became: Became) -> int:
        """How many cells became so."""
        return sum(change.became is became for change in self.changed)


def compare_runs(before: RunDocument, after: RunDocument) -> RunChange:
    """What changed from one run to the other."""
    old, new = _named(before.cells), _named(after.cells)
    roots = (Roots.of(before.environment), Roots.of(after.environment))
    both = [compare_cells(old[name], new[name], roots) for name in new if name in old]
    changed = sorted((each for each in both if each is not None), key=lambda each: list(Became).index(each.became))
    return RunChange(
        before=before,
        after=after,
        changed=tuple(changed),
        unchanged=len(both) - len(changed),
        only_before=_only(before, after, [cell for name, cell in old.items() if name not in new]),
        only_after=_only(after, before, [cell for name, cell in new.items() if name not in old]),
    )


def _named(cells: Iterable[CellDocument]) -> Mapping[tuple[str, int], CellDocument]:
    """The cells by their names, those of one name by their order, so that none hides another."""
    seen: Counter[str] = Counter()
    named = {}
    for cell in cells:
        name = cell_name(cell)
        named[name, seen[name]] = cell
        seen[name] += 1
    return named


def _only(one: RunDocument, other: RunDocument, cells: Sequence[CellDocument]) -> OneSided:
    return OneSided(
        cells=tuple(cells),
        problems=tuple((Counter(one.problems) - Counter(other.problems)).elements()),
        gaps=tuple(gap for gap in one.not_verified if not any(_covers(known, gap) for known in other.not_verified)),
    )


def _covers(known: NotVerifiedDocument, gap: NotVerifiedDocument) -> bool:
    """Whether one says of the other's scenario and mode that they were not verified, for the same reason."""
    alike = (known.scenario, known.reason) == (gap.scenario, gap.reason)
    return alike and known.session_mode in {None, gap.session_mode}


def cells_in_words(count: int) -> str:
    """`1 cell`, `2 cells`."""
    return number_of(count, "cell")


def rest_in_words(change: RunChange) -> str:
    """What is said of the cells that did not change."""
    return f"{cells_in_words(change.unchanged)} with the outcome and the findings of before"


def conclusion(change: RunChange) -> str:
    """The last word, in one line."""
    nothing = [] if change.after.cells else ["the second run verified nothing"]
    said = [*nothing, *_counted(change)] or ["no outcome and no finding changed"]
    return f"{_WORDS[change_status(change)]}: {', '.join(said)}"


_WORDS = {0: "NOT WORSE", 1: "WORSE", 3: "UNKNOWN"}


def _counted(change: RunChange) -> Iterator[str]:
    total = len(change.changed) + change.unchanged
    for became in (Became.WORSE, Became.UNDECIDED, Became.BETTER):
        if count := change.count(became):
            yield f"{count} of {cells_in_words(total)} {became}"
    if count := change.count(Became.OTHER):
        yield f"{count} of {cells_in_words(total)} with other findings"
    for side, only in (("first", change.only_before), ("second", change.only_after)):
        if only.cells:
            bad = ", ".join(f"{count} {outcome}" for outcome, count in only.outcomes.items() if not outcome.good)
            yield f"{cells_in_words(len(only.cells))} only in the {side} run{f' ({bad})' if bad else ''}"
        if only.problems:
            yield f"{number_of(len(only.problems), 'problem')} of the {side} run alone"
        if only.gaps:
            yield f"{number_of(len(only.gaps), 'gap')} of the {side} run alone"


def change_status(change: RunChange) -> int:
    """The command's exit status: 1 if something is worse; 3 if something that was known is not known any more.

    A cell that only the second run has is worse if it failed, and not known if it is unknown. Not known is also what
    only the first run has, and what a problem, or something not verified, of the second run alone may hide.
    """
    new = change.only_after
    if change.count(Became.WORSE) or new.outcomes[Outcome.FAILED]:
        return 1
    hidden = new.outcomes[Outcome.UNKNOWN] or new.problems or new.gaps
    lost = change.only_before.cells or change.count(Became.UNDECIDED) or hidden
    return 3 if lost or not change.after.cells else 0
