"""`trace.json`: turns in Chrome's trace-event format, for Perfetto and other viewers of it.

Problem: who used which session when is a picture, and there are good tools to look at such pictures.

Mechanism: each cell has a process for each point of view: its tasks (the turns' own code, and each tool), its sessions,
the server's backends, the model's requests, and the event loop where it was held. Their threads have the statements,
waits for a connection, transactions and checkouts as slices; commits, rollbacks, flushes and findings are instants; an
arrow leads from the first access of a race to the second. An access has the time at which the sanitizer saw the second
one, or for the first one that of the last thing which its task is known to have begun by then.

Guarantee: times are microseconds since the first event of the cell, so that cells stand below each other on one axis.
The same document gives the same text, which is ASCII, whatever the backend said. What is not in the document is said:
a record that is missing is an instant with the reason, and stands in `otherData` with all else that the picture lacks.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from harness.report.document import CellDocument, RunDocument
from harness.report.selection import cell_name
from harness.report.text import inline
from harness.report.trace_cell import PROCESSES, TASKS, Arrow, Picture
from harness.report.trace_lanes import Lanes, Slice

__all__ = ["TraceWriter"]

_MICROSECONDS = 1e6
_LISTED = 200


class TraceWriter:
    """Writes `trace.json`."""

    name = "trace"
    filename = "trace.json"

    def write(self, document: RunDocument) -> str:
        """The trace, an event a line."""
        cells = [_Cell(cell, number) for number, cell in enumerate(document.cells)]
        lines = ",\n".join(json.dumps(event, separators=(",", ":")) for cell in cells for event in cell)
        head = f'"displayTimeUnit":"ms","otherData":{json.dumps(_other(document, cells))}'
        return f'{{{head},"traceEvents":[\n{lines}\n]}}\n'


def _other(document: RunDocument, cells: "Sequence[_Cell]") -> dict[str, Any]:
    """What the events do not say: which run it was, and what is not in the picture."""
    gaps = [f"{gap.scenario}, {gap.session_mode or 'all modes'}: {gap.reason}" for gap in document.not_verified]
    lacking = {
        "problems": [inline(problem) for problem in document.problems],
        "not verified": [inline(gap) for gap in gaps],
        "not recorded": [said for cell in cells for said in cell.lacking()],
    }
    said: dict[str, Any] = {
        "tool": "sessionproof",
        "verdict": document.verdict.value,
        "command": inline(document.command),
    }
    for name, entries in lacking.items():
        if entries:
            left = len(entries) - _LISTED
            said[name] = [*entries[:_LISTED], *([f"... and {left} more"] if left > 0 else [])]
    return said


class _Cell:
    """One cell's events, for which its picture's lanes are laid."""

    def __init__(self, cell: CellDocument, number: int) -> None:
        self._name = inline(cell_name(cell), limit=120)
        self._turns = len(cell.evidence.turns)
        self._number = number
        self._picture = Picture(cell)
        for lanes in self._picture.lanes.values():
            lanes.lay()

    def lacking(self) -> Iterator[str]:
        """A line for each thing that the picture lacks."""
        if not self._turns:
            yield f"{self._name}: it has no turn"
        for name, reason in self._picture.gaps.items():
            yield f"{self._name}: {name}: {reason}"
        if self._picture.untimed:
            yield f"{self._name}: the time of {self._picture.untimed} records, which are left out"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All events: names first, then slices, instants and arrows."""
        slices = (piece.start for lanes in self._picture.lanes.values() for _, _, pieces in lanes for piece in pieces)
        origin = min([*slices, *(mark.at for mark in self._picture.marks)], default=0.0)
        for process, lanes in self._picture.lanes.items():
            yield from self._named(process, lanes)
        for process, lanes in self._picture.lanes.items():
            for number, _, pieces in lanes:
                for piece in pieces:
                    yield {"ph": "X", **_shown(piece, origin), "cat": process, **self._place(process, number)}
        for mark in self._picture.marks:
            place = self._place(mark.process, self._picture.lanes[mark.process].number(mark.lane))
            said = {"ts": _microseconds(mark.at - origin), "args": dict(mark.arguments)}
            yield {"ph": "i", "s": "t", "name": mark.name, "cat": mark.category, **said, **place}
        for number, arrow in enumerate(self._picture.arrows):
            yield from self._drawn(arrow, number, origin)

    def _named(self, process: str, lanes: Lanes) -> Iterator[dict[str, Any]]:
        named = list(lanes)
        if not named:
            return
        place = self._place(process, 0)
        title = f"{self._name}: {process}"
        yield {"ph": "M", "name": "process_name", **place, "args": {"name": title}}
        yield {"ph": "M", "name": "process_sort_index", **place, "args": {"sort_index": place["pid"]}}
        for number, label, _ in named:
            thread = self._place(process, number)
            yield {"ph": "M", "name": "thread_name", **thread, "args": {"name": label}}
            yield {"ph": "M", "name": "thread_sort_index", **thread, "args": {"sort_index": number}}

    def _place(self, process: str, number: int) -> dict[str, int]:
        pid = self._number * 10 + 1 + PROCESSES.index(process)
        return {"pid": pid, "tid": pid * 100_000 + number}

    def _drawn(self, arrow: Arrow, number: int, origin: float) -> Iterator[dict[str, Any]]:
        identifier = self._number * 1_000_000 + number + 1
        for piece, phase in zip(arrow.ends, ({"ph": "s"}, {"ph": "f", "bp": "e"}), strict=True):
            place = self._place(TASKS, self._picture.lanes[TASKS].number_of(piece))
            ts = _microseconds(piece.start - origin)
            yield {**phase, "id": identifier, "name": arrow.name, "cat": "race", "ts": ts, **place}


def _shown(piece: Slice, origin: float) -> dict[str, Any]:
    """Its end is rounded, not its length, so that what nests still does."""
    start = _microseconds(piece.start - origin)
    length = round(_microseconds(piece.end - origin) - start, 3)
    return {"name": piece.name, "ts": start, "dur": length, "args": dict(piece.arguments)}


def _microseconds(seconds: float) -> float:
    return round(seconds * _MICROSECONDS, 3)
