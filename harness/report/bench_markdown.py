"""`summary.md` of a benchmark: the answer on its first line, then what is wrong, then the tables.

Problem: whoever opens a CI job's summary wants the answer in words, and numbers that can be trusted; CI cuts pages
above 1 MB; and the page holds text of the backend.

Mechanism: the tables are those of the terminal. Untrusted text is clipped and escaped as in `harness.report.markdown`.
Sections are written while there is room for them; what did not fit is counted, and is in `bench.json`.

Guarantee: no HTML, link or image out of the backend's text, and at most a few hundred kilobytes. No number without its
interval, but for the milliseconds of the mean turn, whose shares have one.
"""

import re
from collections.abc import Iterable, Iterator

from harness.plurals import number_of
from harness.report import bench_comparison as changes
from harness.report import bench_digest as digest
from harness.report import bench_tables as tables
from harness.report import bench_words as wording
from harness.report.bench_digest import Weight
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
from harness.report.bench_words import PARTS
from harness.report.markdown import bounded, code, escape
from harness.report.text import inline

__all__ = ["summary"]

_FILE = "bench.json"
_COMPARISON = "comparison.json"
_ROWS_LIMIT = 200
_LINES_LIMIT = 40


def summary(document: BenchDocument, comparison: ComparisonDocument | None = None) -> str:
    """The page; with a comparison, what became of it since the baseline comes before the tables."""
    sections: tuple[Iterable[str], ...] = (
        _answer(document),
        _wrong(document, comparison),
        _compared(comparison) if comparison is not None else (),
        bounded((_case(case) for case in document.cases), file=_FILE),
        bounded((_pools(pools) for pools in document.pools), file=_FILE),
        bounded((_curve(curve) for curve in document.curves), file=_FILE),
        bounded((_cost(cost) for cost in document.costs), file=_FILE),
        _legend(document),
        _limits(document),
        _environment(document),
    )
    page = "\n\n".join("\n".join(lines) for section in sections if (lines := list(section)))
    return re.sub(r"\n{3,}", "\n\n", page).rstrip("\n") + "\n"


def _answer(document: BenchDocument) -> Iterator[str]:
    yield f"# {escape(digest.answer(document))}"
    yield ""
    if unfinished := digest.unfinished(document):
        yield f"**{unfinished}**"
        yield ""
    yield f"- {escape(digest.server(document))}"
    yield f"- {escape(digest.machine(document))}"
    yield f"- backend {code(document.environment.backend)}"


def _wrong(document: BenchDocument, comparison: ComparisonDocument | None) -> Iterator[str]:
    if digest.sound(document) and (comparison is None or comparison.outcome is ChangeOutcome.NOT_WORSE):
        yield "Nothing is wrong that was looked for."
        yield ""
    for heading, remarks in digest.groups(document):
        yield f"## {heading}"
        yield ""
        yield from _items(
            f"**{remark.weight}**: {escape(remark.text)}" if remark.weight is Weight.WRONG else escape(remark.text)
            for remark in remarks
        )
        yield ""
    if document.warnings:
        yield f"## {digest.WARNINGS}"
        yield ""
        yield from _items(map(inline, document.warnings), escaping=True)


def _compared(comparison: ComparisonDocument) -> Iterator[str]:
    yield f"## Against the baseline: {escape(changes.conclusion(comparison))}"
    yield ""
    yield from _table(tables.comparison(comparison), file=_COMPARISON)
    yield ""
    worse = [change for change in comparison.changes if change.outcome is ChangeOutcome.WORSE]
    lines = (*map(changes.regression, worse), *changes.doubts(comparison), *changes.comparison_notes(comparison))
    yield from _items(lines, escaping=True, file=_COMPARISON)


def _case(case: CaseDocument) -> Iterator[str]:
    yield from _heading(case.name, case.question)
    yield from _table(tables.seconds(case))
    yield ""
    yield from _table(tables.tools(case))
    yield ""
    if wording.part_names(case):
        yield from _table(tables.parts(case))
        yield ""
    yield from _ending(case)
    yield ""


def _pools(pools: PoolsDocument) -> Iterator[str]:
    yield from _heading(pools.case.name, pools.case.question)
    yield from _table(tables.pools(pools))
    yield ""
    yield from _items([*digest.pools_found(pools), *digest.impatience(pools)], escaping=True)
    yield from _ending(pools.case)
    yield ""


def _curve(curve: CurveDocument) -> Iterator[str]:
    yield from _heading(curve.name, curve.question)
    yield from _table(tables.curve(curve))
    yield ""
    yield from _items([*digest.nothing(curve), *digest.curve_remarks(curve), *tables.marked(curve)], escaping=True)
    yield ""


def _cost(cost: CostDocument) -> Iterator[str]:
    yield from _heading(cost.name, cost.question)
    yield from _table(tables.cost(cost))
    yield ""
    yield from _items((f"not measured: {inline(missing)}" for missing in cost.missing), escaping=True)
    yield from _ending(cost)
    yield ""


def _ending(of: CaseDocument | CostDocument) -> Iterator[str]:
    noise = [wording.why_unsure(of)] if wording.unsure(of) else []
    yardstick = [digest.yardstick(of)] if isinstance(of, CaseDocument) and of.yardstick is not None else []
    lines = [*noise, *digest.nothing(of), *digest.too_few(of), *digest.outliers(of), *yardstick, wording.ended(of)]
    yield from _items(lines, escaping=True)


def _legend(document: BenchDocument) -> Iterator[str]:
    shown = {part for case in document.cases for part in wording.part_names(case)}
    if not shown & set(PARTS):
        return
    yield "## What the words mean"
    yield ""
    yield "- **efficiency**: the longest tool's planned time as a part of the turn"
    yield "- **gained**: how much was gained of what tools can gain at most by working at the same time"
    yield "- **share**: which part of the turn something is, the median of the repetitions with its interval"
    yield "- **together**: in how many repetitions the tools were in the database at the same time"
    yield from (f"- **{part}**: {said}" for part, said in PARTS.items() if part in shown)


def _limits(document: BenchDocument) -> Iterator[str]:
    yield "## What this does not say"
    yield ""
    yield from (f"- {limit}" for limit in digest.limits(document))


def _environment(document: BenchDocument) -> Iterator[str]:
    packages = ", ".join(f"{name} {version}" for name, version in document.environment.packages.items())
    yield "## Where it ran"
    yield ""
    yield f"- {code(document.command)}"
    yield f"- machine {code(document.machine)}"
    if packages:
        yield f"- {escape(inline(packages, limit=2000))}"
    yield f"- every repetition is in `{_FILE}`, drawings are in `charts`"


def _heading(name: str, question: str) -> Iterator[str]:
    yield f"## {escape(wording.name(name))}"
    yield ""
    yield escape(inline(question))
    yield ""


def _items(lines: Iterable[str], *, escaping: bool = False, file: str = _FILE) -> Iterator[str]:
    """A list, and how many more entries it would have."""
    found = list(lines)
    yield from (f"- {escape(line) if escaping else line}" for line in found[:_LINES_LIMIT])
    if len(found) > _LINES_LIMIT:
        yield f"- ... and {len(found) - _LINES_LIMIT} more, in `{file}`"


def _table(grid: Grid, *, file: str = _FILE) -> Iterator[str]:
    if grid.empty:
        return
    yield _row([" ".join(grid.title.split()), *grid.headers])
    yield _row(["---", *("---" for _ in grid.headers)], escaping=False)
    for name, cells in grid.rows[:_ROWS_LIMIT]:
        yield _row([escape(name), *map(_cell, cells)], escaping=False)
    if len(grid.rows) > _ROWS_LIMIT:
        yield ""
        yield f"and {number_of(len(grid.rows) - _ROWS_LIMIT, 'more row')}, in `{file}`"


def _cell(cell: Cell) -> str:
    text = escape(str(cell))
    return f"**{text}**" if cell.weight is Weight.WRONG else text


def _row(cells: Iterable[str], *, escaping: bool = True) -> str:
    return f"| {' | '.join(escape(cell) if escaping else cell for cell in cells)} |"
