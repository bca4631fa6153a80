"""What a page about a run draws on demand: its cells, findings and turns, as one compressed value.

Problem: a run's evidence is some 20 MB of JSON for the default matrix, and without bound for a long run; a page is to
be one file of less than 1 MB that opens at once.

Mechanism: each text and each stack is there once, and everything else names it by its number; moments are microseconds
since the moment before. The whole is compressed (zlib) and written as base64, which browsers unpack without a network.
Cells, what was found in them, and one line for each turn are always there. Timelines and bills are kept as long as
there is room: first those of cells that are not as expected, then the first turn of each cell, then the others; and of
findings in one cell the first ones.

Guarantee: pure, and the same document gives the same text. It consists of letters, digits, `+`, `/` and `=`, so that
nothing in it can end, or be, markup. Text in it is printable (`harness.report.text`), and clipped.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.explain import EXPLANATIONS
from harness.report.document import CellDocument, RunDocument
from harness.report.packed_cell import describe_cell, describe_turn
from harness.report.packed_texts import Texts
from harness.report.sides import Bill, bills
from harness.report.sources import Sources
from harness.report.timeline import LaneKind, MarkKind
from harness.report.turn_events import TurnEvents, events
from harness.verdict import FindingKind

__all__ = ["LIMIT", "Packed", "pack", "unpack"]

LIMIT = 650_000
"""How long the packed text is to be at most, in characters."""

_RATIO = 5.0
"""About how much shorter the value becomes when it is packed."""
_LEAST = 20
"""How many characters a record takes at least: a turn of so many that it cannot fit is not tried."""
_FINDINGS = 60
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The packed value; of so many `turns` it has the timelines of `kept`."""

    text: str
    turns: int
    kept: int


@dataclass(slots=True)
class _Subject:
    """A cell with its evidence by turn."""

    number: int
    cell: CellDocument
    _events: list[TurnEvents] | None = field(default=None)
    _bills: list[Bill] | None = field(default=None)

    @property
    def events(self) -> list[TurnEvents]:
        if self._events is None:
            self._events = events(self.cell)
        return self._events

    @property
    def bills(self) -> list[Bill]:
        if self._bills is None:
            self._bills, _ = bills(self.cell)
        return self._bills


def pack(document: RunDocument, sources: Sources, *, limit: int = LIMIT) -> Packed:
    """The run, in at most `limit` characters if cells and findings alone are not longer than that."""
    subjects = [_Subject(number, cell) for number, cell in enumerate(document.cells)]
    queue = _queue(subjects)
    room, findings = int(limit * _RATIO), _FINDINGS
    value, kept = _value(document, subjects, queue, sources, room=room, findings=findings)
    for _ in range(_ATTEMPTS):
        if len(text := _packed(value)) <= limit:
            break
        if kept:
            room = int(room * 0.9 * limit / len(text)) if kept > 1 else 0
        else:
            findings = max(1, findings // 4)
        value, kept = _value(document, subjects, queue, sources, room=room, findings=findings)
    return Packed(text=_packed(value), turns=len(queue), kept=kept)


def unpack(text: str) -> Any:
    """The value in a packed text."""
    return json.loads(zlib.decompress(b64decode(text)))


def _packed(value: object) -> str:
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return b64encode(zlib.compress(plain.encode("utf-8"), level=9)).decode("ascii")


def _queue(subjects: Sequence[_Subject]) -> list[tuple[_Subject, int]]:
    """All turns, the most telling first."""
    ranked = []
    for subject in subjects:
        told = {finding.turn for finding in subject.cell.findings}
        turns = subject.cell.evidence.turns
        best = next((number for number, turn in enumerate(turns) if turn.id in told), 0)
        for number in range(len(turns)):
            first = number == best
            rank = 2 * (not first) + subject.cell.as_expected
            ranked.append(((rank, 0 if first else number, subject.number), subject, number))
    return [(subject, number) for _, subject, number in sorted(ranked, key=lambda each: each[0])]


def _value(
    document: RunDocument,
    subjects: Sequence[_Subject],
    queue: Sequence[tuple[_Subject, int]],
    sources: Sources,
    *,
    room: int,
    findings: int,
) -> tuple[dict[str, Any], int]:
    texts = Texts()
    cells = [describe_cell(subject.cell, subject.events, texts, findings=findings) for subject in subjects]
    kept = 0
    for subject, number in queue:
        if room <= 0:
            break
        seen = subject.events[number]
        if _LEAST * seen.size > room:
            continue
        before = texts.size
        detail = describe_turn(subject.cell, seen, subject.bills[number], texts)
        room -= len(json.dumps(detail, separators=(",", ":"))) + texts.size - before
        cells[subject.number]["details"][str(number)] = detail
        kept += 1
    kinds = {finding.kind for cell in document.cells for finding in cell.findings}
    return {
        "cells": cells,
        "kinds": {kind.value: _explanation(kind, texts) for kind in FindingKind if kind in kinds},
        "sources": {
            place: [excerpt.first, [texts(line) for line in excerpt.lines]] for place, excerpt in sources.items()
        },
        "marks": [kind.value for kind in MarkKind],
        "lanes": [kind.value for kind in LaneKind],
        "stacks": texts.stacks,
        "texts": texts.texts,
    }, kept


def _explanation(kind: FindingKind, texts: Texts) -> list[int]:
    explained = EXPLANATIONS[kind]
    return [texts(explained.cause), texts(explained.repair)]
