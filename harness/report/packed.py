"""What a page about a run draws on demand: its cells, findings and turns, as one compressed value.

Problem: a run's evidence is some 20 MB of JSON for the default matrix, and without bound for a long run; a page is to
be one file of less than 1 MB that opens at once.

Mechanism: each text and each stack is there once, and everything else names it by its number; moments are microseconds
since the moment before. The whole is compressed (zlib) and written as base64, which browsers unpack without a network.
Cells, what was found in them, and one line for each turn are there unless they alone leave no room: then there are
fewer findings of each cell, shorter texts, fewer turns, and at the very last fewer cells. Timelines and bills are kept
as long as there is room: first those of cells that are not as expected, then the first turn of each cell, then the
others. Of the findings in one cell the first ones are there, and of a turn with a timeline all.

Guarantee: pure, and the same document gives the same text, which is not longer than asked for, and counts what is not
there. It consists of letters, digits, `+`, `/` and `=`, so that
nothing in it can end, or be, markup. Text in it is printable (`harness.report.text`), and clipped.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
_TEXT = 3_000
_SHORT = 180
_FEW_TURNS = 25
_BASE = 0.7
"""The share that cells, findings and lines of turns may take, so that there are timelines, too."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """How much of a run is described: so many cells, and of each so many turns, findings, and characters of a text."""

    cells: int
    turns: int
    findings: int = _FINDINGS
    text: int = _TEXT
    sources: bool = True

    def smaller(self, by: float) -> "_Share":
        """What is about `by` times as long, at the cost of what is told best elsewhere, as long as there is such."""
        if self.findings > 1:
            return replace(self, findings=max(1, self.findings // 4))
        if self.text > _SHORT:
            return replace(self, text=max(_SHORT, self.text // 4), sources=False)
        if self.turns > _FEW_TURNS:
            return replace(self, turns=max(_FEW_TURNS, int(self.turns * by * 0.8)))
        return replace(self, cells=int(self.cells * by * 0.8))


def pack(document: RunDocument, sources: Sources, *, limit: int = LIMIT) -> Packed:
    """The run, in at most `limit` characters, if that is as much as what it says of itself (some 10,000)."""
    subjects = [_Subject(number, cell) for number, cell in enumerate(document.cells)]
    share, base = _fitting(document, subjects, sources, int(limit * _BASE))
    queue = _queue(subjects, share)
    room = int((limit - len(base)) * _RATIO)
    for _ in range(_ATTEMPTS):
        value, kept = _value(document, subjects, queue, sources, share=share, room=room)
        if len(text := _packed(value)) <= limit or not kept:
            return Packed(text=text, turns=_turns(document), kept=kept)
        room = int(room * 0.9 * limit / len(text)) if kept > 1 else 0
    return Packed(text=base, turns=_turns(document), kept=0)


def _turns(document: RunDocument) -> int:
    return sum(len(cell.evidence.turns) for cell in document.cells)


def _fitting(document: RunDocument, subjects: Sequence["_Subject"], sources: Sources, limit: int) -> tuple[_Share, str]:
    """How much is described so that, without a timeline, it is not longer than that; and this text."""
    lines = [len(subject.cell.evidence.turns) for subject in subjects]
    share = _Share(cells=len(subjects), turns=max(lines, default=0))
    while True:
        value, _ = _value(document, subjects, [], sources, share=share, room=0)
        text = _packed(value)
        if len(text) <= limit or not share.cells:
            return share, text
        share = share.smaller(limit / len(text))


def unpack(text: str) -> Any:
    """The value in a packed text."""
    return json.loads(zlib.decompress(b64decode(text)))


def _packed(value: object) -> str:
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return b64encode(zlib.compress(plain.encode("utf-8"), level=9)).decode("ascii")


def _shown(subjects: Sequence[_Subject], share: _Share) -> list[_Subject]:
    """The cells that are described; if not all are, those that are not as expected come first."""
    return sorted(subjects, key=lambda subject: subject.cell.as_expected)[: share.cells]


def _queue(subjects: Sequence[_Subject], share: _Share) -> list[tuple[_Subject, int]]:
    """All turns that have a line, the most telling first."""
    ranked = []
    for subject in _shown(subjects, share):
        told = {finding.turn for finding in subject.cell.findings}
        turns = subject.cell.evidence.turns[: share.turns]
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
    share: _Share,
    room: int,
) -> tuple[dict[str, Any], int]:
    texts = Texts(limit=share.text)
    cells: dict[int, dict[str, Any]] = {
        subject.number: describe_cell(subject.cell, subject.events, texts, findings=share.findings, turns=share.turns)
        for subject in sorted(_shown(subjects, share), key=lambda subject: subject.number)
    }
    kept = 0
    for subject, number in queue:
        if room <= 0:
            break
        seen = subject.events[number]
        if _LEAST * (seen.size + len(seen.findings)) > room:
            continue
        before = texts.size
        detail = describe_turn(subject.cell, number, seen, subject.bills[number], texts, findings=share.findings)
        room -= len(json.dumps(detail, separators=(",", ":"))) + texts.size - before
        cells[subject.number]["details"][str(number)] = detail
        kept += 1
    kinds = {finding.kind for number in cells for finding in document.cells[number].findings}
    return {
        "cells": [cells.get(number) for number in range(max(cells, default=-1) + 1)],
        "missing": len(subjects) - len(cells),
        "kinds": {kind.value: _explanation(kind, texts) for kind in FindingKind if kind in kinds},
        "sources": [
            [texts(frame), excerpt.first, excerpt.at, [texts(line) for line in excerpt.lines]]
            for frame, excerpt in (sources.items() if share.sources else ())
        ],
        "marks": [kind.value for kind in MarkKind],
        "lanes": [kind.value for kind in LaneKind],
        "stacks": texts.stacks,
        "texts": texts.texts,
    }, kept


def _explanation(kind: FindingKind, texts: Texts) -> list[int]:
    explained = EXPLANATIONS[kind]
    return [texts(explained.cause), texts(explained.repair)]
