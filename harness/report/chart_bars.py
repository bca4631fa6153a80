"""Charts of horizontal bars: ratios of a case, parts of its turns, costs, and growth since a baseline.

Guarantee: a row for each arm. What failed, or has too few repetitions, is a cross with a word, and its reason a note.
The bars of a case that is too noisy or was cut short are hollow, and so is that of an arm that failed when it had a
number. Parts of a turn are told apart by what fills them: there a word says so, beside the bar. Every number has its
interval, but for the marks of the axes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.report import bench_comparison as changes
from harness.report import bench_digest as digest
from harness.report import bench_words as wording
from harness.report.bench_document import (
    ArmDocument,
    CaseDocument,
    ChangeDocument,
    ChangeOutcome,
    ComparisonDocument,
    CostArmDocument,
    CostDocument,
    EstimateDocument,
    GrowthDocument,
)
from harness.report.chart_frame import BODY, LINE, MARGIN, WIDTH, Head, label_width, legend_rows, start
from harness.report.svg import Axis, Drawing, clipped, text_width
from harness.report.text import inline

__all__ = ["comparison_chart", "cost_chart", "parts_chart", "ratio_chart"]

_ROW = 32.0
_BAR = 20.0
_FOOT = 46.0
_ROWS_LIMIT = 60
_GAP = 12.0
_VALUES_WIDEST = 260.0
_ONE = GrowthDocument(value=1.0, low=1.0, high=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A label, and a value with its interval and the words for it; or none, and a word for that.

    `lacking` is false where no value is missing, because there is none to be had.
    """

    label: str
    said: str
    estimate: EstimateDocument | GrowthDocument | None = None
    colour: int = 0
    hollow: bool = False
    lacking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How rows are drawn: bars or points, the axis' words, whether its ticks are seconds, and lines across all rows."""

    axis: Axis
    words: str
    points: bool = False
    seconds: bool = False
    lines: Sequence[tuple[float, str]] = ()


def ratio_chart(name: str, case: CaseDocument, *, notes: Sequence[str] = ()) -> str:
    """A bar for each arm: how many times the reference's seconds it took. `notes` stand below it, before its own."""
    rows = [_ratio_row(arm, case) for arm in case.arms]
    head = Head(
        name=name,
        title=f"{wording.name(case.name)}: how many times the reference's seconds",
        subtitle=f"Medians against {wording.name(case.reference)}, with intervals; shorter is better",
        said=[f"{row.label}: {row.said}" for row in rows],
        notes=[*notes, *_noise(case, rows), *digest.nothing(case), *digest.reasons(case)],
    )
    highest = max((row.estimate.high for row in rows if row.estimate is not None), default=1.0)
    return _rows(
        head, rows, _look(rows, Axis.up_to(highest, start=0, end=1), f"seconds / {wording.name(case.reference)}")
    )


def cost_chart(name: str, cost: CostDocument, *, notes: Sequence[str] = ()) -> str:
    """A bar for each way of doing something, in seconds on a logarithmic axis. `notes` stand below it."""
    rows = [_cost_row(arm, hollow=wording.unsure(cost) or wording.failed_later(arm)) for arm in cost.arms]
    known = [row.estimate for row in rows if row.estimate is not None]
    values = [each for estimate in known for each in (estimate.low, estimate.high)]
    missing = [f"not measured: {inline(each)}" for each in cost.missing]
    head = Head(
        name=name,
        title=f"{wording.name(cost.name)}: {inline(cost.question)}",
        subtitle="Medians with intervals, on a logarithmic axis: a step is a factor; shorter is better",
        said=[f"{row.label}: {row.said}" for row in rows],
        notes=[*notes, *_noise(cost, rows), *digest.nothing(cost), *digest.reasons(cost), *missing],
    )
    axis = Axis.decades(values, start=0, end=1)
    return _rows(head, rows, _look(rows, axis, "median, logarithmic", seconds=True))


def comparison_chart(name: str, comparison: ComparisonDocument) -> str:
    """A point for each change, the worst first: how many times what it was something is, beside the limit."""
    rows = [_change_row(change) for change in comparison.changes]
    known = [row.estimate for row in rows if row.estimate is not None]
    seen = [comparison.threshold, 1.0, *(each.high for each in known), *(each.low for each in known)]
    head = Head(
        name=name,
        title="Against the baseline: how many times what it was",
        subtitle=changes.conclusion(comparison),
        said=[f"{row.label}: {row.said}" for row in rows],
        notes=[*changes.doubts(comparison), *changes.comparison_notes(comparison)],
        file="comparison.json",
    )
    lines = ((1.0, "as it was"), (comparison.threshold, "limit"))
    look = _look(rows, Axis.around(seen, start=0, end=1), "growth, times", points=True, lines=lines)
    return _rows(head, rows, look, of="changes")


def parts_chart(name: str, case: CaseDocument, *, notes: Sequence[str] = ()) -> str:
    """A bar for each arm, of the parts of its mean turn, in milliseconds. `notes` stand below it."""
    parts = wording.part_names(case)
    colours = _part_colours(parts)
    arms = case.arms[:_ROWS_LIMIT]
    spent = [{part: seconds * 1e3 for part, seconds in arm.parts.items() if part in arm.shares} for arm in arms]
    keys = [_key(spent, part) for part in parts]
    legend = legend_rows(keys)
    labels = [wording.name(arm.name) for arm in arms]
    ends = [_taken(case, arm) if pieces else "" for arm, pieces in zip(arms, spent, strict=True)]
    left = MARGIN + label_width(labels) + _GAP
    right = WIDTH - MARGIN - label_width(ends, widest=_VALUES_WIDEST) - _GAP
    axis = Axis.up_to(max((sum(pieces.values()) for pieces in spent), default=0.0), start=left, end=right)
    noise = [wording.why_unsure(case)] if wording.unsure(case) else []
    head = Head(
        name=name,
        title=f"{wording.name(case.name)}: on what the mean turn was spent",
        subtitle="Bars: the mean turn in ms. In them its shares, beside them the median turn, both with intervals",
        said=[f"{label}: {_parts_said(case, arm)}" for label, arm in zip(labels, arms, strict=True)],
        notes=[*notes, *noise, *digest.reasons(case), *_left_out(len(case.arms))],
    )
    top = BODY + LINE * len(legend) + 12
    drawing = start(head, body=top - BODY + _ROW * len(arms) + _FOOT)
    for row, entries in enumerate(legend):
        for x, number in entries:
            drawing.bar(x, BODY + LINE * row, 14, 13, colour=colours[parts[number]])
            drawing.text(x + 20, BODY + LINE * row + 11, keys[number])
    _axis(drawing, axis, (top, top + _ROW * len(arms)), "ms")
    for number, (arm, pieces) in enumerate(zip(arms, spent, strict=True)):
        middle = top + _ROW * (number + 0.5)
        drawing.text(MARGIN, middle + 4.5, clipped(labels[number], left - MARGIN - _GAP))
        if not pieces:
            drawing.missing(left + 10, middle)
            drawing.text(left + 22, middle + 4.5, _no_parts(arm), style="warning")
        bars = [(colours[part], value, wording.share(arm.shares[part])) for part, value in pieces.items()]
        _stack(drawing, axis, middle, bars)
        sure = arm.failure is None and not wording.unsure(case)
        drawing.text(WIDTH - MARGIN, middle + 4.5, ends[number], style="ink" if sure else "warning", anchor="end")
    return drawing.rendered()


def _key(spent: Sequence[Mapping[str, float]], part: str) -> str:
    """What the legend says of a part; of one that no arm spent anything on, it says so."""
    return wording.name(part) if any(pieces.get(part, 0.0) > 0 for pieces in spent) else f"{wording.name(part)} (0)"


def _taken(case: CaseDocument, arm: ArmDocument) -> str:
    """The median turn of an arm, marked if it is not as sure as was asked for."""
    doubt = "" if wording.failed_later(arm) else wording.noise(case)
    return f"{wording.seconds_of(arm)}, {doubt}" if doubt else wording.seconds_of(arm)


def _no_parts(arm: ArmDocument) -> str:
    return wording.gap(arm) if arm.seconds is None else "no parts"


def _parts_said(case: CaseDocument, arm: ArmDocument) -> str:
    """`537 ms [532, 542]: work 240.0 ms (45% [44%, 46%]), ...`."""
    if not arm.shares:
        return _no_parts(arm)
    words = ((part, *wording.part(arm, part)) for part in arm.parts)
    said = (
        f"{wording.name(part)} {spent} ms ({share})" if share else f"{wording.name(part)} -"
        for part, spent, share in words
    )
    return f"{_taken(case, arm)}: {', '.join(said)}"


def _part_colours(parts: Sequence[str]) -> dict[str, int]:
    """Each known part has its own in every chart; others come after them."""
    known = list(wording.PARTS)
    others = [part for part in parts if part not in wording.PARTS]
    return {part: number for number, part in enumerate([*known, *others])}


def _stack(drawing: Drawing, axis: Axis, middle: float, pieces: Sequence[tuple[int, float, str]]) -> None:
    """Bars of these colours and lengths one behind the other, with their words where there is room."""
    begun = 0.0
    for colour, value, said in pieces:
        x, end = axis(begun), axis(begun + value)
        if end - x > 0:
            drawing.bar(x, middle - _BAR / 2, end - x, _BAR, colour=colour)
            drawing.line((end, middle - _BAR / 2), (end, middle + _BAR / 2), style="halo")
        if end - x > text_width(said) + 16:
            drawing.plate((x + end) / 2, middle, said)
        begun += value


def _noise(of: CaseDocument | CostDocument, rows: Sequence[_Row]) -> list[str]:
    """Why bars are hollow, if it is for the sake of all of them."""
    if not wording.unsure(of):
        return []
    drawn = any(row.hollow and row.estimate is not None for row in rows)
    return [f"Hollow bars, {wording.why_unsure(of)}" if drawn else wording.why_unsure(of)]


def _ratio_row(arm: ArmDocument, case: CaseDocument) -> _Row:
    label, said = wording.name(arm.name), wording.ratio(arm, case)
    if wording.is_reference(arm, case):
        return _Row(label=label, said=f"{said}, the reference", estimate=_ONE, colour=7)
    return _Row(label=label, said=said, estimate=arm.ratio, hollow=wording.unsure(case))


def _cost_row(arm: CostArmDocument, *, hollow: bool) -> _Row:
    return _Row(label=wording.name(arm.name), said=wording.seconds_of(arm), estimate=arm.seconds, hollow=hollow)


def _change_row(change: ChangeDocument) -> _Row:
    values = f"{inline(change.before, limit=20)} to {inline(change.now, limit=20)}"
    grown = f"{wording.estimate(change.growth)} " if change.growth is not None else f"{values}, "
    return _Row(
        label=f"{inline(change.case, limit=30)}: {inline(change.arm, limit=30)}, {inline(change.what, limit=30)}",
        said=f"{grown}{changes.became(change)}",
        estimate=change.growth,
        colour={ChangeOutcome.NOT_WORSE: 0, ChangeOutcome.WORSE: 1, ChangeOutcome.UNDECIDED: 2}[change.outcome],
        hollow=change.outcome is ChangeOutcome.UNDECIDED,
        lacking=change.outcome is not ChangeOutcome.NOT_WORSE,
    )


def _look(
    rows: Sequence[_Row],
    axis: Axis,
    words: str,
    *,
    points: bool = False,
    seconds: bool = False,
    lines: Sequence[tuple[float, str]] = (),
) -> _Look:
    """With the axis between the labels and the values, whatever room these take."""
    left = MARGIN + label_width([row.label for row in rows]) + _GAP
    right = WIDTH - MARGIN - label_width([row.said for row in rows], widest=_VALUES_WIDEST) - _GAP
    placed = Axis(low=axis.low, high=axis.high, start=left, end=right, logarithmic=axis.logarithmic)
    return _Look(axis=placed, words=words, points=points, seconds=seconds, lines=lines)


def _left_out(rows: int, *, of: str = "arms", file: str = "bench.json") -> list[str]:
    return [f"{rows - _ROWS_LIMIT} more {of} are in {file}"] if rows > _ROWS_LIMIT else []


def _rows(head: Head, rows: Sequence[_Row], look: _Look, *, of: str = "arms") -> str:
    shown, axis = rows[:_ROWS_LIMIT], look.axis
    head = replace(head, notes=[*_left_out(len(rows), of=of, file=head.file), *head.notes])
    top = BODY + (LINE if look.lines else 0)
    bottom = top + _ROW * len(shown)
    drawing = start(head, body=bottom - BODY + _FOOT)
    _axis(drawing, axis, (top, bottom), look.words, seconds=look.seconds)
    for number, row in enumerate(shown):
        middle = top + _ROW * (number + 0.5)
        drawing.text(MARGIN, middle + 4.5, clipped(row.label, axis.start - MARGIN - _GAP))
        if row.estimate is None:
            if row.lacking:
                drawing.missing(axis.start + 10, middle)
            style = "warning" if row.lacking else "ink"
            drawing.text(WIDTH - MARGIN, middle + 4.5, row.said, style=style, anchor="end")
            continue
        if not look.points:
            length = axis(row.estimate.value) - axis.start
            drawing.bar(axis.start, middle - _BAR / 2, length, _BAR, colour=row.colour, hollow=row.hollow)
        if row.estimate.low != row.estimate.high:
            drawing.interval((axis(row.estimate.low), middle), (axis(row.estimate.high), middle))
        if look.points:
            drawing.marker(axis(row.estimate.value), middle, colour=row.colour, hollow=row.hollow)
        drawing.text(WIDTH - MARGIN, middle + 4.5, row.said, anchor="end")
    for (value, words), anchor in zip(look.lines, ("end", "start"), strict=False):
        drawing.line((axis(value), top - LINE), (axis(value), bottom), style="mark")
        drawing.text(axis(value) + (4 if anchor == "start" else -4), top - 6, words, style="dim", anchor=anchor)
    return drawing.rendered()


def _axis(drawing: Drawing, axis: Axis, between: tuple[float, float], words: str, *, seconds: bool = False) -> None:
    top, bottom = between
    free = float("-inf")
    for tick in axis.ticks:
        drawing.line((axis(tick), top), (axis(tick), bottom))
        said = _seconds(tick) if seconds else f"{tick:,.10g}"
        if axis(tick) - text_width(said) / 2 > free:
            drawing.text(axis(tick), bottom + LINE, said, style="dim", anchor="middle")
            free = axis(tick) + text_width(said) / 2 + 6
    drawing.line((axis.start, top), (axis.start, bottom), style="axis")
    drawing.text((axis.start + axis.end) / 2, bottom + 2 * LINE, words, style="dim", anchor="middle")


def _seconds(tick: float) -> str:
    """In the unit that suits it; a power of ten may be a little less than it is."""
    scale = wording.Scale.of(tick * (1 + 1e-9))
    return f"{tick * scale.factor:,.3g} {scale.unit}"
