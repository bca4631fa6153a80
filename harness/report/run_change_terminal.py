"""What changed between two runs, on a terminal: the cells that changed, the worst first, and one last line.

Guarantee: nothing out of the backend is read as rich markup or reaches the terminal as a control character. A command
is never wrapped by us. What is not shown for want of room is counted.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.plurals import number_of
from harness.report import digest
from harness.report.cell_change import Became, CellChange, Sighting
from harness.report.document import RunDocument
from harness.report.run_change import (
    OneSided,
    RunChange,
    cells_in_words,
    change_status,
    conclusion,
    rest_in_words,
)
from harness.report.selection import cell_name
from harness.report.steps import Difference, Step
from harness.report.text import inline

__all__ = ["show_change", "stated", "step_lines", "where"]

_SHOWN = 20
_STYLES = {
    Became.WORSE: "bold red",
    Became.UNDECIDED: "bold yellow",
    Became.OTHER: "cyan",
    Became.BETTER: "bold green",
}
_STATUS_STYLES = {0: "bold green", 1: "bold red", 3: "bold yellow"}


def show_change(change: RunChange, console: Console) -> None:
    """Print what changed."""
    for part in _parts(change):
        whole = isinstance(part, Text) and part.no_wrap
        console.print(part, soft_wrap=bool(whole))


def _parts(change: RunChange) -> Iterator[RenderableType]:
    yield Text(f"first run:  {stated(change.before)}")
    yield Text(f"second run: {stated(change.after)}")
    yield Text()
    for cell in change.changed[:_SHOWN]:
        yield from _cell(cell)
        yield Text()
    if len(change.changed) > _SHOWN:
        left = number_of(len(change.changed) - _SHOWN, "more cell")
        yield Text(f"... and {left} that changed; --format markdown has more of them")
        yield Text()
    yield from _only("first", change.only_before)
    yield from _only("second", change.only_after)
    yield Text(rest_in_words(change))
    yield Text(conclusion(change), style=_STATUS_STYLES[change_status(change)])


def stated(document: RunDocument) -> str:
    """A run in one line: its verdict, when it was, and what was called."""
    started = document.started_at.isoformat(timespec="seconds")
    return inline(
        f"{document.verdict}, {cells_in_words(len(document.cells))}, {started}, {document.command}", limit=400
    )


def _cell(change: CellChange) -> Iterator[RenderableType]:
    was, now = change.outcomes
    word = str(change.became).upper() if change.became is not Became.OTHER else "OTHER FINDINGS"
    yield Text.assemble((word, _STYLES[change.became]), f" {inline(change.name, limit=120)}: {was}, now {now}")
    told = list(change.told)
    yield from (_indented(_sighting(word, seen), by=2) for word, seen in told[:_SHOWN])
    if len(told) > _SHOWN:
        yield _indented(Text(f"... and {number_of(len(told) - _SHOWN, 'more finding')} that only one run has"), by=2)
    if change.reasons:
        yield _indented(Text(f"because: {inline('; '.join(change.reasons), limit=400)}"), by=2)
    yield from _difference(change.difference)
    yield Text(f"  $ {inline(change.after.reproduce, limit=1000)}", no_wrap=True, style="bold")


def _sighting(word: str, seen: Sighting) -> Text:
    place = f" at {inline(seen.place, limit=200)}" if seen.place else ""
    times = f", {seen.count} times" if seen.count > 1 else ""
    return Text.assemble((f"{word}: {seen.finding.kind}", "bold"), f"{place}{times}: {inline(seen.finding.message)}")


def _difference(difference: Difference) -> Iterator[RenderableType]:
    yield _indented(Text(f"first difference: {where(difference)}"), by=2)
    if difference.before is None and difference.after is None:
        return
    for side, step in (("first run: ", difference.before), ("second run:", difference.after)):
        first, *rest = step_lines(step, with_actor=bool(difference.reason))
        yield _indented(Text(f"{side} {inline(first, limit=400)}"), by=4)
        yield from (_indented(Text(inline(line, limit=240)), by=16) for line in rest)


def where(difference: Difference) -> str:
    """Where two runs differ first, or why that is not known, in words."""
    if difference.reason:
        return inline(f"turn {difference.turn}: {difference.reason}" if difference.turn else difference.reason)
    return inline(f"turn {difference.turn}, {difference.actor}, step {difference.step}")


def step_lines(step: Step | None, *, with_actor: bool = False) -> Sequence[str]:
    """A step in words: what was done, by which SQL, and where in the code."""
    if step is None:
        return ["nothing more"]
    who = f"{step.actor}: " if with_actor else ""
    session = f", on {step.session}" if step.session else ""
    lines = [step.sql or step.around, f"at {step.place}" if step.place else ""]
    return [f"{who}{step.operation}{session}", *filter(None, lines)]


def _only(side: str, only: OneSided) -> Iterator[RenderableType]:
    cells = [f"{inline(cell_name(cell), limit=120)}: {digest.Outcome.of(cell)}" for cell in only.cells]
    problems = [inline(digest.in_one_line(problem), limit=1000) for problem in only.problems]
    gaps = [inline(f"{gap.scenario}, {gap.session_mode or 'all modes'}: {gap.reason}") for gap in only.gaps]
    yield from _listed(f"Only in the {side} run", cells)
    yield from _listed(f"Problems of the {side} run alone", problems)
    yield from _listed(f"Not verified in the {side} run alone", gaps)


def _listed(title: str, lines: Sequence[str]) -> Iterator[RenderableType]:
    if lines:
        yield Text(f"{title} ({len(lines)})", style="bold")
        yield from (_indented(Text(line), by=2) for line in lines[:_SHOWN])
        if len(lines) > _SHOWN:
            yield _indented(Text(f"... and {len(lines) - _SHOWN} more"), by=2)
        yield Text()


def _indented(text: Text, *, by: int) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)
