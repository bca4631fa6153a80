"""What stands on a benchmark's page, as values that a template writes down: sections with charts, tables and remarks.

Guarantee: pure. Sentences and tables are those of the other reports, and each chart stands where its numbers do.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from markupsafe import Markup

from harness.report import bench_comparison as changes
from harness.report import bench_digest as digest
from harness.report import bench_tables as tables
from harness.report import bench_words as wording
from harness.report.bench_document import (
    BenchDocument,
    CaseDocument,
    ChangeOutcome,
    ComparisonDocument,
    CostDocument,
)
from harness.report.bench_tables import Grid
from harness.report.charts import charts
from harness.report.cuts import first
from harness.report.svg import STYLE
from harness.report.text import inline

__all__ = ["Section", "Table", "sections"]

_LINES = 60
_ROWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first rows of a table, and how many others it has."""

    grid: Grid
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page; of the remarks the first ones, and how many others there are."""

    title: str
    question: str
    charts: tuple[Markup, ...]
    tables: tuple[Table, ...]
    remarks: tuple[str, ...]


def sections(document: BenchDocument, comparison: ComparisonDocument | None) -> Iterator[Section]:
    """Against the baseline, if there is one; then cases, pools, curves and costs."""
    drawn = iter(charts(document, comparison).values())
    if comparison is not None:
        worse = [change for change in comparison.changes if change.outcome is ChangeOutcome.WORSE]
        said = (*map(changes.regression, worse), *changes.doubts(comparison), *changes.comparison_notes(comparison))
        title = f"Against the baseline: {changes.conclusion(comparison)}"
        yield _section(title, "", islice(drawn, 1), [tables.comparison(comparison)], said)
    for case in document.cases:
        parts = [tables.parts(case)] if wording.part_names(case) else []
        shown = [tables.seconds(case), tables.tools(case), *parts]
        yield _section(case.name, case.question, islice(drawn, 1 + len(parts)), shown, _ending(case))
    for pools in document.pools:
        found = [*digest.pools_found(pools), *digest.impatience(pools), *_ending(pools.case)]
        yield _section(pools.case.name, pools.case.question, islice(drawn, 1), [tables.pools(pools)], found)
    for curve in document.curves:
        marks = [*digest.nothing(curve), *digest.curve_remarks(curve), *tables.marked(curve)]
        yield _section(curve.name, curve.question, islice(drawn, 1), [tables.curve(curve)], marks)
    for cost in document.costs:
        missing = [f"not measured: {inline(each)}" for each in cost.missing]
        yield _section(cost.name, cost.question, islice(drawn, 1), [tables.cost(cost)], [*missing, *_ending(cost)])


def _section(title: str, question: str, drawn: Iterable[str], shown: Sequence[Grid], remarks: Iterable[str]) -> Section:
    return Section(
        title=inline(title, limit=200),
        question=inline(question, limit=600),
        charts=tuple(Markup(_unstyled(each)) for each in drawn),  # noqa: S704  # an element tree of ours wrote it
        tables=tuple(_cut(grid) for grid in shown if not grid.empty),
        remarks=tuple(first([inline(said, limit=1000) for said in remarks], _LINES, file="bench.json")),
    )


def _unstyled(drawing: str) -> str:
    """A drawing without its own style, which the page has once for all, and for the theme that was chosen."""
    return drawing.replace(f"<style>{STYLE}</style>", "")


def _cut(grid: Grid) -> Table:
    shown = Grid(title=" ".join(grid.title.split()), headers=grid.headers, rows=grid.rows[:_ROWS])
    return Table(grid=shown, left=max(0, len(grid.rows) - _ROWS))


def _ending(of: CaseDocument | CostDocument) -> list[str]:
    unsure = [wording.why_unsure(of)] if wording.unsure(of) else []
    yardstick = [digest.yardstick(of)] if isinstance(of, CaseDocument) and of.yardstick is not None else []
    return [*unsure, *digest.nothing(of), *digest.too_few(of), *digest.outliers(of), *yardstick, wording.ended(of)]
