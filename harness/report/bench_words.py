"""How the numbers and names of a benchmark are put in words, by whoever writes of it.

Guarantee: pure functions of the document. No number is put without its interval, but for the milliseconds of the mean
turn, which are put beside a share that has one; what has no number has a reason, and what failed later is marked. Text
of the backend is on one line, printable and clipped; escaping it is the writer's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.bench_document import (
    ArmDocument,
    CaseDocument,
    Concurrency,
    CostArmDocument,
    CostDocument,
    CurveDocument,
    EstimateDocument,
    GrowthDocument,
    PointDocument,
    PoolsDocument,
    ShareDocument,
)
from harness.report.text import inline

__all__ = [
    "PARTS",
    "Scale",
    "arm_names",
    "efficiency",
    "ended",
    "estimate",
    "failed_later",
    "gap",
    "is_reference",
    "name",
    "noise",
    "noisy",
    "part",
    "part_names",
    "place",
    "pool_marks",
    "ratio",
    "seconds",
    "seconds_of",
    "share",
    "title",
    "together",
    "too_wide",
    "unsure",
    "went",
    "why_missing",
    "why_unsure",
]

PARTS = {
    "work": "the tools' planned time in the database",
    "serial": "a tool had to wait for another one",
    "loop": "one frame held the event loop",
    "pool": "a connection was asked for and not had yet",
    "ledger": "the transaction that writes the bill",
    "model": "a request to the model",
    "sessions": "a tool, beside its planned time: its session, its transaction, its own statements",
    "application": "everything else: the agent, HTTP, statements outside of tools",
}
"""The parts of a turn, and what was going on in them."""

_ENDINGS = {
    "interval": "every interval is as narrow as was asked for",
    "repetitions": "the number of repetitions is at its limit",
    "time": "the time is up",
    "failure": "the reference failed, or everything that was compared with it",
    "interrupted": "somebody ended it",
}

_AT_A_LIMIT = frozenset({"repetitions", "time"})

_WENT = {
    Concurrency.SIDE_BY_SIDE: "side by side",
    Concurrency.IN_PART: "in part",
    Concurrency.ONE_BY_ONE: "one by one",
    Concurrency.UNDECIDED: "undecided",
}

_NAME_LIMIT = 60

_HUGE = 1e6

_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A unit in which seconds are shown, and how many of it a second has."""

    unit: str
    factor: float

    @classmethod
    def of(cls, seconds: float) -> "Scale":
        """The largest unit in which so many seconds are at least one."""
        units = (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9))
        found = next(((unit, factor) for unit, factor in units if seconds * factor >= 1), units[-1])
        return cls(unit=found[0], factor=found[1])


def name(text: str) -> str:
    """A name, on one line and not too long."""
    return inline(text, limit=_NAME_LIMIT) or "(no name)"


def place(curve: CurveDocument, point: PointDocument) -> str:
    """`tools_per_turn, 4 tools`: where on a curve something is."""
    there = f"{point.x} {name(curve.axis)}" if point.label is None else name(point.label)
    return f"{name(curve.name)}, {there}"


def arm_names(curve: CurveDocument) -> list[str]:
    """The names of all arms on a curve, in their order."""
    return list(dict.fromkeys(arm.name for point in curve.points for arm in point.case.arms))


def title(arm: ArmDocument | CostArmDocument) -> str:
    """An arm's name, where its numbers are: what failed when it had some is marked."""
    return f"{name(arm.name)} (failed)" if failed_later(arm) else name(arm.name)


def part_names(case: CaseDocument) -> list[str]:
    """The parts that turns of the case were taken apart into."""
    return list(dict.fromkeys(part for arm in case.arms for part in arm.parts))


def noisy(case: CaseDocument | CostDocument) -> bool:
    """Whether an interval is wider than was asked for, and a limit was reached; what was cut short is not noisy."""
    return not case.reached and case.ended in _AT_A_LIMIT


def unsure(case: CaseDocument | CostDocument) -> bool:
    """Whether a number of a case is not as sure as was asked for: it is noisy, or was cut short."""
    numbers = any(arm.seconds is not None for arm in case.arms)
    return not case.reached and (numbers or case.ended != "failure")


def noise(case: CaseDocument | CostDocument) -> str:
    """The word beside a number of a case that is not as sure as was asked for."""
    return "noisy" if noisy(case) else "cut short" if unsure(case) else ""


def why_unsure(case: CaseDocument | CostDocument) -> str:
    """Why a case that was not measured as was asked for is not."""
    if noisy(case):
        return f"TOO NOISY: {too_wide(case)}"
    return f"not measured to its end: {_ENDINGS.get(case.ended, inline(case.ended))}"


def too_wide(case: CaseDocument | CostDocument) -> str:
    """What is the matter with a case that is too noisy."""
    value = "median" if case.reference is None else "ratio"
    return (
        f"an interval is wider than ±{case.half_width:.1%} of its {value}, so that smaller differences are not known; "
        "measure again on a machine that does nothing else, or (the headline, latencies, and costs) with --full"
    )


def gap(arm: ArmDocument | CostArmDocument) -> str:
    """What stands in the place of a number that an arm does not have."""
    return "failed" if arm.failure is not None else "too few"


def failed_later(arm: ArmDocument | CostArmDocument) -> bool:
    """Whether an arm failed when it had as many repetitions as a number needs: those are there, and no more came."""
    return arm.failure is not None and arm.seconds is not None


def is_reference(arm: ArmDocument | CostArmDocument, of: CaseDocument | CostDocument) -> bool:
    """Whether the others are compared with this arm: it is the reference, and has what that takes."""
    return arm.name == of.reference and arm.seconds is not None and arm.failure is None


def ratio(arm: ArmDocument | CostArmDocument, of: CaseDocument | CostDocument) -> str:
    """How many times the reference's seconds an arm took; or the word for why nobody knows."""
    if is_reference(arm, of):
        return "1"
    if arm.ratio is not None:
        return estimate(arm.ratio, unit="x")
    if arm.seconds is None or arm.failure is not None:
        return gap(arm)
    failed = any(each.name == of.reference and each.failure is not None for each in of.arms)
    return "reference failed" if failed else "no reference"


def seconds_of(arm: ArmDocument | CostArmDocument, *, scale: Scale | None = None) -> str:
    """An arm's seconds, marked if it failed then; or the word for why there are none."""
    if arm.seconds is None:
        return gap(arm)
    return f"{seconds(arm.seconds, scale=scale)}{', then failed' if failed_later(arm) else ''}"


def why_missing(arm: ArmDocument | CostArmDocument) -> str:
    """Why an arm has no number, or took no further part."""
    times = f"{len(arm.samples)} repetition{'' if len(arm.samples) == 1 else 's'}"
    if arm.failure is not None:
        return f"failed after {times}: {inline(arm.failure)}"
    return f"has {times}, too few for an interval"


def went(arm: ArmDocument) -> str:
    """How the tools of an arm went that were called together."""
    return "-" if arm.concurrency is None else _WENT[arm.concurrency]


def together(arm: ArmDocument) -> str:
    """In how many of the repetitions of which that is known the tools worked at the same time."""
    return "-" if arm.overlapped is None else f"{arm.overlapped} of {arm.overlap_known}"


def ended(case: CaseDocument | CostDocument) -> str:
    """Why the measurement ended, and the smallest change that a comparison would find; the reference tells none."""
    others = [arm.ratio for arm in case.arms if arm.ratio is not None and arm.name != case.reference]
    found = [each.detectable for each in others if each.detectable is not None]
    compared = f"; a change of {max(found):.1%} of any ratio would be found" if found else ""
    return f"{_ENDINGS.get(case.ended, inline(case.ended))} after {case.elapsed:.0f} s{compared}"


def estimate(of: EstimateDocument | GrowthDocument, *, unit: str = "", decimals: int = 3) -> str:
    """`1.830 [1.760, 1.860]`: the value with its unit, and its interval."""
    value, low, high = (_number(each, decimals) for each in (of.value, of.low, of.high))
    return f"{value}{unit} [{low}, {high}]"


def seconds(of: EstimateDocument, *, scale: Scale | None = None) -> str:
    """Seconds in the unit that suits them, or in that of `scale`: `12.3 µs [12.1, 12.6]`."""
    used = scale or Scale.of(of.value)
    scaled = [each * used.factor for each in (of.value, of.low, of.high)]
    decimals = 0 if scaled[0] >= 100 else 1 if scaled[0] >= 10 else 2  # noqa: PLR2004  # three digits
    value, low, high = (_number(each, decimals) for each in scaled)
    return f"{value}{f' {used.unit}' if used.unit else ''} [{low}, {high}]"


def share(of: ShareDocument | None) -> str:
    """`97% [95%, 99%]`."""
    return "an unknown part" if of is None else f"{of.value:.0%} [{of.low:.0%}, {of.high:.0%}]"


def efficiency(arm: ArmDocument) -> str:
    """The longest tool as a part of the turn."""
    return "-" if arm.efficiency is None else share(arm.efficiency)


def part(arm: ArmDocument, of: str) -> tuple[str, str]:
    """The milliseconds of a part of the mean turn, and which share of the turn it is; no share, no milliseconds."""
    if of in arm.parts and of in arm.shares:
        return f"{arm.parts[of] * 1000:.1f}", share(arm.shares[of])
    return (gap(arm) if arm.seconds is None else "-"), ""


def pool_marks(pools: PoolsDocument, size: int | None) -> Sequence[str]:
    """What is to be said of a pool of that size."""
    marks = (
        (size == pools.predicted, "predicted"),
        (pools.measured is not None and size == pools.measured, "measured"),
        (size in pools.saturated, "slower"),
        (size in pools.timed_out, "timed out"),
    )
    return [mark for holds, mark in marks if holds]


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if _TINY < abs(value) < _HUGE else f"{value:.3g}"
