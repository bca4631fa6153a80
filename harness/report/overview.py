"""What stands on the first screen of a run's page, as values that a template writes down.

Guarantee: pure functions of the document. Verdicts, counts and sentences are those of `harness.report.digest`, text is
printable and clipped, and lists are as long as a page can hold; what is left out is counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.explain import EXPLANATIONS
from harness.report import digest
from harness.report.digest import Outcome
from harness.report.document import CellDocument, RunDocument
from harness.report.sources import PLACE, Sources
from harness.report.text import block, inline
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.verdict import Verdict

__all__ = [
    "LETTERS",
    "SYMBOLS",
    "Chip",
    "Column",
    "Entry",
    "Fault",
    "Row",
    "Trouble",
    "entries",
    "examples",
    "fault_rows",
    "matrix",
    "troubles",
    "verdict",
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
_ROWS = 400
_ENTRIES = 60
_FRAMES = 12


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
class Row:
    """A scenario; a list of cells for each column's pool states, and whether the square was not verified."""

    scenario: str
    question: str
    squares: tuple[tuple[tuple[Chip, ...], bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a fault did in a mode: its cell, and in words."""

    chip: Chip
    said: str


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
    """A cell that is not as expected, why, and in which cells it is alike."""

    chip: Chip
    scenario: str
    question: str
    expected: str
    also: str
    objections: tuple[str, ...]
    entries: tuple[Entry, ...]
    command: str


def verdict(document: RunDocument) -> tuple[str, str]:
    """The last word, and what it is about: `As expected`, `450 of 450 cells, 1,305 turns, 202.3 s`."""
    return _TITLES[document.verdict], digest.conclusion(document).partition(": ")[2]


def matrix(document: RunDocument) -> tuple[list[Column], list[Row], int]:
    """The columns, the rows with their cells, and how many rows are not there."""
    chips = _chips(document)
    columns = [Column(mode=mode, pools=_pools(document, mode)) for mode in digest.modes(document)]
    gaps = {(gap.scenario, gap.session_mode) for gap in document.not_verified}
    questions = {cell.scenario: cell.question for cell in document.cells}
    names = [name for name, _ in digest.matrix(document)]
    rows = [
        Row(
            scenario=inline(name, limit=100),
            question=inline(questions.get(name, ""), limit=200),
            squares=tuple(
                (
                    tuple(chips.get((name, column.mode, pool), ())),
                    bool({(name, column.mode), (name, None)} & gaps) and not index,
                )
                for column in columns
                for index, pool in enumerate(column.pools)
            ),
        )
        for name in names[:_ROWS]
    ]
    return columns, rows, max(0, len(names) - _ROWS)


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


def fault_rows(document: RunDocument) -> tuple[list[SessionMode], list[tuple[str, list[Fault | None]]]]:
    """The modes in which something was made to fail, and for each fault what it did in them."""
    numbers = {id(cell): number for number, cell in enumerate(document.cells)}
    rows = [
        (
            inline(name, limit=120),
            [
                None if cell is None else Fault(chip=_chip(numbers[id(cell)], cell), said=_damage(cell))
                for cell in cells
            ],
        )
        for name, cells in digest.faults(document)
    ]
    return digest.faulty_modes(document), rows[:_ROWS]


def _damage(cell: CellDocument) -> str:
    if cell.damage is None:
        return ""
    turns = f", turns {cell.damage.failed_turns} of {cell.damage.turns}" if cell.damage.failed_turns else ""
    return f"{digest.rows_text(cell.damage)}, tools {digest.tools_text(cell.damage)}{turns}"


def troubles(document: RunDocument, sources: Sources) -> tuple[list[Trouble], int]:
    """The cells that are not as expected, alike ones together, and how many of these are not there."""
    found = digest.surprises(document)
    numbers = {id(cell): number for number, cell in enumerate(document.cells)}
    made = [_trouble(surprise, numbers[id(surprise.cell)], sources) for surprise in found[:_ENTRIES]]
    return made, max(0, len(found) - _ENTRIES)


def _trouble(surprise: digest.Surprise, number: int, sources: Sources) -> Trouble:
    cell = surprise.cell
    return Trouble(
        chip=_chip(number, cell),
        scenario=inline(cell.scenario, limit=100),
        question=inline(cell.question),
        expected=cell.expected,
        also=surprise.also,
        objections=tuple(inline(said, limit=600) for said in digest.objections(cell)[:10]),
        entries=tuple(entries(cell, number, sources)),
        command=inline(cell.reproduce, limit=1000),
    )


def entries(cell: CellDocument, number: int, sources: Sources) -> Iterator[Entry]:
    """The findings that make a cell not as expected, one of each kind."""
    for group in digest.reasons(cell)[:10]:
        first = group.first
        yield Entry(
            kind=first.kind.value,
            message=block(first.message, limit=1200),
            where=inline(first.where),
            cause=EXPLANATIONS[first.kind].cause,
            repair=EXPLANATIONS[first.kind].repair,
            command=inline(first.reproduce, limit=1000),
            stack=tuple(inline(frame) for frame in first.stack[-_FRAMES:]),
            lines=tuple(_lines(first.stack, sources)),
            count=group.count,
            number=number,
        )


def _lines(stack: Sequence[str], sources: Sources) -> Iterator[tuple[int, str, bool]]:
    match = PLACE.match(stack[-1]) if stack else None
    excerpt = sources.get(match["place"]) if match is not None else None
    if match is not None and excerpt is not None:
        for number, line in enumerate(excerpt.lines, start=excerpt.first):
            yield number, block(line), number == int(match["line"])


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
