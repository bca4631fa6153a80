"""What GitHub Actions shows of a run: annotations beside the code, and a page in the job's summary.

Problem: GitHub shows at most ten errors of a step, drops a page above 1 MiB, and reads commands from any line that a
job prints: text of the backend must not become one.

Mechanism: an annotation is one line (`::error file=…,line=…,title=…::…`), in which everything that could end a part of
it is escaped. The same defect in several cells is told once. What costs money or rows comes first, then shared
sessions, then the rest; of equals, what has a place in the code. If there are more than ten, the tenth is a line that
counts the rest.

Guarantee: no error for a cell that is as expected. `fitting` gives a page of at most so many bytes of UTF-8 that ends
with a word about it if something was cut off.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.evidence import PlaceSeen
from harness.explain import EXPLANATIONS
from harness.report import digest
from harness.report.document import CellDocument, FindingDocument, RunDocument
from harness.report.places import Roots, innermost, places_of
from harness.report.selection import cell_name
from harness.report.text import block, inline
from harness.verdict import FindingKind, Verdict

__all__ = ["SHOWN", "SUMMARY_LIMIT", "GithubWriter", "command", "fitting"]

SUMMARY_LIMIT = 1024 * 1024
"""How many bytes GitHub takes as a step's summary."""
SHOWN = 10
"""How many annotations of a level GitHub shows of a step."""
_TEXT_LIMIT = 2000
_K = FindingKind
_COSTLY = frozenset(
    {
        *(_K.MISSING_ROW, _K.DUPLICATE_ROW, _K.FOREIGN_ROW, _K.UNBILLED_RESPONSE, _K.LOST_WRITE, _K.BLEED),
        *(_K.WRONG_TOKENS, _K.WRONG_MODEL, _K.WRONG_COST, _K.ZERO_COST, _K.NULL_PRICED_AS_ZERO, _K.BROKEN_TOTAL),
    }
)
_SHARED = frozenset(
    {
        *(_K.SESSION_OVERLAP, _K.SESSION_UNORDERED, _K.SESSION_FOREIGN_THREAD, _K.SESSION_FOREIGN_LOOP),
        *(_K.CONCURRENT_OPERATION, _K.ILLEGAL_STATE, _K.DRIVER_BUSY, _K.POISONED_CONNECTION, _K.FOREIGN_ERROR),
    }
)
_FENCE = re.compile(r" {0,3}(`{3,})([^`]*)")
_CUT = "... the rest was cut off, because GitHub shows no page above 1 MiB; all of it is in `summary.md`"


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubWriter:
    """Writes the annotations, a line each; `root` is the workspace, the folder of the run by default."""

    root: str = ""
    name: str = "github"
    filename: str = "annotations.txt"

    def write(self, document: RunDocument) -> str:
        """The lines; one at least."""
        roots = Roots.of(document.environment, root=self.root)
        return "".join(f"{line}\n" for line in _lines(document, roots))


@dataclass(slots=True, kw_only=True)
class _Annotation:
    """One line to come; `cells` are those in which it is so, the first of which it tells of."""

    level: str
    title: str
    text: str
    place: PlaceSeen | None
    rank: tuple[int, bool]
    cells: list[str] = field(default_factory=list)


def _lines(document: RunDocument, roots: Roots) -> Iterator[str]:
    found = sorted(_annotations(document, roots), key=lambda each: each.rank)
    errors = [each for each in found if each.level == "error"]
    warnings = [each for each in found if each.level == "warning"]
    for several in (errors, warnings):
        shown = several if len(several) <= SHOWN else several[: SHOWN - 1]
        yield from (_line(each, roots) for each in shown)
        if left := len(several) - len(shown):
            text = f"and {left} more, in the job's summary and in run.json"
            yield command(several[0].level, text, title="sessionproof")
    gaps = len(document.not_verified)
    open_ = [f"not verified: {gaps}, with the reasons in the job's summary and in run.json"] if gaps else []
    said = "\n".join([*digest.headline(document), *digest.losses(document), *open_, digest.conclusion(document)])
    yield command("notice", said, title="sessionproof")


def _annotations(document: RunDocument, roots: Roots) -> list[_Annotation]:
    problems = [inline(problem, limit=_TEXT_LIMIT) for problem in digest.problems(document)]
    if not document.cells and not problems:
        problems = ["nothing was verified"]
    found: dict[object, _Annotation] = {
        ("problem", text): _Annotation(level="error", title="sessionproof", text=text, place=None, rank=(0, False))
        for text in problems
    }
    for surprise in digest.surprises(document):
        for cell in (surprise.cell, *surprise.others):
            for key, made in _of_cell(cell, roots):
                found.setdefault(key, made).cells.append(cell_name(cell))
    return list(found.values())


def _of_cell(cell: CellDocument, roots: Roots) -> Iterator[tuple[object, _Annotation]]:
    level = "warning" if cell.verdict is Verdict.UNKNOWN else "error"
    unexpected = any(finding.unexpected for finding in cell.findings)
    for group in digest.reasons(cell) if unexpected else ():
        finding = group.first
        place = innermost(places_of(finding.stack), roots)
        if place is not None and roots.relative(place.file) is None:
            place = None  # GitHub shows no file outside of the workspace
        yield (
            (level, finding.kind, place),
            _Annotation(
                level=level,
                title=f"{finding.kind} in {cell_name(cell)}",
                text=_explained(finding),
                place=place,
                rank=(_rank(finding.kind), place is None),
            ),
        )
    if objections := digest.objections(cell):
        text = "\n".join(
            [*(inline(each, limit=_TEXT_LIMIT) for each in objections[:5]), f"To see it: {cell.reproduce}"]
        )
        title = f"not as expected: {cell_name(cell)}"
        key = (level, cell.scenario, cell.session_mode, *objections)
        yield key, _Annotation(level=level, title=title, text=text, place=None, rank=(3, True))


def _rank(kind: FindingKind) -> int:
    return 0 if kind in _COSTLY else 1 if kind in _SHARED else 2


def _explained(finding: FindingDocument) -> str:
    explained = EXPLANATIONS[finding.kind]
    return (
        f"{inline(finding.message, limit=_TEXT_LIMIT)}\n"
        f"Usual cause: {explained.cause}\nRepair: {explained.repair}\n"
        f"To see it: {inline(finding.reproduce, limit=1000)}"
    )


def _line(each: _Annotation, roots: Roots) -> str:
    others = len(each.cells) - 1
    text = f"{each.text}\nAlike in {others} more {'cell' if others == 1 else 'cells'}." if others > 0 else each.text
    where = {}
    if each.place is not None:
        where = {"file": roots.relative(each.place.file) or "", "line": str(each.place.line)}
    return command(each.level, text, **where, title=inline(each.title, limit=200))


def command(name: str, text: str, **properties: str) -> str:
    """A workflow command on one line: `::name key=value,…::text`."""
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name}{' ' if given else ''}{given}::{_data(block(text, limit=2 * _TEXT_LIMIT))}"


def _data(text: str) -> str:
    """Text of which no character ends the command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(block(text)).replace(":", "%3A").replace(",", "%2C")


def fitting(page: str, room: int) -> str:
    """The page if it has at most so many bytes; else its first lines, and a word about the rest; else nothing."""
    if len(page.encode()) <= room:
        return page
    kept: list[str] = []
    fence = ""
    left = room - len(_CUT.encode()) - len("\n\n\n")
    for line in page.split("\n"):
        after = _fence_after(line, fence)
        left -= len(line.encode()) + 1
        if left <= len(after):
            break
        kept.append(line)
        fence = after
    text = "\n".join([*kept, *([fence] if fence else []), "", _CUT, ""])
    return text if len(text.encode()) <= room else ""


def _fence_after(line: str, fence: str) -> str:
    """The fence of the block in which what follows the line stands; empty outside of one."""
    found = _FENCE.fullmatch(line)
    if found is None:
        return fence
    ticks, rest = found[1], found[2].strip()
    if not fence:
        return ticks
    return "" if len(ticks) >= len(fence) and not rest else fence
