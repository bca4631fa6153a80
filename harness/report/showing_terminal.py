"""Whether a bug shows in one run, on a terminal: where it was seen, the smallest command, and one last line.

Guarantee: nothing out of the backend is read as rich markup or reaches the terminal as a control character.
"""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.plurals import any_of, number_of, part_of
from harness.report.document import CellDocument, RunDocument
from harness.report.proof import traces_of, why_unknown
from harness.report.showing import Showing, showing, showing_of_run
from harness.report.text import inline
from harness.verdict import FindingKind

__all__ = ["show_reproduction", "showing_in_words", "smallest"]

_SHOWN = 8
_REASON_LIMIT = 1000
_STYLES = {
    Showing.SHOWS: "bold cyan",
    Showing.CLEAR: "bold green",
    Showing.SYMPTOMS: "bold yellow",
    Showing.UNKNOWN: "bold yellow",
}


def show_reproduction(document: RunDocument, bug: frozenset[FindingKind], console: Console, *, command: str) -> None:
    """Print what the run shows; `command` repeats the smallest cell in which it does."""
    for part in _parts(document, bug, command):
        console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))


def smallest(document: RunDocument, bug: frozenset[FindingKind]) -> CellDocument | None:
    """The cell in which the bug shows with the fewest turns, and in the shortest time."""
    shown = [cell for cell in document.cells if showing(cell, bug) is Showing.SHOWS]
    return min(shown, key=lambda cell: (cell.turns, cell.seconds), default=None)


def showing_in_words(document: RunDocument, bug: frozenset[FindingKind]) -> str:
    """The last word, in one line."""
    seen = showing_of_run(document, bug)
    cells = document.cells
    count = sum(showing(cell, bug) is seen for cell in cells)
    if seen is Showing.SHOWS:
        return f"REPRODUCED: the bug shows in {part_of(count, len(cells), 'cell')}"
    if seen is Showing.CLEAR:
        return f"NOT REPRODUCED: the bug does not show in {any_of(len(cells), 'cell')}"
    if seen is Showing.SYMPTOMS:
        kinds = sorted({kind for kind, _ in traces_of(document)})
        have = "has" if count == 1 else "have"
        return (
            f"UNKNOWN: {part_of(count, len(cells), 'cell')} {have} symptoms ({', '.join(kinds)}), and nothing that "
            "only sharing gives; if they are the bug, say so by --finding"
        )
    return f"UNKNOWN: {inline(why_unknown(document, bug), limit=_REASON_LIMIT)}"


def _parts(document: RunDocument, bug: frozenset[FindingKind], command: str) -> Iterator[RenderableType]:
    traces = list(traces_of(document).values())
    for trace in traces[:_SHOWN]:
        place = f" at {inline(trace.place, limit=200)}" if trace.place else ""
        cells = number_of(trace.cells, "cell")
        line = Text.assemble((str(trace.kind), "bold"), f"{place}, in {cells}: {inline(trace.message)}")
        yield Padding(line, (0, 0, 0, 2), expand=False)
    if len(traces) > _SHOWN:
        yield Text(f"  ... and {len(traces) - _SHOWN} more, in run.json")
    if document.not_verified:
        reasons = dict.fromkeys(inline(gap.reason) for gap in document.not_verified)
        yield Text(f"not verified: {'; '.join(reasons)}")
    yield Text(showing_in_words(document, bug), style=_STYLES[showing_of_run(document, bug)])
    if command:
        yield Text(f"  $ {inline(command, limit=_REASON_LIMIT)}", no_wrap=True, style="bold")
