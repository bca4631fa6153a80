"""What stands on the first screen of a run's page, as values that a template writes down.

Guarantee: pure functions of the document. Verdicts, counts and sentences are those of `harness.report.digest`, text is
printable and clipped, and of lists within one value what is left out is counted. How many values a page has room for is
the business of `harness.report.screen`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.explain import EXPLANATIONS
from harness.report import digest
from harness.report.cuts import first, more
from harness.report.digest import Outcome
from harness.report.document import CellDocument, RunDocument
from harness.report.sources import Sources
from harness.report.text import block, inline
from harness.report.turn_events import evidence_gaps
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.verdict import Verdict

__all__ = [
    "LETTERS",
    "SYMBOLS",
    "Chip",
    "Column",
    "Entry",
    "Fault",
    "FaultRow",
    "Gap",
    "Row",
    "Square",
    "Trouble",
    "examples",
    "fault_rows",
    "gaps",
    "looked_at",
    "matrix",
    "trouble",
    "verdict",
    "versions",
]

SYMBOLS = {
    Outcome.PASSED: "✓",
    Outcome.REPRODUCED: "◆",
    Outcome.FAILED: "✕",
    Outcome.UNKNOWN: "?",
    Outcome.NOT_VERIFIED: "\N{EN DASH}",
    Outcome.ABSENT: "",
}
"""Each outcome's shape, which is told apart without colours."""
LETTERS = {tier: tier.value[0] if tier is not ModelTier.LIVE else "L" for tier in ModelTier}
"""Each tier in one letter."""

_TITLES = {Verdict.PASSED: "As expected", Verdict.FAILED: "Not as expected", Verdict.UNKNOWN: "Unknown"}
_CHIPS = 24
_KINDS = 4
_FRAMES = 12
_ALIKE = 12
_GAPS = 40
_PACKAGES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A cell in a square: its number among the document's cells, how it came out, and which it is."""

    number: int
    outcome: Outcome
    mode: SessionMode
    pool: PoolState
    tier: ModelTier

    @property
    def symbol(self) -> str:
        """Its shape."""
        return SYMBOLS[self.outcome]

    @property
    def letter(self) -> str:
        """Its tier."""
        return LETTERS[self.tier]

    @property
    def slug(self) -> str:
        """Its outcome as the name of a style."""
        return self.outcome.value.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A session mode with the pool states in which something ran in it."""

    mode: SessionMode
    pools: tuple[PoolState | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A scenario in a mode and a pool state: its cells, and whether something of it was not verified.

    `first` is whether it is the first of its mode; `left` is how many cells it has that are not there.
    """

    mode: SessionMode
    first: bool
    chips: tuple[Chip, ...]
    left: int
    not_verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A scenario, with a square for each column's pool states."""

    scenario: str
    question: str
    squares: tuple[Square, ...]

    @property
    def good(self) -> bool:
        """Whether there is nothing in it that needs attention."""
        return all(chip.outcome.good for square in self.squares for chip in square.chips)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a fault did in a mode: its cell, and in words."""

    chip: Chip
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """A fault, and for each mode its cells."""

    name: str
    squares: tuple[tuple[Fault, ...], ...]
    left: int

    @property
    def good(self) -> bool:
        """Whether there is nothing in it that needs attention."""
        return all(fault.chip.outcome.good for square in self.squares for fault in square)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A reason for which something was not verified, and what; there is so much of it."""

    reason: str
    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A finding in words: what, where, why, what to do, and how to see it again.

    `lines` are the application's around its innermost frame, each with its number and whether it is the very one.
    """

    kind: str
    message: str
    where: str
    cause: str
    repair: str
    command: str
    stack: tuple[str, ...] = ()
    lines: tuple[tuple[int, str, bool], ...] = ()
    count: int = 1
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A cell that is not as expected, why, and in which cells it is alike; `others` counts kinds of findings."""

    chip: Chip
    scenario: str
    question: str
    expected: str
    also: str
    objections: tuple[str, ...]
    entries: tuple[Entry, ...]
    kinds: str
    others: int
    command: str


def verdict(document: RunDocument) -> tuple[str, str]:
    """The last word, and what it is about: `As expected`, `450 of 450 cells, 1,305 turns, 202.3 s`."""
    return _TITLES[document.verdict], digest.conclusion(document).partition(": ")[2]


def looked_at(document: RunDocument) -> tuple[str, ...]:
    """What is to be said beside what was not verified: that all was looked at only if nothing speaks against it."""
    undecided = sum(
        Verdict.UNKNOWN in {cell.verdict, *(check.verdict for check in cell.checks)} for cell in document.cells
    )
    lacking = sum(any(evidence_gaps(cell.evidence)) for cell in document.cells)
    said = (
        "" if document.cells else "Nothing was looked at.",
        "The run had problems, named above: what they kept it from is not known." if document.problems else "",
        f"In {_cells(undecided)} something could not be decided; the cell says which, and why." if undecided else "",
        f"In {_cells(lacking)} a record is missing; the cell says which, and why." if lacking else "",
    )
    doubts = tuple(filter(None, said))
    return doubts if doubts or document.not_verified else ("Everything that was asked for was looked at.",)


def _cells(count: int) -> str:
    return f"{count:,} {'cell' if count == 1 else 'cells'}"


def gaps(document: RunDocument) -> list[Gap]:
    """What was not verified, by its reason."""
    found: dict[str, list[str]] = {}
    for gap in digest.gaps(document):
        what = f"{inline(gap.scenario, limit=100)} ({gap.session_mode or 'all modes'})"
        found.setdefault(inline(gap.reason, limit=600), []).append(what)
    return [Gap(reason=reason, what=", ".join(first(what, _GAPS)), count=len(what)) for reason, what in found.items()]


def versions(packages: Mapping[str, str], *, file: str = "run.json") -> tuple[list[tuple[str, str]], str]:
    """The packages with their versions, and how many are left out."""
    shown = [(inline(name), inline(version)) for name, version in list(packages.items())[:_PACKAGES]]
    return shown, more(len(packages) - _PACKAGES, file=file)


def matrix(document: RunDocument) -> tuple[list[Column], list[Row]]:
    """The columns, and the rows with their cells."""
    chips = _chips(document)
    columns = [Column(mode=mode, pools=_pools(document, mode)) for mode in digest.modes(document)]
    missing = {(gap.scenario, gap.session_mode) for gap in document.not_verified}
    questions = {cell.scenario: cell.question for cell in document.cells}
    names = sorted({name for name, *_ in chips} | {name for name, _ in missing})

    def square(name: str, column: Column, index: int) -> Square:
        found = chips.get((name, column.mode, column.pools[index]), [])
        return Square(
            mode=column.mode,
            first=not index,
            chips=tuple(found[:_CHIPS]),
            left=max(0, len(found) - _CHIPS),
            not_verified=bool({(name, column.mode), (name, None)} & missing) and not index,
        )

    rows = [
        Row(
            scenario=inline(name, limit=100),
            question=inline(questions.get(name, ""), limit=200),
            squares=tuple(square(name, column, index) for column in columns for index in range(len(column.pools))),
        )
        for name in names
    ]
    return columns, rows


def _chips(document: RunDocument) -> dict[tuple[str, SessionMode, PoolState | None], list[Chip]]:
    found: dict[tuple[str, SessionMode, PoolState | None], list[Chip]] = {}
    for number, cell in enumerate(document.cells):
        if not cell.fault:
            found.setdefault((cell.scenario, cell.session_mode, cell.pool_state), []).append(_chip(number, cell))
    return found


def _chip(number: int, cell: CellDocument) -> Chip:
    return Chip(
        number=number,
        outcome=Outcome.of(cell),
        mode=cell.session_mode,
        pool=cell.pool_state,
        tier=cell.tier,
    )


def _pools(document: RunDocument, mode: SessionMode) -> tuple[PoolState | None, ...]:
    seen = {cell.pool_state for cell in document.cells if cell.session_mode is mode and not cell.fault}
    return tuple(state for state in PoolState if state in seen) or (None,)


def fault_rows(document: RunDocument) -> tuple[list[SessionMode], list[FaultRow]]:
    """The modes in which something was made to fail, and for each fault what it did in them."""
    modes = digest.faulty_modes(document)
    found: dict[str, dict[SessionMode, list[Fault]]] = {}
    for number, cell in enumerate(document.cells):
        if cell.fault:
            squares = found.setdefault(cell.fault, {mode: [] for mode in modes})
            squares[cell.session_mode].append(Fault(chip=_chip(number, cell), said=_damage(cell)))
    rows = [
        FaultRow(
            name=inline(name, limit=120),
            squares=tuple(tuple(squares[mode][:_CHIPS]) for mode in modes),
            left=sum(max(0, len(faults) - _CHIPS) for faults in squares.values()),
        )
        for name, squares in found.items()
    ]
    return modes, rows


def _damage(cell: CellDocument) -> str:
    if cell.damage is None:
        return "not known"
    turns = f", turns {cell.damage.failed_turns} of {cell.damage.turns}" if cell.damage.failed_turns else ""
    return f"{digest.rows_text(cell.damage)}, tools {digest.tools_text(cell.damage)}{turns}"


def trouble(surprise: digest.Surprise, number: int, sources: Sources) -> Trouble:
    """The cell with this number, which is not as expected."""
    cell, reasons = surprise.cell, digest.reasons(surprise.cell)
    alike = [f"{other.pool_state} {other.tier}" for other in surprise.others]
    return Trouble(
        chip=_chip(number, cell),
        scenario=inline(cell.scenario, limit=100),
        question=inline(cell.question),
        expected=cell.expected,
        also=", ".join(first(alike, _ALIKE)),
        objections=tuple(inline(said, limit=600) for said in first(digest.objections(cell), 10)),
        entries=tuple(_entry(group, number, sources) for group in reasons[:_KINDS]),
        kinds=", ".join(first([group.first.kind.value for group in reasons], _KINDS)),
        others=max(0, len(reasons) - _KINDS),
        command=inline(cell.reproduce, limit=1000),
    )


def _entry(group: digest.Group, number: int, sources: Sources) -> Entry:
    """The findings of one kind that make a cell not as expected."""
    told = group.first
    return Entry(
        kind=told.kind.value,
        message=block(told.message, limit=1200),
        where=inline(told.where),
        cause=EXPLANATIONS[told.kind].cause,
        repair=EXPLANATIONS[told.kind].repair,
        command=inline(told.reproduce, limit=1000),
        stack=tuple(_frames(told.stack)),
        lines=tuple(_lines(told.stack, sources)),
        count=group.count,
        number=number,
    )


def _frames(stack: Sequence[str]) -> Iterator[str]:
    """The innermost frames, and how many others there are."""
    if (left := len(stack) - _FRAMES) > 0:
        yield f"({left:,} frames further out are in run.json)"
    yield from (inline(frame) for frame in stack[-_FRAMES:])


def _lines(stack: Sequence[str], sources: Sources) -> Iterator[tuple[int, str, bool]]:
    excerpt = sources.get(stack[-1]) if stack else None
    if excerpt is not None:
        for number, line in enumerate(excerpt.lines, start=excerpt.first):
            yield number, block(line), number == excerpt.at


def examples(document: RunDocument) -> Sequence[Entry]:
    """What the bug looks like where it was expected: one finding of each kind, and in how many cells it is."""
    numbers = {id(cell): number for number, cell in enumerate(document.cells)}
    return [
        Entry(
            kind=example.kind.value,
            message=block(example.finding.message, limit=600),
            where=inline(example.finding.where),
            cause=EXPLANATIONS[example.kind].cause,
            repair=EXPLANATIONS[example.kind].repair,
            command=inline(example.finding.reproduce or example.cell.reproduce, limit=1000),
            count=example.cells,
            number=numbers[id(example.cell)],
        )
        for example in digest.examples(document)
    ]
