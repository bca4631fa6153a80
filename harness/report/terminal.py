"""The run on a terminal: the table of verdicts, then only what needs attention, then one last line.

Problem: a hundred cells are too many lines to read, and most are as expected.

Mechanism: a square of the table stands for all pool states and tiers of a scenario in a mode; cells that are
not as expected follow in full with the command that shows them again. Every outcome is a word, and colour
only repeats it.

Guarantee: nothing out of the backend is read as rich markup or reaches the terminal as a control character;
the report has the same words with and without a terminal, in any width from 60 columns. A command is never
wrapped by us: it is there to be copied.
"""

import io
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.explain import EXPLANATIONS
from harness.report import digest
from harness.report.digest import Outcome
from harness.report.document import CellDocument, RunDocument
from harness.report.text import inline
from harness.verdict import Verdict

__all__ = ["render", "show"]

_SHOWN = 8
_FRAMES = 3
_UNLIMITED = 10_000
_STYLES = {
    Outcome.REPRODUCED: "cyan",
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.UNKNOWN: "bold yellow",
    Outcome.NOT_VERIFIED: "yellow",
    Outcome.ABSENT: "dim",
}
_VERDICT_STYLES = {Verdict.PASSED: "bold green", Verdict.FAILED: "bold red", Verdict.UNKNOWN: "bold yellow"}


def show(document: RunDocument, console: Console) -> None:
    """Print the report."""
    for part in _parts(document, console):
        whole = isinstance(part, Text) and part.no_wrap
        console.print(part, soft_wrap=bool(whole))


def render(document: RunDocument, *, width: int = 100) -> str:
    """The report as plain text, for a place that is no rich console, such as pytest's summary."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        show(document, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _parts(document: RunDocument, console: Console) -> Iterator[RenderableType]:
    yield Text(inline(f"backend {document.environment.backend}"))
    yield Text(inline(digest.server(document)))
    yield Text()
    if digest.modes(document):
        yield _fitting(document, console)
        yield Text()
    if digest.faulty_modes(document):
        yield _faults(document)
        yield Text()
    yield from _surprises(document)
    yield from _gaps(document)
    yield from _problems(document)
    sentences = (
        *digest.choices(document),
        *digest.headline(document),
        *digest.losses(document),
        *digest.costs(document),
    )
    yield from (Text(inline(sentence)) for sentence in sentences)
    yield Text(digest.conclusion(document), style=_VERDICT_STYLES[document.verdict])


def _fitting(document: RunDocument, console: Console) -> Table:
    """The table with wide gaps between its columns, or with narrow ones where that saves a name from being broken."""
    table = _table(document, gap=1)
    wanted = Measurement.get(console, console.options.update(max_width=_UNLIMITED), table).maximum
    return table if wanted <= console.width else _table(document, gap=0)


def _table(document: RunDocument, *, gap: int) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    table.add_column("scenario", overflow="fold")
    for mode in digest.modes(document):
        table.add_column(str(mode), no_wrap=True)
    for name, squares in digest.matrix(document):
        table.add_row(Text(inline(name, limit=40)), *map(_square, squares))
    return table


def _square(labels: tuple[digest.Label, ...]) -> Text:
    return Text("\n").join(Text(str(label), style=_STYLES[label.outcome]) for label in labels)


def _faults(document: RunDocument) -> Table:
    """Ledger rows missing / twice there / wrong under each fault."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("ledger rows missing/twice/wrong under", overflow="fold")
    for mode in digest.faulty_modes(document):
        table.add_column(str(mode), no_wrap=True)
    for name, cells in digest.faults(document):
        table.add_row(Text(inline(name, limit=100)), *map(_damage, cells))
    return table


def _damage(cell: CellDocument | None) -> Text:
    if cell is None or cell.damage is None:
        return Text(str(Outcome.ABSENT), style=_STYLES[Outcome.ABSENT])
    outcome, damage = Outcome.of(cell), cell.damage
    said = digest.rows_text(damage)
    return Text(said if outcome.good else f"{outcome} {said}", style=_STYLES[outcome])


def _surprises(document: RunDocument) -> Iterator[RenderableType]:
    found = digest.surprises(document)
    if not found:
        return
    yield Text("Not as expected", style="bold")
    for surprise in found[:_SHOWN]:
        yield from _surprise(surprise)
        yield Text()
    if len(found) > _SHOWN:
        yield _indented(Text(f"... and {len(found) - _SHOWN} more, in summary.md and run.json"))
        yield Text()


def _surprise(surprise: digest.Surprise) -> Iterator[RenderableType]:
    cell = surprise.cell
    outcome = Outcome.of(cell)
    place = f" {inline(cell.scenario, limit=60)}, {cell.session_mode} {cell.pool_state} {cell.tier}"
    yield _indented(Text.assemble((str(outcome), _STYLES[outcome]), place, f" (expected: {cell.expected})"), by=2)
    if surprise.others:
        yield _indented(Text(f"and alike in {surprise.also}"), by=4)
    for objection in digest.objections(cell)[:_SHOWN]:
        yield _indented(Text(inline(objection)), by=4)
    for group in digest.reasons(cell)[:_SHOWN]:
        yield from _finding(group)
    yield Text(f"    $ {inline(cell.reproduce, limit=1000)}", no_wrap=True, style="bold")


def _finding(group: digest.Group) -> Iterator[RenderableType]:
    finding = group.first
    where = f" ({inline(finding.where, limit=120)})" if finding.where else ""
    times = f", {group.count} times" if group.count > 1 else ""
    sentence = f"{inline(finding.message, limit=400)}{where}{times}"
    yield _indented(Text.assemble((f"{finding.kind}: ", "bold"), sentence), by=4)
    for frame in finding.stack[-_FRAMES:]:
        yield _indented(Text(inline(frame, limit=200)), by=6)
    yield _indented(Text(f"usual cause: {EXPLANATIONS[finding.kind].cause}"), by=6)
    yield _indented(Text(f"repair: {EXPLANATIONS[finding.kind].repair}"), by=6)


def _gaps(document: RunDocument) -> Iterator[RenderableType]:
    found = digest.gaps(document)
    if not found:
        return
    yield Text(f"Not verified ({len(found)})", style="bold")
    for gap in found[:_SHOWN]:
        where = f"{inline(gap.scenario, limit=60)}, {gap.session_mode or 'all modes'}"
        yield _indented(Text(f"{where}: {inline(gap.reason)}"))
    if len(found) > _SHOWN:
        yield _indented(Text(f"... and {len(found) - _SHOWN} more, in summary.md and run.json"))
    yield Text()


def _problems(document: RunDocument) -> Iterator[RenderableType]:
    if document.problems:
        yield Text("Problems of the run", style="bold")
        yield from (_indented(Text(inline(problem, limit=1000))) for problem in digest.problems(document)[:_SHOWN])
        yield Text()


def _indented(text: Text, *, by: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)
