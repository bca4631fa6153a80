"""The tables of a benchmark as text, for whoever lays them out: the terminal and Markdown have the same ones.

Guarantee: pure functions of the document. No number without its interval, but for the milliseconds of the mean turn,
beside which the share of the turn has one; the numbers of an arm that failed later are marked. Text of the backend is
on one line, printable and clipped, and not escaped for any format.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report import bench_comparison as changes
from harness.report import bench_digest as digest
from harness.report import bench_words as wording
from harness.report.bench_digest import Weight
from harness.report.bench_document import (
    ArmDocument,
    CaseDocument,
    ChangeDocument,
    ChangeOutcome,
    ComparisonDocument,
    Concurrency,
    CostArmDocument,
    CostDocument,
    CurveDocument,
    PointDocument,
    PoolsDocument,
)
from harness.report.text import inline

__all__ = [
    "Cell",
    "Grid",
    "comparison",
    "cost",
    "curve",
    "marked",
    "parts",
    "pools",
    "seconds",
    "sparkline",
    "tools",
]

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 24
_MILLISECONDS = wording.Scale(unit="", factor=1e3)
_WEIGHTS = {ChangeOutcome.WORSE: Weight.WRONG, ChangeOutcome.UNDECIDED: Weight.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value; `rest`, its interval, may stand beside it or below it."""

    value: str
    rest: str = ""
    weight: Weight | None = None

    @classmethod
    def of(cls, text: str, *, weight: Weight | None = None) -> "Cell":
        """A value with its interval, if it has one."""
        value, bracket, interval = text.partition(" [")
        return cls(value, f"[{interval}" if bracket else "", weight)

    def __str__(self) -> str:
        return f"{self.value} {self.rest}" if self.rest else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: `title` heads the first column, which names the rows; it may have two lines."""

    title: str
    headers: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]

    @property
    def empty(self) -> bool:
        """Whether there is no cell to show."""
        return not self.rows or not self.headers


def sparkline(values: Sequence[float], *, low: float, high: float) -> str:
    """A bar for each value, from `low` (the lowest bar) to `high`; of too many, each bar is the largest of some."""
    step = max(1, -(-len(values) // _WIDEST))
    shown = [max(values[start : start + step]) for start in range(0, len(values), step)]
    span = high - low
    return "".join(_BARS[_level((value - low) / span if span > 0 else 0.0)] for value in shown)


def _level(share: float) -> int:
    return min(len(_BARS) - 1, max(0, int(share * len(_BARS))))


def seconds(case: CaseDocument) -> Grid:
    """How long each arm takes, against the reference and in seconds, with all repetitions."""
    rows = [
        (
            wording.title(arm),
            (
                _ratio(arm, case),
                Cell.of(wording.estimate(arm.seconds, unit="s")) if arm.seconds is not None else _gap(arm),
                Cell(line),
            ),
        )
        for arm, line in zip(case.arms, _repetitions(case), strict=True)
    ]
    return Grid(title="", headers=(_against(case.reference), "seconds", "repetitions"), rows=rows)


def tools(case: CaseDocument) -> Grid:
    """How the tools of each arm went that were called together."""
    rows = [
        (
            wording.title(arm),
            (
                Cell.of(wording.efficiency(arm)),
                Cell.of(wording.share(arm.gained) if arm.gained is not None else "-"),
                Cell(wording.went(arm), weight=_went_weight(arm)),
                Cell(wording.together(arm)),
                Cell(wording.name(arm.lost_to) if arm.lost_to is not None else "-"),
            ),
        )
        for arm in case.arms
    ]
    return Grid(title="tools", headers=("efficiency", "gained", "ran", "together", "lost to"), rows=rows)


def parts(case: CaseDocument) -> Grid:
    """On what the mean turn's milliseconds were spent, which sum up to it, and the share of the turn that each is."""
    shown = wording.part_names(case)
    return Grid(
        title="ms of the\nmean turn,\nits share" if any(arm.shares for arm in case.arms) else "ms of the\nmean turn",
        headers=[wording.name(each) for each in shown],
        rows=[(wording.title(arm), [Cell(*wording.part(arm, each)) for each in shown]) for arm in case.arms],
    )


def pools(of: PoolsDocument) -> Grid:
    """Pools by their size, against the largest."""
    rows = [
        (
            wording.name(arm.name) if arm.pool_size is None else str(arm.pool_size),
            (
                _ratio(arm, of.case),
                Cell.of(wording.seconds(arm.seconds)) if arm.seconds is not None else _gap(arm),
                Cell(*wording.part(arm, "pool")),
                Cell(", ".join(wording.pool_marks(of, arm.pool_size)) or "-"),
            ),
        )
        for arm in of.case.arms
    ]
    headers = (_against(of.case.reference), "seconds", "ms in pool", "is")
    return Grid(title="pool size", headers=headers, rows=rows)


def curve(of: CurveDocument) -> Grid:
    """Milliseconds by point and arm, and how each arm grows as a sparkline; a point may be `noisy` or `cut short`."""
    names = wording.arm_names(of)
    by_arm = {each: [_median(point, each) for point in of.points] for each in names}
    highest = max((value or 0.0 for values in by_arm.values() for value in values), default=0.0)
    growth = [Cell(_growth(values, highest)) for values in by_arm.values()]
    rows = [(_point(point), [_milliseconds(point, each) for each in names]) for point in of.points]
    headers = [wording.name(each) for each in names]
    grown = [("growth", growth)] if names else []
    return Grid(title=f"ms by {wording.name(of.axis)}", headers=headers, rows=[*rows, *grown])


def marked(of: CurveDocument) -> list[str]:
    """What it means that points of a curve are `noisy` or `cut short`, each reason once."""
    unsure = [point.case for point in of.points if wording.unsure(point.case)]
    said = (
        f"noisy: {wording.too_wide(each)}" if wording.noisy(each) else f"cut short: {wording.why_unsure(each)}"
        for each in unsure
    )
    return list(dict.fromkeys(said))


def cost(of: CostDocument) -> Grid:
    """What each way of doing something costs."""
    compared = of.reference is not None
    rows = [
        (
            wording.title(arm),
            (
                *([_ratio(arm, of)] if compared else []),
                Cell.of(wording.seconds(arm.seconds)) if arm.seconds is not None else _gap(arm),
                Cell(line),
            ),
        )
        for arm, line in zip(of.arms, _repetitions(of), strict=True)
    ]
    headers = (*([_against(of.reference)] if of.reference is not None else []), "seconds", "repetitions")
    return Grid(title="", headers=headers, rows=rows)


def comparison(of: ComparisonDocument) -> Grid:
    """What became of each arm since the baseline, the worst first."""
    return Grid(
        title="against the baseline",
        headers=("", "before", "now", "growth", "is"),
        rows=[(inline(f"{change.case}: {change.arm}", limit=120), _change(change)) for change in of.changes],
    )


def _change(change: ChangeDocument) -> tuple[Cell, ...]:
    return (
        Cell(inline(change.what)),
        Cell.of(inline(change.before)),
        Cell.of(inline(change.now)),
        Cell.of(wording.estimate(change.growth) if change.growth is not None else "-"),
        Cell(changes.became(change), weight=_WEIGHTS.get(change.outcome) if change.decisive else None),
    )


def _against(reference: str) -> str:
    return f"seconds / {wording.name(reference)}"


def _ratio(arm: ArmDocument | CostArmDocument, of: CaseDocument | CostDocument) -> Cell:
    known = arm.ratio is not None or wording.is_reference(arm, of)
    return Cell.of(wording.ratio(arm, of), weight=None if known else Weight.UNKNOWN)


def _gap(arm: ArmDocument | CostArmDocument) -> Cell:
    return Cell(wording.gap(arm), weight=Weight.UNKNOWN)


def _went_weight(arm: ArmDocument) -> Weight | None:
    if not digest.breaks_promise(arm):
        return None
    return Weight.UNKNOWN if arm.concurrency is Concurrency.UNDECIDED else Weight.WRONG


def _repetitions(of: CaseDocument | CostDocument) -> list[str]:
    """A sparkline for each arm, on one scale for all of them."""
    samples = [sample for arm in of.arms for sample in arm.samples]
    low, high = min(samples, default=0.0), max(samples, default=0.0)
    return [sparkline(arm.samples, low=low, high=high) for arm in of.arms]


def _point(point: PointDocument) -> str:
    there = str(point.x) if point.label is None else wording.name(point.label)
    return f"{there} {doubt}" if (doubt := wording.noise(point.case)) else there


def _at(point: PointDocument, name: str) -> ArmDocument | None:
    return next((arm for arm in point.case.arms if arm.name == name), None)


def _median(point: PointDocument, name: str) -> float | None:
    arm = _at(point, name)
    return arm.seconds.value if arm is not None and arm.seconds is not None else None


def _growth(values: Sequence[float | None], highest: float) -> str:
    """A bar for each point, and a dot where there is no number."""
    return "".join("·" if each is None else sparkline([each], low=0.0, high=highest) for each in values)


def _milliseconds(point: PointDocument, name: str) -> Cell:
    arm = _at(point, name)
    if arm is None:
        return Cell("-", weight=Weight.UNKNOWN)
    sound = arm.seconds is not None and arm.failure is None
    return Cell.of(wording.seconds_of(arm, scale=_MILLISECONDS), weight=None if sound else Weight.UNKNOWN)
