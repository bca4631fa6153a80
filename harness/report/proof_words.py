"""A proof in words, shared by its writers: the last word, the table, what was seen where."""

from collections import Counter
from collections.abc import Iterator

from harness.plurals import part_of
from harness.report.digest import in_one_line
from harness.report.proof_document import ProofDocument, SideDocument
from harness.report.showing import Showing
from harness.verdict import Verdict

__all__ = ["conclusion", "not_looked_at", "rows", "side_in_words"]

_WORDS = {Verdict.PASSED: "PROVED", Verdict.FAILED: "NOT PROVED", Verdict.UNKNOWN: "UNKNOWN"}
_ANSWERS = {
    Showing.SHOWS: "shows",
    Showing.SYMPTOMS: "symptoms only",
    Showing.UNKNOWN: "not known",
    Showing.CLEAR: "does not show",
}


def conclusion(proof: ProofDocument) -> str:
    """The last word, in one line."""
    before, after = proof.before, proof.after
    if proof.verdict is Verdict.PASSED:
        shown = sum(cell.showing is Showing.SHOWS for cell in before.cells)
        said = (
            f"the bug shows before, at {before.revision.short}, in {part_of(shown, len(before.cells), 'cell')}, "
            f"and after, at {after.revision.short}, in none of {len(after.cells)}"
        )
    else:
        said = "; ".join(proof.reasons)
    return f"{_WORDS[proof.verdict]}: {said}"


def side_in_words(side: SideDocument) -> str:
    """Whether the bug shows in a revision, and by how many cells."""
    count = sum(cell.showing is side.showing for cell in side.cells)
    modes = ", ".join(dict.fromkeys(str(cell.session_mode) for cell in side.cells))
    cells = f" ({part_of(count, len(side.cells), 'cell')}, {modes})" if side.cells else " (no cell was run)"
    return f"{_ANSWERS[side.showing]}{cells}"


def rows(proof: ProofDocument) -> Iterator[tuple[str, str, str]]:
    """One row for each scenario: its name, and what it showed before, and after."""
    sides = (proof.before, proof.after)
    names = {cell.scenario for side in sides for cell in side.cells}
    names |= {gap.scenario for side in sides for gap in side.not_verified}
    for name in sorted(names):
        before, after = (_square(side, name) for side in sides)
        yield name, before, after


def not_looked_at(proof: ProofDocument) -> list[tuple[str, str]]:
    """What was in the way, and what is not there: when (`before`, `after`, or both), and what."""
    before, after = (list(dict.fromkeys(_gaps(side))) for side in (proof.before, proof.after))
    told = [("before and after" if line in after else "before", line) for line in before]
    return told + [("after", line) for line in after if line not in before]


def _gaps(side: SideDocument) -> Iterator[str]:
    yield from map(in_one_line, side.problems)
    yield from side.notes
    scenarios: dict[str, list[str]] = {}
    for gap in side.not_verified:
        if gap.scenario not in (names := scenarios.setdefault(gap.reason, [])):
            names.append(gap.scenario)
    yield from (f"{', '.join(names)}: {reason}" for reason, names in scenarios.items())


def _square(side: SideDocument, scenario: str) -> str:
    counts = Counter(cell.showing for cell in side.cells if cell.scenario == scenario)
    if not counts:
        return "not verified" if any(gap.scenario == scenario for gap in side.not_verified) else "-"
    total = sum(counts.values())
    return ", ".join(f"{each} {counts[each]}/{total}" for each in Showing if counts[each])
