"""Charts of horizontal bars: ratios of a case, parts of its turns, costs, and growth since a baseline.

Guarantee: a row for each arm. What failed, or has too few repetitions, is a cross with a word, and its reason a note;
the bars of a case that is too noisy or was cut short are hollow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.report import bench_digest as digest
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
_ONE = GrowthDocument(value=1.0, low=1.0, high=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A label, and a value with its interval and the words for it; or none, and a word for that."""

    label: str
    said: str
    estimate: EstimateDocument | GrowthDocument | None = None
    colour: int = 0
    hollow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How rows are drawn: bars or points, the axis' words, whether its ticks are seconds, and lines across all rows."""

    axis: Axis
    words: str
    points: bool = False
    seconds: bool = False
    lines: Sequence[tuple[float, str]] = ()


def ratio_chart(name: str, case: CaseDocument) -> str:
    """A bar for each arm: how many times the reference's seconds it took."""
    unsure = digest.unsure(case)
    rows = [_ratio_row(arm, case.reference, hollow=unsure) for arm in case.arms]
    reasons = [f"{digest.name(arm.name)} {digest.why_missing(arm)}" for arm in case.arms if arm.seconds is None]
    noise = [f"Hollow bars, {digest.why_unsure(case)}"] if unsure else []
    head = Head(
        name=name,
        title=f"{digest.name(case.name)}: how many times the reference's seconds",
        subtitle=f"Medians against {digest.name(case.reference)}, with intervals; shorter is better",
        said=[f"{row.label}: {row.said}" for row in rows],
        notes=[*noise, *digest.nothing(case), *reasons],
    )
    highest = max((row.estimate.high for row in rows if row.estimate is not None), default=1.0)
    return _rows(
        head, rows, _look(rows, Axis.up_to(highest, start=0, end=1), f"seconds / {digest.name(case.reference)}")
    )


def cost_chart(name: str, cost: CostDocument) -> str:
    """A bar for each way of doing something, in seconds on a logarithmic axis."""
    unsure = digest.unsure(cost)
    rows = [_cost_row(arm, hollow=unsure) for arm in cost.arms]
    known = [row.estimate for row in rows if row.estimate is not None]
    values = [each for estimate in known for each in (estimate.low, estimate.high)]
    noise = [f"Hollow bars, {digest.why_unsure(cost)}"] if unsure else []
    missing = [f"not measured: {inline(each)}" for each in cost.missing]
    reasons = [f"{digest.name(arm.name)} {digest.why_missing(arm)}" for arm in cost.arms if arm.seconds is None]
    head = Head(
        name=name,
        title=f"{digest.name(cost.name)}: {inline(cost.question)}",
        subtitle="Medians with intervals, on a logarithmic axis: a step is a factor; shorter is better",
        said=[f"{row.label}: {row.said}" for row in rows],
        notes=[*noise, *digest.nothing(cost), *reasons, *missing],
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
        subtitle=digest.conclusion(comparison),
        said=[f"{row.label}: {row.said}" for row in rows],
        notes=[*digest.doubts(comparison), *digest.comparison_notes(comparison)],
        file="comparison.json",
    )
    lines = ((1.0, "as it was"), (comparison.threshold, "limit"))
    look = _look(rows, Axis.around(seen, start=0, end=1), "growth, times", points=True, lines=lines)
    return _rows(head, rows, look, of="changes")


def parts_chart(name: str, case: CaseDocument) -> str:
    """A bar for each arm, of the parts of its mean turn, in milliseconds."""
    parts = digest.part_names(case)
    colours = _part_colours(parts)
    arms = case.arms[:_ROWS_LIMIT]
    totals = [sum(arm.parts.values()) for arm in arms]
    scale = digest.Scale(unit="ms", factor=1e3)
    keys = [_key(case, part) for part in parts]
    legend = legend_rows(keys)
    labels = [digest.name(arm.name) for arm in arms]
    ends = [f"{total * scale.factor:.1f} ms" if arm.parts else "" for arm, total in zip(arms, totals, strict=True)]
    left = MARGIN + label_width(labels) + _GAP
    right = WIDTH - MARGIN - label_width(ends) - _GAP
    axis = Axis.up_to(max(totals, default=0.0) * scale.factor, start=left, end=right)
    said = [
        f"{label}: {', '.join(' '.join((digest.name(part), *_part_words(digest.part(arm, part)))) for part in parts)}"
        for label, arm in zip(labels, arms, strict=True)
    ]
    missing = [f"{digest.name(arm.name)} {digest.why_missing(arm)}" for arm in arms if not arm.parts]
    head = Head(
        name=name,
        title=f"{digest.name(case.name)}: on what the mean turn was spent",
        subtitle="Milliseconds of the mean turn, without intervals; those of the shares are in the tables",
        said=said,
        notes=[*missing, *_left_out(len(case.arms))],
    )
    top = BODY + LINE * len(legend) + 12
    drawing = start(head, body=top - BODY + _ROW * len(arms) + _FOOT)
    for row, entries in enumerate(legend):
        for x, number in entries:
            y = BODY + LINE * row
            drawing.bar(x, y, 14, 13, colour=colours[parts[number]])
            drawing.text(x + 20, y + 11, keys[number])
    _axis(drawing, axis, (top, top + _ROW * len(arms)), "ms")
    for number, arm in enumerate(arms):
        middle = top + _ROW * (number + 0.5)
        drawing.text(MARGIN, middle + 4.5, clipped(labels[number], left - MARGIN - _GAP))
        if not arm.parts:
            drawing.missing(left + 10, middle)
            drawing.text(left + 22, middle + 4.5, digest.gap(arm), style="warning")
        _stack(drawing, axis, middle, [(colours[part], value * scale.factor) for part, value in arm.parts.items()])
        drawing.text(WIDTH - MARGIN, middle + 4.5, ends[number], anchor="end")
    return drawing.rendered()


def _key(case: CaseDocument, part: str) -> str:
    """What the legend says of a part; of one that no arm spent anything on, it says so."""
    spent = any(arm.parts.get(part, 0.0) > 0 for arm in case.arms)
    return digest.name(part) if spent else f"{digest.name(part)} (0)"


def _part_words(words: tuple[str, str]) -> tuple[str, ...]:
    milliseconds, share = words[0], words[1].partition(" ")[0]
    return (milliseconds, f"ms ({share})") if share else (milliseconds,)


def _part_colours(parts: Sequence[str]) -> dict[str, int]:
    """Each known part has its own in every chart; others come after them."""
    known = list(digest.PARTS)
    others = [part for part in parts if part not in digest.PARTS]
    return {part: number for number, part in enumerate([*known, *others])}


def _stack(drawing: Drawing, axis: Axis, middle: float, pieces: Sequence[tuple[int, float]]) -> None:
    begun = 0.0
    for colour, value in pieces:
        x, end = axis(begun), axis(begun + value)
        if end - x > 0:
            drawing.bar(x, middle - _BAR / 2, end - x, _BAR, colour=colour)
            drawing.line((end, middle - _BAR / 2), (end, middle + _BAR / 2), style="halo")
        if end - x > text_width(f"{value:.1f}") + 12:
            drawing.plate((x + end) / 2, middle, f"{value:.1f}")
        begun += value


def _ratio_row(arm: ArmDocument, reference: str, *, hollow: bool) -> _Row:
    label = digest.name(arm.name)
    if arm.name == reference and arm.seconds is not None:
        return _Row(label=label, said="1, the reference", estimate=_ONE, colour=7)
    said = digest.estimate(arm.ratio, unit="x") if arm.ratio is not None else digest.gap(arm)
    return _Row(label=label, said=said, estimate=arm.ratio, hollow=hollow)


def _cost_row(arm: CostArmDocument, *, hollow: bool) -> _Row:
    said = digest.seconds(arm.seconds) if arm.seconds is not None else digest.gap(arm)
    return _Row(label=digest.name(arm.name), said=said, estimate=arm.seconds, hollow=hollow)


def _change_row(change: ChangeDocument) -> _Row:
    grown = f"{digest.estimate(change.growth)} " if change.growth is not None else ""
    return _Row(
        label=f"{inline(change.case, limit=30)}: {inline(change.arm, limit=30)}, {inline(change.what, limit=30)}",
        said=f"{grown}{digest.became(change)}",
        estimate=change.growth,
        colour={ChangeOutcome.NOT_WORSE: 0, ChangeOutcome.WORSE: 1, ChangeOutcome.UNDECIDED: 2}[change.outcome],
        hollow=change.outcome is ChangeOutcome.UNDECIDED,
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
    right = WIDTH - MARGIN - label_width([row.said for row in rows]) - _GAP
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
            drawing.missing(axis.start + 10, middle)
            drawing.text(WIDTH - MARGIN, middle + 4.5, row.said, style="warning", anchor="end")
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
    scale = digest.Scale.of(tick * (1 + 1e-9))
    return f"{tick * scale.factor:,.3g} {scale.unit}"
