"""What became of a benchmark against its baseline, on a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.bench.baseline import Change, Comparison, Outcome
from harness.report.text import inline

__all__ = ["show_comparison"]

_STYLES = {Outcome.WORSE: "bold red", Outcome.UNDECIDED: "bold yellow", Outcome.NOT_WORSE: "green"}
_WORDS = {Outcome.WORSE: "WORSE", Outcome.UNDECIDED: "UNDECIDED", Outcome.NOT_WORSE: "not worse"}
_SHOWN_PARTS = 3


def show_comparison(compared: Comparison, console: Console) -> None:
    """Print a row for each change, then what a regression was spent on, and one last line."""
    console.print()
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in ("against the baseline", "", "before", "now", "growth", ""):
        table.add_column(header, no_wrap=header != "before")
    for change in compared.changes:
        table.add_row(
            inline(f"{change.case}: {change.arm}"),
            change.what,
            inline(change.before),
            inline(change.now),
            "-" if change.growth is None else str(change.growth),
            Text(_WORDS[change.outcome], style=_STYLES[change.outcome]),
        )
    console.print(table)
    for change in compared.changes:
        if change.outcome is Outcome.WORSE:
            console.print(Text(_regression(change), style=_STYLES[Outcome.WORSE]))
    for note in compared.notes:
        console.print(Text(inline(note), style="dim"))
    limit = f"a growth of ratios by {compared.gate.threshold:g} times or more"
    console.print(Text(f"{_WORDS[compared.outcome]}: looked for {limit}", style=_STYLES[compared.outcome]))


def _regression(change: Change) -> str:
    """The case, both intervals, and the parts that grew the most, in milliseconds of the mean turn."""
    grown = [f"{part} {seconds * 1000:+.1f} ms" for part, seconds in change.parts.items() if seconds > 0]
    spent = f"; in {', '.join(grown[:_SHOWN_PARTS])}" if grown else ""
    became = f"{inline(change.before)} to {inline(change.now)}"
    return f"WORSE: {inline(change.case)}, {inline(change.arm)}, {change.what}: {became}{spent}"
