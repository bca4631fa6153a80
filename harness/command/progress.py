"""What is seen while the cells run: a bar on a terminal, a line for each tenth of the cells anywhere else.

A cell that is not as expected is told at once, in both. Everything out of the backend is shown as text, never
read as markup.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from harness.command.events import CellDone, Event, Planned, ServerStarted
from harness.plurals import number_of
from harness.report.text import inline

__all__ = ["Progress", "following"]

_TENTHS = 10


class Progress(Protocol):
    """Shows events as they come."""

    def take(self, event: Event) -> None:
        """Show what has changed."""
        ...


@contextmanager
def following(console: Console, *, judged: bool = True) -> Iterator[Progress]:
    """What suits the console; a bar is gone at the end, and lines stay.

    Without `judged` nothing is said of cells that are not as expected: whoever asks will judge them otherwise.
    """
    if not console.is_terminal:
        yield _Lines(console, judged=judged)
        return
    columns = (
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        yield _Live(bar, judged=judged)


class _Live:
    def __init__(self, bar: Bar, *, judged: bool) -> None:
        self._bar = bar
        self._judged = judged
        self._task = bar.add_task("starting", total=None)
        self._wrong = 0

    def take(self, event: Event) -> None:
        if isinstance(event, ServerStarted):
            self._bar.console.print(_server(event))
        elif isinstance(event, Planned):
            self._bar.update(self._task, total=event.cells, description="verifying")
        elif isinstance(event, CellDone):
            if self._judged and not event.as_expected:
                self._wrong += 1
                self._bar.console.print(_surprise(event))
            self._bar.advance(self._task)
            self._describe(event.scenario)

    def _describe(self, place: str) -> None:
        wrong = f"{self._wrong} not as expected, " if self._wrong else ""
        self._bar.update(self._task, description=f"{wrong}{inline(place, limit=40)}")


class _Lines:
    def __init__(self, console: Console, *, judged: bool) -> None:
        self._console = console
        self._judged = judged
        self._planned = 0
        self._done = 0
        self._wrong = 0

    def take(self, event: Event) -> None:
        if isinstance(event, ServerStarted):
            self._console.print(_server(event), soft_wrap=True)
        elif isinstance(event, Planned):
            self._planned = event.cells
            if event.cells:
                self._console.print(Text(f"{number_of(event.cells, 'cell')} to verify"))
        elif isinstance(event, CellDone):
            self._count(event)

    def _count(self, event: CellDone) -> None:
        self._done += 1
        if self._judged and not event.as_expected:
            self._wrong += 1
            self._console.print(_surprise(event), soft_wrap=True)
        before, now = ((count * _TENTHS) // max(self._planned, 1) for count in (self._done - 1, self._done))
        if now > before:
            state = f", {self._wrong} not as expected" if self._wrong else ", all as expected"
            self._console.print(Text(f"{self._done:>4} of {self._planned} cells{state if self._judged else ''}"))


def _server(event: ServerStarted) -> Text:
    why = f": {inline(event.reason)}" if event.reason else ""
    return Text(f"PostgreSQL {inline(event.version)}, {inline(event.kind)}{why}")


def _surprise(event: CellDone) -> Text:
    word = "UNKNOWN" if event.verdict == "unknown" else "FAILED"
    place = inline(f"{event.scenario}, {event.session_mode} {event.pool_state} {event.tier}")
    return Text.assemble((word, "bold red"), f" {place}: {inline('; '.join(event.objections))}")
