"""A proof on a terminal: both revisions, the table, what vanished, and one last line.

Guarantee: nothing of what comes from git or the backend is read as rich markup, or reaches the terminal as a control
character.
"""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.plurals import number_of
from harness.report.proof_document import ProofDocument, TraceDocument
from harness.report.proof_words import conclusion, not_looked_at, rows, side_in_words
from harness.report.text import inline
from harness.verdict import Verdict

__all__ = ["show_proof"]

_SHOWN = 12
_LIMIT = 2000
_STYLES = {Verdict.PASSED: "bold green", Verdict.FAILED: "bold red", Verdict.UNKNOWN: "bold yellow"}


def show_proof(proof: ProofDocument, console: Console) -> None:
    """Print the proof."""
    for part in _parts(proof):
        console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))


def _parts(proof: ProofDocument) -> Iterator[RenderableType]:
    yield Text(inline(f"backend {proof.backend}; {proof.adapter}", limit=_LIMIT))
    for name, side in (("before", proof.before), ("after ", proof.after)):
        yield Text.assemble((f"{name} {side.revision.short}", "bold"), f" {inline(side.revision.subject, limit=100)}")
        yield _indented(Text(side_in_words(side)))
    yield Text()
    if shown := list(rows(proof)):
        yield _table(shown)
        yield Text()
    yield from _traces("found before, and not after", proof.vanished)
    yield from _traces("found after, and not before", proof.appeared)
    yield from _traces("found before and after", proof.remaining)
    yield from _gaps(proof)
    yield Text(inline(conclusion(proof), limit=_LIMIT), style=_STYLES[proof.verdict])
    yield Text(f"  $ {inline(proof.command, limit=_LIMIT)}", no_wrap=True, style="bold")


def _table(shown: Sequence[tuple[str, str, str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("scenario", "before", "after"):
        table.add_column(name, overflow="fold")
    for name, before, after in shown:
        table.add_row(Text(inline(name, limit=100)), Text(before), Text(after))
    return table


def _traces(title: str, traces: Sequence[TraceDocument]) -> Iterator[RenderableType]:
    if not traces:
        return
    yield Text(f"{title} ({len(traces)})", style="bold")
    for trace in traces[:_SHOWN]:
        place = f" at {inline(trace.place, limit=200)}" if trace.place else ""
        cells = number_of(trace.cells, "cell")
        yield _indented(Text.assemble((str(trace.kind), "bold"), f"{place}, in {cells}: {inline(trace.message)}"))
    if len(traces) > _SHOWN:
        yield _indented(Text(f"... and {len(traces) - _SHOWN} more, in proof.json"))
    yield Text()


def _gaps(proof: ProofDocument) -> Iterator[RenderableType]:
    if told := not_looked_at(proof):
        yield Text(f"not looked at ({len(told)})", style="bold")
        yield from (_indented(Text(inline(f"{when}: {what}", limit=_LIMIT))) for when, what in told[:_SHOWN])
        if len(told) > _SHOWN:
            yield _indented(Text(f"... and {len(told) - _SHOWN} more, in proof.json"))
        yield Text()


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2), expand=False)
