"""A benchmark on a terminal: for each case a table of its arms, with intervals and a sparkline of all repetitions.

Guarantee: no number without its interval; where there is none, the reason stands in its place. Backends' text is never
read as markup.
"""

import io
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from harness.report.bench_document import BenchDocument, CaseDocument, CurveDocument, EstimateDocument
from harness.report.text import inline

__all__ = ["render_bench", "show_bench", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 24
_ENDINGS = {
    "interval": "every interval is as narrow as was asked for",
    "repetitions": "the number of repetitions is at its limit",
    "time": "the time is up",
    "failure": "the reference failed, or everything that was compared with it",
}


def show_bench(document: BenchDocument, console: Console) -> None:
    """Print the report."""
    for part in _parts(document):
        console.print(part)


def render_bench(document: BenchDocument, *, width: int = 120) -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        show_bench(document, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def sparkline(values: Sequence[float], *, low: float, high: float) -> str:
    """A bar for each value, from `low` (the lowest bar) to `high`; of too many, each bar is the largest of some."""
    step = max(1, -(-len(values) // _WIDEST))
    shown = [max(values[start : start + step]) for start in range(0, len(values), step)]
    span = high - low
    return "".join(_BARS[_level((value - low) / span if span > 0 else 0.0)] for value in shown)


def _level(share: float) -> int:
    return min(len(_BARS) - 1, max(0, int(share * len(_BARS))))


def _parts(document: BenchDocument) -> Iterator[RenderableType]:
    environment = document.environment
    postgres = environment.postgres
    server = f"PostgreSQL {postgres.version}, {postgres.kind}" if postgres is not None else "no PostgreSQL"
    yield Text(f"{server}; Python {environment.python}; {environment.cpus} processors", style="dim")
    for case in document.cases:
        yield Text()
        yield Text.assemble((inline(case.name), "bold"), f": {inline(case.question)}")
        yield _table(case)
        yield Text()
        yield _parts_table(case)
        yield from _remarks(case)
    for curve in document.curves:
        yield Text()
        yield Text.assemble((inline(curve.name), "bold"), f": {inline(curve.question)}")
        yield _curve_table(curve)
        for reason in curve.skipped:
            yield Text(f"not measured: {inline(reason)}", style="yellow")


def _curve_table(curve: CurveDocument) -> Table:
    """Milliseconds by arm and point, each with half of its interval, and their growth as a sparkline."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(f"ms by {inline(curve.axis)}", no_wrap=True)
    for point in curve.points:
        table.add_column(str(point.x), justify="right", no_wrap=True)
    table.add_column("growth", no_wrap=True)
    rows = _rows(curve)
    highest = max((each.value for row in rows.values() for each in row if each is not None), default=0.0)
    for name, row in rows.items():
        values = [0.0 if each is None else each.value for each in row]
        table.add_row(inline(name), *map(_milliseconds, row), sparkline(values, low=0.0, high=highest))
    return table


def _rows(curve: CurveDocument) -> dict[str, list[EstimateDocument | None]]:
    """The medians of each arm at each point."""
    names = dict.fromkeys(arm.name for point in curve.points for arm in point.case.arms)
    medians = [{arm.name: arm.seconds for arm in point.case.arms} for point in curve.points]
    return {name: [at_point.get(name) for at_point in medians] for name in names}


def _milliseconds(estimate: EstimateDocument | None) -> str:
    if estimate is None:
        return "?"
    half = (estimate.high - estimate.low) / 2
    return f"{estimate.value * 1000:.0f} ±{half * 1000:.0f}"


def _table(case: CaseDocument) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for header in (f"seconds / {case.reference}", "seconds", "efficiency", "together"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("repetitions", no_wrap=True)
    samples = [sample for arm in case.arms for sample in arm.samples]
    low, high = min(samples, default=0.0), max(samples, default=0.0)
    for arm in case.arms:
        table.add_row(
            inline(arm.name),
            "1" if arm.name == case.reference else _estimate(arm.ratio, "x"),
            _estimate(arm.seconds, "s"),
            "-" if arm.efficiency is None else f"{arm.efficiency:.0%}",
            "-" if arm.overlapped is None else f"{arm.overlapped} of {arm.overlap_known}",
            sparkline(arm.samples, low=low, high=high),
        )
    return table


def _estimate(estimate: EstimateDocument | None, unit: str) -> str:
    if estimate is None:
        return "?"
    return f"{estimate.value:.3f}{unit} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _parts_table(case: CaseDocument) -> Table:
    """On what the mean turn's milliseconds were spent; each row sums up to that turn."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("ms of the mean turn", no_wrap=True)
    parts = list(dict.fromkeys(part for arm in case.arms for part in arm.parts))
    for part in parts:
        table.add_column(inline(part), justify="right", no_wrap=True)
    for arm in case.arms:
        table.add_row(inline(arm.name), *(f"{arm.parts[part] * 1000:.1f}" if arm.parts else "?" for part in parts))
    return table


def _remarks(case: CaseDocument) -> Iterator[Text]:
    for arm in case.arms:
        if arm.failure is not None:
            yield Text(f"{inline(arm.name)} failed after {len(arm.samples)} repetitions: {inline(arm.failure)}", "red")
        if arm.outliers:
            far = ", ".join(f"{arm.samples[place]:.3f}" for place in arm.outliers)
            yield Text(f"{inline(arm.name)}: far off, and counted: {far} s", style="dim")
    smallest = [arm.ratio.detectable for arm in case.arms if arm.ratio is not None and arm.ratio.detectable is not None]
    compared = f"; a change of {max(smallest):.1%} of any ratio would be found" if smallest else ""
    yield Text(f"{_ENDINGS.get(case.ended, case.ended)} after {case.elapsed:.0f} s{compared}", style="dim")
    if not case.reached:
        yield Text(
            f"TOO NOISY: an interval is wider than ±{case.half_width:.1%} of its ratio, so that smaller differences "
            "are not known; measure for longer, or on a machine that does nothing else",
            style="bold yellow",
        )
