"""Charts of points: how arms grow along a curve, and how pools of several sizes do.

Guarantee: every point of the document is there: with its interval; hollow where it is too noisy or was cut short, and
with a cross on it where the arm failed then; as a cross where there is no number. The reasons are notes, and so is what
was left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import log2

from harness.report import bench_digest as digest
from harness.report import bench_words as wording
from harness.report.bench_document import ArmDocument, CurveDocument, PointDocument, PoolsDocument
from harness.report.chart_frame import BODY, LINE, MARGIN, WIDTH, Head, label_width, start
from harness.report.svg import Axis, Drawing, clipped, text_width

__all__ = ["curve_chart", "pools_chart"]

_PLOT = 300.0
_FOOT = 46.0
_LEFT = 66.0
_INSET = 22.0
_DODGE = 6.0
_DODGE_OF_ROOM = 0.6
_LABEL_GAP = 19.0
_ARMS_LIMIT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    """Where a chart's points go: places on the x-axis by their order, and values on the y-axis."""

    places: Sequence[float]
    y: Axis

    @property
    def bottom(self) -> float:
        """The pixel of the lowest value."""
        return self.y.start


def curve_chart(name: str, curve: CurveDocument, *, notes: Sequence[str] = ()) -> str:
    """A line for each arm, in the median's seconds. `notes` stand below it, before its own."""
    every = wording.arm_names(curve)
    names = every[:_ARMS_LIMIT]
    known = [each for point in curve.points for arm in point.case.arms if (each := arm.seconds) is not None]
    highest = max((each.high for each in known), default=1.0)
    scale = wording.Scale.of(highest)
    labels = [wording.name(each) for each in names]
    right = WIDTH - MARGIN - label_width(labels) - 26
    doubling = _doubles(curve.points)
    logarithmic = ", logarithmic" if doubling else ""
    axis = Axis.up_to(highest * scale.factor, start=BODY + _PLOT, end=BODY + LINE + 6)
    plot = _Plot(places=_places(curve.points, _LEFT + _INSET, right - _INSET, doubling=doubling), y=axis)
    hollow = [point.case for point in curve.points if wording.unsure(point.case)]
    noise = list(dict.fromkeys(f"Hollow points, {wording.why_unsure(each)}" for each in hollow))
    more = [f"{len(every) - len(names)} more arms are in bench.json"] if len(every) > len(names) else []
    head = Head(
        name=name,
        title=f"{wording.name(curve.name)}: how long it takes, by {wording.name(curve.axis)}",
        subtitle=f"Median of each arm in {scale.unit}, with intervals; lower is better",
        said=[_said(curve, point, names) for point in curve.points],
        notes=[*notes, *noise, *digest.nothing(curve), *digest.curve_remarks(curve), *more],
    )
    drawing = start(head, body=_PLOT + _FOOT)
    ticks = [_tick(point) for point in curve.points]
    _axes(drawing, plot, ticks, right, words=(f"{wording.name(curve.axis)}{logarithmic}", scale.unit))
    labelled = any(point.label is not None for point in curve.points)
    each_room = _room(plot, right) / max(1, len(names))
    beside = min(_DODGE_OF_ROOM * each_room if labelled else _DODGE, each_room)
    shifts = [(number - (len(names) - 1) / 2) * beside for number in range(len(names))]
    lines = [_along(curve, arm, plot, scale, shift) for arm, shift in zip(names, shifts, strict=True)]
    for line in lines:
        _intervals(drawing, line)
    for number, line in enumerate(lines):
        _line(drawing, line, number, joined=not labelled)
    ends = [(seen[-1].y, number) for number, line in enumerate(lines) if (seen := [at for at in line if at.known])]
    _end_labels(drawing, labels, ends, plot, right)
    return drawing.rendered()


def pools_chart(name: str, pools: PoolsDocument, *, notes: Sequence[str] = ()) -> str:
    """A point for each size: how many times the largest pool's seconds it took. `notes` stand below it."""
    case = pools.case
    arms = [arm for arm in case.arms if arm.pool_size is not None and arm.pool_size > 0]
    sizes = sorted({arm.pool_size for arm in arms if arm.pool_size is not None} | {max(1, pools.predicted)})
    known = [arm.ratio.high for arm in arms if arm.ratio is not None]
    right = WIDTH - MARGIN - _INSET
    places = _logarithmic(sizes, _LEFT + _INSET, right - _INSET)
    axis = Axis.up_to(max([1.0, *known]), start=BODY + _PLOT, end=BODY + 3 * LINE + 6)
    plot = _Plot(places=places, y=axis)
    at = dict(zip(sizes, places, strict=True))
    noise = [f"Hollow points, {wording.why_unsure(case)}"] if wording.unsure(case) else []
    unsized = [f"{wording.name(arm.name)} has no size" for arm in case.arms if arm not in arms]
    head = Head(
        name=name,
        title=f"{wording.name(case.name)}: pools for {pools.turns} turns of {pools.tools} tools at once",
        subtitle=f"How many times the seconds of {wording.name(case.reference)}, with intervals; lower is better",
        said=[*(_pool_said(pools, arm) for arm in arms), *digest.pools_found(pools)],
        notes=[*notes, *noise, *digest.nothing(case), *digest.reasons(case), *unsized],
    )
    drawing = start(head, body=_PLOT + _FOOT)
    words = ("connections of the pool, logarithmic", f"seconds / {wording.name(case.reference)}")
    _axes(drawing, plot, list(map(str, sizes)), right, words=words)
    drawing.line((_LEFT, axis(1.0)), (right, axis(1.0)), style="axis")
    marks = [(pools.predicted, f"predicted: {pools.predicted}", BODY + 12 + LINE)]
    if pools.measured is not None:
        marks.append((pools.measured, f"measured: {pools.measured}", BODY + 12 + 2 * LINE))
    for size, said, y in marks:
        if size in at:
            drawing.line((at[size], y + 4), (at[size], plot.bottom), style="mark")
            drawing.text(at[size], y, said, anchor=_anchor(at[size], said, right))
    for arm in arms:
        _pool(drawing, plot, pools, arm, at[arm.pool_size or 0])
    return drawing.rendered()


def _pool(drawing: Drawing, plot: _Plot, pools: PoolsDocument, arm: ArmDocument, x: float) -> None:
    words = [mark for mark in wording.pool_marks(pools, arm.pool_size) if mark in {"slower", "timed out"}]
    if wording.is_reference(arm, pools.case):
        drawing.marker(x, plot.y(1.0), colour=2)
        y, words = plot.y(1.0), ["reference"]
    elif arm.ratio is not None:
        slower = arm.pool_size in pools.saturated
        hollow = wording.unsure(pools.case) or arm.pool_size in pools.timed_out
        drawing.interval((x, plot.y(arm.ratio.low)), (x, plot.y(arm.ratio.high)))
        drawing.marker(x, plot.y(arm.ratio.value), colour=1 if slower else 0, hollow=hollow)
        y = plot.y(arm.ratio.high)
    else:
        drawing.missing(x, plot.y.end + 12)
        y, words = plot.y.end + 40, words or [wording.ratio(arm, pools.case)]
    for number, word in enumerate(words):
        drawing.plate(x, max(plot.y.end, y - 14 - number * LINE), word)


def _pool_said(pools: PoolsDocument, arm: ArmDocument) -> str:
    marks = wording.pool_marks(pools, arm.pool_size)
    said = "the reference" if wording.is_reference(arm, pools.case) else wording.ratio(arm, pools.case)
    return f"{arm.pool_size} connections: {', '.join([said, *marks])}"


# -- places and axes --------------------------------------------------------------------------------------------------


def _doubles(points: Sequence[PointDocument]) -> bool:
    """Whether the points are powers of two, each above the one before."""
    xs = [point.x for point in points]
    powers = all(x > 0 and x & (x - 1) == 0 for x in xs)
    return powers and len(xs) > 1 and _ascend(points)


def _ascend(points: Sequence[PointDocument]) -> bool:
    return all(point.label is None for point in points) and all(a.x < b.x for a, b in pairwise(points))


def _places(points: Sequence[PointDocument], left: float, right: float, *, doubling: bool) -> list[float]:
    """Where the points are: by their logarithm, by their number, or, where that says nothing, one beside the other."""
    xs = [point.x for point in points]
    if doubling:
        return _logarithmic(xs, left, right)
    if len(xs) > 1 and _ascend(points):
        return [left + (x - xs[0]) / (xs[-1] - xs[0]) * (right - left) for x in xs]
    step = (right - left) / max(1, len(xs))
    return [left + step * (number + 0.5) for number in range(len(xs))]


def _logarithmic(xs: Sequence[int], left: float, right: float) -> list[float]:
    span = log2(max(xs)) - log2(min(xs)) if xs else 0.0
    if span <= 0:
        return [(left + right) / 2 for _ in xs]
    return [left + (log2(x) - log2(min(xs))) / span * (right - left) for x in xs]


def _tick(point: PointDocument) -> str:
    return str(point.x) if point.label is None else wording.name(point.label)


def _axes(drawing: Drawing, plot: _Plot, ticks: Sequence[str], right: float, *, words: tuple[str, str]) -> None:
    for tick in plot.y.ticks:
        drawing.line((_LEFT, plot.y(tick)), (right, plot.y(tick)))
        drawing.text(_LEFT - 8, plot.y(tick) + 4.5, f"{tick:,.10g}", style="dim", anchor="end")
    drawing.line((_LEFT, plot.y.end), (_LEFT, plot.bottom), style="axis")
    drawing.line((_LEFT, plot.bottom), (right, plot.bottom), style="axis")
    room = _room(plot, right)
    free = float("-inf")
    for x, said in zip(plot.places, ticks, strict=True):
        shown = clipped(said, max(room - 8, 40))
        drawing.line((x, plot.bottom), (x, plot.bottom + 4), style="axis")
        if x - text_width(shown) / 2 > free:
            drawing.text(x, plot.bottom + LINE, shown, style="dim", anchor="middle")
            free = x + text_width(shown) / 2 + 4
    across, up = words
    drawing.text(
        (_LEFT + right) / 2, plot.bottom + 2 * LINE, clipped(across, right - _LEFT), style="dim", anchor="middle"
    )
    drawing.text(MARGIN, BODY + 10, clipped(up, WIDTH / 2), style="dim")


def _room(plot: _Plot, right: float) -> float:
    """How far apart the closest points are."""
    return min((b - a for a, b in pairwise(plot.places)), default=right - _LEFT)


def _anchor(x: float, said: str, right: float) -> str:
    half = text_width(said) / 2
    return "end" if x + half > right + MARGIN else "start" if x - half < _LEFT else "middle"


# -- lines ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """One point of a line, in pixels; without a number it is on the axis."""

    x: float
    y: float
    known: bool
    low: float
    high: float
    hollow: bool
    failed: bool


def _along(curve: CurveDocument, name: str, plot: _Plot, scale: wording.Scale, shift: float) -> list[_At]:
    """An arm at each point, a little aside, so that arms which go alike are seen."""
    found = []
    for point, x in zip(curve.points, plot.places, strict=True):
        arm = next((arm for arm in point.case.arms if arm.name == name), None)
        of = arm.seconds if arm is not None else None
        failed = arm is not None and wording.failed_later(arm)
        y, low, high = (
            (plot.y(each * scale.factor) for each in (of.value, of.low, of.high)) if of else (plot.bottom,) * 3
        )
        hollow = failed or wording.unsure(point.case)
        found.append(_At(x=x + shift, y=y, known=of is not None, low=low, high=high, hollow=hollow, failed=failed))
    return found


def _intervals(drawing: Drawing, line: Sequence[_At]) -> None:
    for at in line:
        if at.known:
            drawing.interval((at.x, at.low), (at.x, at.high))


def _line(drawing: Drawing, line: Sequence[_At], colour: int, *, joined: bool) -> None:
    """A marker or a cross at each point, and, if there is anything between them, a line through known neighbours."""
    for known, run in groupby(line, key=lambda at: at.known):
        points = [(at.x, at.y) for at in run]
        if joined and known and len(points) > 1:
            drawing.curve(points, colour)
    for at in line:
        if at.known:
            drawing.marker(at.x, at.y, colour=colour, hollow=at.hollow)
        if at.failed or not at.known:
            drawing.missing(at.x, at.y if at.known else at.y - 7, colour=colour)


def _end_labels(
    drawing: Drawing, labels: Sequence[str], ends: Sequence[tuple[float, int]], plot: _Plot, right: float
) -> None:
    """The name of each line beside its end, or as near to it as the others leave room."""
    ordered = sorted(ends)
    placed: list[float] = []
    for y, _ in ordered:
        placed.append(max(y, placed[-1] + _LABEL_GAP) if placed else y)
    over = max(0.0, placed[-1] - plot.bottom) if placed else 0.0
    for place, (_, number) in zip(_pushed_up(placed, over), ordered, strict=True):
        drawing.marker(right + 8, place, colour=number)
        drawing.text(right + 20, place + 4.5, clipped(labels[number], WIDTH - MARGIN - right - 18))


def _pushed_up(placed: Sequence[float], over: float) -> list[float]:
    """So that the last one is inside again, and the others keep their distance to it."""
    pushed: list[float] = []
    for y in reversed(placed):
        pushed.append(min(y, pushed[-1] - _LABEL_GAP) if pushed else y - over)
    return pushed[::-1]


def _said(curve: CurveDocument, point: PointDocument, names: Sequence[str]) -> str:
    arms = {arm.name: arm for arm in point.case.arms}
    words = []
    for name in names:
        arm = arms.get(name)
        words.append(f"{wording.name(name)} {'not measured' if arm is None else wording.seconds_of(arm)}")
    doubt = wording.noise(point.case)
    return f"{wording.place(curve, point)}{f' ({doubt})' if doubt else ''}: {'; '.join(words)}"
