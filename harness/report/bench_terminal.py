"""A benchmark on a terminal: the answer, then tables with intervals and a sparkline of all repetitions.

Problem: a number with its interval is long, and a terminal may have 80 columns.

Mechanism: each table is laid out with intervals beside their values; where that does not fit, below them; where that
does not fit either, as several tables below each other. What is wrong, or not known, stands below its table, and once
more at the end.

Guarantee: no number without its interval, but for the milliseconds of the mean turn, whose shares have one; where there
is no number, the reason stands below the table. From 60 columns on nothing is cut off for want of room. Backends' text
is never read as markup, and secrets that `harness.report.redact` knows are masked.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from harness.report import bench_comparison as changes
from harness.report import bench_digest as digest
from harness.report import bench_tables as tables
from harness.report import bench_words as wording
from harness.report.bench_digest import Remark, Weight
from harness.report.bench_document import (
    BenchDocument,
    CaseDocument,
    ChangeOutcome,
    ComparisonDocument,
    CostDocument,
    CurveDocument,
    PoolsDocument,
)
from harness.report.bench_tables import Cell, Grid
from harness.report.redact import masked, masker
from harness.report.text import inline

__all__ = ["show_bench", "show_comparison"]

_UNLIMITED = 10_000
_NARROWEST_NAME = 12
_REMARKS_LIMIT = 12
_STYLES = {Weight.WRONG: "bold red", Weight.UNKNOWN: "bold yellow", Weight.NOT_PROMISED: "yellow"}
_OUTCOME_STYLES = {
    ChangeOutcome.WORSE: "bold red",
    ChangeOutcome.UNDECIDED: "bold yellow",
    ChangeOutcome.NOT_WORSE: "green",
}
_ON_THE_LEFT = frozenset({"", "repetitions", "ran", "lost to", "is"})


def show_bench(document: BenchDocument, console: Console) -> None:
    """Print the report."""
    _show(_parts(masked(document, masker())), console)


def show_comparison(compared: ComparisonDocument, console: Console) -> None:
    """Print a row for each change, then what a regression was spent on, what is in doubt, and one last line."""
    _show(_compared(masked(compared, masker())), console)


def _show(parts: Iterable[Text | Grid], console: Console) -> None:
    for part in parts:
        if isinstance(part, Grid) and part.empty:
            continue
        for each in _fitting(part, console) if isinstance(part, Grid) else [part]:
            console.print(each)


def _fitting(grid: Grid, console: Console) -> Iterator[RenderableType]:
    """The table as it fits: intervals beside the values, below them, or below them in as many tables as it takes."""
    everything = list(range(len(grid.headers)))
    for stacked in (False, True):
        table = _table(grid, everything, console, stacked=stacked)
        if _width(table, console) <= console.width:
            yield table
            return
    for start, end in pairwise(_cuts(grid, console)):
        if start:
            yield Text()
        yield _table(grid, everything[start:end], console, stacked=True)


def _cuts(grid: Grid, console: Console) -> list[int]:
    """Where the columns are cut into as few tables as fit, of about as many columns each."""
    everything = list(range(len(grid.headers)))
    for size in range(len(everything) - 1, 0, -1):
        tables_needed = -(-len(everything) // size)
        even = -(-len(everything) // tables_needed)
        cuts = [*range(0, len(everything), even), len(everything)]
        widths = (_width(_table(grid, everything[a:b], console, stacked=True), console) for a, b in pairwise(cuts))
        if all(width <= console.width for width in widths):
            return cuts
    return list(range(len(everything) + 1))


def _width(table: Table, console: Console) -> int:
    return Measurement.get(console, console.options.update(max_width=_UNLIMITED), table).maximum


def _table(grid: Grid, columns: list[int], console: Console, *, stacked: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(grid.title), overflow="fold", max_width=max(_NARROWEST_NAME, console.width // 3))
    for header in (grid.headers[column] for column in columns):
        table.add_column(Text(header), justify="left" if header in _ON_THE_LEFT else "right", overflow="fold")
    for name, cells in grid.rows:
        table.add_row(Text(name), *(_text(cells[column], stacked=stacked) for column in columns))
    return table


def _text(cell: Cell, *, stacked: bool) -> Text:
    style = _STYLES[cell.weight] if cell.weight is not None else ""
    return Text(f"{cell.value}\n{cell.rest}" if stacked and cell.rest else str(cell), style=style)


def _parts(document: BenchDocument) -> Iterator[Text | Grid]:
    yield Text(digest.answer(document), style="bold")
    yield Text(f"{digest.server(document)}; {digest.machine(document)}", style="dim")
    for case in document.cases:
        yield from _heading(case.name, case.question)
        yield from _case(case)
    for pools in document.pools:
        yield from _heading(pools.case.name, pools.case.question)
        yield from _pools(pools)
    for curve in document.curves:
        yield from _heading(curve.name, curve.question)
        yield from _curve(curve)
    for cost in document.costs:
        yield from _heading(cost.name, cost.question)
        yield from _cost(cost)
    yield from _once_more(document)
    if unfinished := digest.unfinished(document):
        yield Text()
        yield Text(unfinished, style=_STYLES[Weight.UNKNOWN])


def _once_more(document: BenchDocument) -> Iterator[Text]:
    """What is wrong, not known, or not promised, anywhere: a reader sees the end of a long report first."""
    for heading, remarks in digest.groups(document):
        yield from _short(heading, list(_remarks(remarks)))
    yield from _short(digest.WARNINGS, [Text(inline(warning), style="yellow") for warning in document.warnings])


def _short(heading: str, lines: Sequence[Text]) -> Iterator[Text]:
    """The first lines below their heading, and how many more there are; nothing if there are none."""
    if not lines:
        return
    yield Text()
    yield Text(heading, style="bold")
    yield from lines[:_REMARKS_LIMIT]
    if len(lines) > _REMARKS_LIMIT:
        yield Text(f"… and {len(lines) - _REMARKS_LIMIT} more in summary.md", style=_STYLES[Weight.UNKNOWN])


def _heading(name: str, question: str) -> Iterator[Text]:
    yield Text()
    yield Text.assemble((wording.name(name), "bold"), f": {inline(question)}")


def _case(case: CaseDocument) -> Iterator[Text | Grid]:
    yield tables.seconds(case)
    if case.arms:
        yield Text()
        yield tables.tools(case)
    if wording.part_names(case):
        yield Text()
        yield tables.parts(case)
    yield from _ending(case)
    yield from _remarks(digest.case_remarks(case, case.name))


def _pools(pools: PoolsDocument) -> Iterator[Text | Grid]:
    yield tables.pools(pools)
    yield from (Text(found) for found in digest.pools_found(pools))
    yield from (Text(reason, style="yellow") for reason in digest.impatience(pools))
    yield from _ending(pools.case)
    yield from _remarks(digest.pools_remarks(pools))


def _curve(curve: CurveDocument) -> Iterator[Text | Grid]:
    yield tables.curve(curve)
    yield from (Text(said, style=_STYLES[Weight.UNKNOWN]) for said in digest.nothing(curve))
    yield from (Text(reason, style="yellow") for reason in digest.curve_remarks(curve))
    yield from _remarks(
        remark for point in curve.points for remark in digest.broken_promises(point.case, wording.place(curve, point))
    )
    yield from (Text(said, style=_STYLES[Weight.UNKNOWN]) for said in tables.marked(curve))


def _cost(cost: CostDocument) -> Iterator[Text | Grid]:
    yield tables.cost(cost)
    yield from _ending(cost)
    yield from _remarks(digest.costs_remarks(cost))


def _ending(of: CaseDocument | CostDocument) -> Iterator[Text]:
    yield from (Text(reason, style="yellow") for reason in digest.too_few(of))
    yield from (Text(far, style="dim") for far in digest.outliers(of))
    if isinstance(of, CaseDocument) and of.yardstick is not None:
        yield Text(digest.yardstick(of), style="dim")
    yield Text(wording.ended(of), style="dim")


def _remarks(remarks: Iterable[Remark]) -> Iterator[Text]:
    return (Text(remark.text, style=_STYLES[remark.weight]) for remark in remarks)


def _compared(compared: ComparisonDocument) -> Iterator[Text | Grid]:
    yield Text()
    yield tables.comparison(compared)
    for change in compared.changes:
        if change.outcome is ChangeOutcome.WORSE:
            yield Text(changes.regression(change), style=_OUTCOME_STYLES[change.outcome])
    yield from (Text(doubt, style=_STYLES[Weight.UNKNOWN]) for doubt in changes.doubts(compared))
    yield from (Text(note, style="dim") for note in changes.comparison_notes(compared))
    yield Text(changes.conclusion(compared), style=_OUTCOME_STYLES[compared.outcome])
