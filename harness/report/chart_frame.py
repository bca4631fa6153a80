"""What all charts of a benchmark have in common: a head, notes below, and room for them.

Guarantee: what has no place in a chart stands in its notes; of too many notes, the number of those left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from textwrap import wrap

from harness.report.svg import Drawing, clipped, text_width

__all__ = ["BODY", "LINE", "MARGIN", "WIDTH", "Head", "label_width", "legend_rows", "start"]

WIDTH = 760.0
MARGIN = 16.0
LINE = 18.0
BODY = 64.0
"""Where the body begins, below title and subtitle."""

_NOTES_LIMIT = 14
_LABELS_WIDEST = 210.0
_TITLE_SIZE = 16.0
_NOTE_CHARACTERS = 96
_SWATCH = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands around a chart: `name` is fit for an id; `said` is its content in words; `notes` stand below it.

    `file` is where the rest of them is, if there are too many.
    """

    name: str
    title: str
    subtitle: str
    said: Sequence[str]
    notes: Sequence[str] = ()
    file: str = "bench.json"


def start(head: Head, *, body: float) -> Drawing:
    """A drawing whose body is so many pixels high, with title, subtitle and notes in place."""
    shown = list(head.notes[:_NOTES_LIMIT])
    if len(head.notes) > _NOTES_LIMIT:
        shown.append(f"... and {len(head.notes) - _NOTES_LIMIT} more, in {head.file}")
    lines = list(chain.from_iterable(wrap(note, _NOTE_CHARACTERS, subsequent_indent="  ") for note in shown))
    below = LINE * len(lines) + (8 if lines else 0)
    drawing = Drawing(
        name=head.name,
        title=head.title,
        description=" ".join(f"{each}." for each in (head.subtitle, *head.said, *head.notes)),
        width=WIDTH,
        height=BODY + body + below + MARGIN / 2,
    )
    drawing.text(MARGIN, 27, clipped(head.title, (WIDTH - 2 * MARGIN) * 13 / _TITLE_SIZE), style="title")
    drawing.text(MARGIN, 48, clipped(head.subtitle, WIDTH - 2 * MARGIN), style="dim")
    for number, line in enumerate(lines):
        drawing.text(
            MARGIN, BODY + body + 8 + LINE * (number + 0.5), clipped(line, WIDTH - 2 * MARGIN), style="warning"
        )
    return drawing


def label_width(labels: Sequence[str], *, widest: float = _LABELS_WIDEST) -> float:
    """How wide a column for these labels is to be."""
    return min(widest, max((text_width(label) for label in labels), default=0.0))


def legend_rows(labels: Sequence[str]) -> list[list[tuple[float, int]]]:
    """Rows of a legend: where each entry begins, and which it is."""
    rows: list[list[tuple[float, int]]] = [[]]
    x = MARGIN
    for number, label in enumerate(labels):
        width = _SWATCH + text_width(label) + 14
        if rows[-1] and x + width > WIDTH - MARGIN:
            rows.append([])
            x = MARGIN
        rows[-1].append((x, number))
        x += width
    return rows
