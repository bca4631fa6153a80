"""What the writers of a benchmark all say: its answer in words, what is wrong with it, and how its numbers are put.

Guarantee: pure functions of the document. No number is put without its interval, but for the milliseconds of the mean
turn, which are put beside a share that has one; what has no number has a reason, and what failed later is marked. Text
of the backend is on one line, printable and clipped; escaping it is the writer's business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from harness.report.bench_document import (
    HEADLINE,
    ArmDocument,
    BenchDocument,
    CaseDocument,
    ChangeDocument,
    ChangeOutcome,
    ComparisonDocument,
    Concurrency,
    CostArmDocument,
    CostDocument,
    CurveDocument,
    EstimateDocument,
    GrownDocument,
    GrowthDocument,
    PointDocument,
    PoolsDocument,
    ShareDocument,
)
from harness.report.text import inline

__all__ = [
    "OUTCOMES",
    "PARTS",
    "WARNINGS",
    "Remark",
    "Scale",
    "Weight",
    "answer",
    "arm_names",
    "became",
    "breaks_promise",
    "broken_promises",
    "case_remarks",
    "comparison_notes",
    "conclusion",
    "costs_remarks",
    "curve_remarks",
    "doubts",
    "efficiency",
    "ended",
    "estimate",
    "failed_later",
    "gap",
    "groups",
    "impatience",
    "is_reference",
    "limits",
    "machine",
    "measured",
    "name",
    "noise",
    "noisy",
    "not_measured",
    "nothing",
    "outliers",
    "part",
    "part_names",
    "place",
    "pool_marks",
    "pools_found",
    "pools_remarks",
    "ratio",
    "reasons",
    "regression",
    "remarks",
    "seconds",
    "seconds_of",
    "server",
    "share",
    "sound",
    "title",
    "together",
    "too_few",
    "too_wide",
    "unfinished",
    "unsure",
    "went",
    "why_missing",
    "why_unsure",
    "yardstick",
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

WARNINGS = "Warnings while it was measured"
"""What stands above those of the application, and of what it uses."""

_ENDINGS = {
    "interval": "every interval is as narrow as was asked for",
    "repetitions": "the number of repetitions is at its limit",
    "time": "the time is up",
    "failure": "the reference failed, or everything that was compared with it",
    "interrupted": "somebody ended it",
}
_LOST = f"{HEADLINE}: "
"""How the reason begins why there is no headline."""
_AT_A_LIMIT = frozenset({"repetitions", "time"})
_WENT = {
    Concurrency.SIDE_BY_SIDE: "side by side",
    Concurrency.IN_PART: "in part",
    Concurrency.ONE_BY_ONE: "one by one",
    Concurrency.UNDECIDED: "undecided",
}
_CALLED = {
    Concurrency.SIDE_BY_SIDE: "side by side",
    Concurrency.IN_PART: "called together, and side by side only in part,",
    Concurrency.ONE_BY_ONE: "called together, and yet one by one,",
}
OUTCOMES = {
    ChangeOutcome.WORSE: "WORSE",
    ChangeOutcome.UNDECIDED: "UNDECIDED",
    ChangeOutcome.NOT_WORSE: "not worse",
}
"""What became of something since the baseline, in words."""

_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
_NAME_LIMIT = 60
_SHOWN_PARTS = 3
_DOUBT_LIMIT = 600
_SHOWN_OUTLIERS = 12
_HUGE = 1e6
_TINY = 1e-9


class Weight(StrEnum):
    """How much a remark weighs."""

    WRONG = "wrong"
    UNKNOWN = "unknown"
    """Something is not known that was asked for."""
    NOT_PROMISED = "not promised"
    """Something does not work, and nobody said that it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that a reader must see, as a sentence."""

    weight: Weight
    text: str


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


# -- the answer and what is wrong -------------------------------------------------------------------------------------


def answer(document: BenchDocument) -> str:
    """What tools gain by running side by side, in one sentence; or why nobody knows."""
    case = next(iter(document.cases), None)
    lost = [reason.removeprefix(_LOST) for reason in document.missing if reason.startswith(_LOST)]
    if lost and (case is None or case.name != HEADLINE):
        return f"What tools gain was not measured: {inline(lost[0])}"
    if case is None:
        others = document.curves or document.pools or document.costs
        return "What tools gain was not asked for." if others else "Nothing was measured."
    return _answer(case) if case.name == HEADLINE else f"{name(case.name)}: {_answer(case)}"


def _answer(case: CaseDocument) -> str:
    reference = next((arm for arm in case.arms if arm.name == case.reference), None)
    if reference is None or reference.seconds is None or reference.failure is not None:
        reason = "is not there" if reference is None else why_missing(reference)
        return f"There is no answer: the reference, {name(case.reference)}, {reason}."
    number = f"{_COUNTS[case.tools] if case.tools < len(_COUNTS) else case.tools} t" if case.tools is not None else "T"
    tools = f"{number}ool{'' if case.tools == 1 else 's'} of {case.tool_seconds:g} s"
    together = _CALLED.get(reference.concurrency or Concurrency.UNDECIDED, "called together")
    sentence = f"{tools} {together} take {estimate(reference.seconds, unit=' s')}"
    other = next((arm for arm in case.arms if not arm.parallel and arm.session_mode is reference.session_mode), None)
    if other is None:
        return f"{sentence}; one by one they were not measured."
    if other.seconds is None or other.ratio is None:
        return f"{sentence}; one by one there is no number: {why_missing(other)}."
    slower = estimate(other.ratio, decimals=2)
    return f"{sentence}, one by one {estimate(other.seconds, unit=' s')}: {slower} times as long."


def measured(document: BenchDocument) -> bool:
    """Whether there is any number at all."""
    of: list[CaseDocument | CostDocument] = [*document.cases, *document.costs]
    of += [pools.case for pools in document.pools]
    of += [point.case for curve in document.curves for point in curve.points]
    return any(arm.seconds is not None for each in of for arm in each.arms)


def unfinished(document: BenchDocument) -> str:
    """That the measurement did not come to its end, if it did not: all that is there may be less than was asked for."""
    if document.interrupted:
        return "INTERRUPTED: not everything was measured that was asked for"
    if not document.finished:
        return "NOT FINISHED: the measurement is going on, or broke off; this is what was known by then"
    return ""


def sound(document: BenchDocument) -> bool:
    """Whether everything was measured that was asked for, and nothing of it is wrong, or not known."""
    known = measured(document) and not unfinished(document)
    return known and all(remark.weight is Weight.NOT_PROMISED for remark in remarks(document))


def remarks(document: BenchDocument) -> Iterator[Remark]:
    """What is wrong, not known, or not promised, anywhere in the document; each of these after the one before.

    Of what is not known, what was not measured at all comes first.
    """
    found = [Remark(weight=Weight.UNKNOWN, text=text) for text in not_measured(document)]
    found += [remark for case in document.cases for remark in case_remarks(case, case.name)]
    for curve in document.curves:
        found += _nothing(curve)
        found += [each for point in curve.points for each in case_remarks(point.case, place(curve, point))]
        found += [
            Remark(weight=Weight.UNKNOWN, text=f"{name(curve.name)}: not measured: {inline(reason)}")
            for reason in curve.skipped
        ]
    found += [remark for pools in document.pools for remark in pools_remarks(pools)]
    found += [remark for cost in document.costs for remark in costs_remarks(cost)]
    for weight in Weight:
        yield from (remark for remark in found if remark.weight is weight)


def groups(document: BenchDocument) -> Iterator[tuple[str, Sequence[Remark]]]:
    """The remarks by what they amount to, each group with its heading: what is wrong or not known, and the rest."""
    found = list(remarks(document))
    serious = [remark for remark in found if remark.weight is not Weight.NOT_PROMISED]
    if serious:
        wrong = any(remark.weight is Weight.WRONG for remark in serious)
        yield "What is wrong, or not known" if wrong else "What is not known", serious
    if others := found[len(serious) :]:
        yield "Not promised to work, and did not: tools that share one session", others


def not_measured(document: BenchDocument) -> Iterator[str]:
    """What of what was asked for was not measured, and why."""
    return (f"not measured: {inline(missing)}" for missing in document.missing)


def nothing(of: CaseDocument | CostDocument | CurveDocument) -> Iterator[str]:
    """That there is nothing in it, if there is not."""
    if not (arm_names(of) if isinstance(of, CurveDocument) else of.arms):
        yield f"{name(of.name)}: nothing was measured"


def _nothing(of: CaseDocument | CostDocument | CurveDocument) -> Iterator[Remark]:
    return (Remark(weight=Weight.UNKNOWN, text=text) for text in nothing(of))


def case_remarks(case: CaseDocument, where: str) -> Iterator[Remark]:
    """What is wrong, or not known, in one case, which `where` names."""
    yield from broken_promises(case, where)
    yield from _nothing(case)
    yield from (_failure(arm, where) for arm in case.arms if arm.failure is not None)
    yield from _noise(case, where)


def _failure(arm: ArmDocument, where: str) -> Remark:
    weight = Weight.WRONG if arm.promised and not arm.unseen else Weight.UNKNOWN
    text = f"{inline(where)}: {name(arm.name)} {why_missing(arm)}"
    return Remark(weight=Weight.NOT_PROMISED if arm.excused else weight, text=text)


def broken_promises(case: CaseDocument, where: str) -> Iterator[Remark]:
    """The arms whose tools were to run side by side, and do not; `where` names the case."""
    return (_broken_promise(arm, where) for arm in case.arms if breaks_promise(arm))


def breaks_promise(arm: ArmDocument) -> bool:
    """Whether the tools of an arm were to run side by side, and it is not seen that they do."""
    return arm.promised and arm.concurrency not in {None, Concurrency.SIDE_BY_SIDE}


def _broken_promise(arm: ArmDocument, where: str) -> Remark:
    start = f"{inline(where)}: the tools of {name(arm.name)} were to run side by side"
    gained = f"gained {share(arm.gained)} of what that can gain"
    if arm.concurrency is Concurrency.UNDECIDED:
        return Remark(weight=Weight.UNKNOWN, text=f"{start}, and whether they do is undecided: {gained}")
    ran = "ran one by one" if arm.concurrency is Concurrency.ONE_BY_ONE else "did so only in part"
    said = PARTS.get(arm.lost_to) if arm.lost_to is not None else None
    because = f" ({said})" if said is not None else ""
    lost = "" if arm.lost_to is None else f"; most of the rest is lost to {name(arm.lost_to)}{because}"
    return Remark(weight=Weight.WRONG, text=f"{start}, and {ran}: {gained}{lost}")


def _noise(case: CaseDocument | CostDocument, where: str) -> Iterator[Remark]:
    if not case.reached:
        verb = "is" if noisy(case) else "was"
        yield Remark(weight=Weight.UNKNOWN, text=f"{inline(where)} {verb} {why_unsure(case)}")


def pools_remarks(pools: PoolsDocument) -> Iterator[Remark]:
    """What is not as it should be with pools: failures for which nobody's patience is to blame, and noise."""
    case = pools.case
    yield from _nothing(case)
    failed = (arm for arm in case.arms if arm.failure is not None and not pools.impatient(arm))
    yield from (_failure(arm, name(case.name)) for arm in failed)
    yield from _noise(case, case.name)


def pools_found(pools: PoolsDocument) -> Iterator[str]:
    """The smallest pool that is enough: as predicted, and as measured."""
    yield f"predicted: {pools.predicted} connections are enough for {pools.turns} turns of {pools.tools} tools at once"
    if pools.measured is None:
        yield "measured: of no size does the whole interval say that it holds the time of the largest"
    else:
        yield f"measured: {pools.measured} is the smallest whose whole interval holds the time of the largest"
    if pools.saturated:
        yield f"slower beyond doubt: {', '.join(map(str, pools.saturated))}"
    if pools.timed_out:
        yield f"somebody's patience ended: {', '.join(map(str, pools.timed_out))}"


def impatience(pools: PoolsDocument) -> Iterator[str]:
    """What was said in the pools in which somebody's patience ended."""
    return (f"{name(arm.name)} {why_missing(arm)}" for arm in pools.case.arms if pools.impatient(arm))


def too_few(of: CaseDocument | CostDocument) -> Iterator[str]:
    """The arms that did not fail, and still have no number."""
    return (f"{name(arm.name)} {why_missing(arm)}" for arm in of.arms if arm.seconds is None and arm.failure is None)


def reasons(of: CaseDocument | CostDocument) -> Iterator[str]:
    """Why arms have no number, or took no further part once they had one."""
    missing = (arm for arm in of.arms if arm.seconds is None or arm.failure is not None)
    return (f"{name(arm.name)} {why_missing(arm)}" for arm in missing)


def costs_remarks(cost: CostDocument) -> Iterator[Remark]:
    """What is not known of what something costs: what failed, and what was not measured, or not closely enough."""
    yield from _nothing(cost)
    for arm in cost.arms:
        if arm.failure is not None:
            yield Remark(weight=Weight.UNKNOWN, text=f"{name(cost.name)}: {name(arm.name)} {why_missing(arm)}")
    for missing in cost.missing:
        yield Remark(weight=Weight.UNKNOWN, text=f"{name(cost.name)}: not measured: {inline(missing)}")
    yield from _noise(cost, cost.name)


def curve_remarks(curve: CurveDocument) -> Iterator[str]:
    """Why numbers of the curve are missing, or are the last ones, point by point, and what of it was left out."""
    for point in curve.points:
        there = {arm.name: arm for arm in point.case.arms}
        for each in arm_names(curve):
            if each not in there:
                yield f"{place(curve, point)}: {name(each)} was not measured"
            elif there[each].seconds is None or there[each].failure is not None:
                yield f"{place(curve, point)}: {name(each)} {why_missing(there[each])}"
    yield from (f"not measured: {inline(reason)}" for reason in curve.skipped)


# -- words and numbers ------------------------------------------------------------------------------------------------


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


def conclusion(compared: ComparisonDocument) -> str:
    """What a comparison amounts to."""
    return f"{OUTCOMES[compared.outcome]}: looked for a growth of ratios by {compared.threshold:g} times or more"


def became(change: ChangeDocument) -> str:
    """What became of something; in small letters if it is undecided, and leaves nothing else undecided."""
    is_open = change.outcome is ChangeOutcome.UNDECIDED and not change.decisive
    return "undecided" if is_open else OUTCOMES[change.outcome]


def regression(change: ChangeDocument) -> str:
    """What became worse: the case, both values with their intervals, and the parts that grew the most beyond doubt."""
    values = f"{inline(change.before)} to {inline(change.now)}"
    return f"WORSE: {inline(change.case)}, {inline(change.arm)}, {inline(change.what)}: {values}{_spent(change)}"


_LEAST_GROWN = 0.00005
"""Seconds: what is shown as 0.0 ms is nothing that grew, however sure it is."""


def _spent(change: ChangeDocument) -> str:
    if not change.spent:
        return ""
    grown = {
        part: of
        for part, of in change.spent.items()
        if (of.seconds if of.low is None else of.low) > 0 and of.seconds >= _LEAST_GROWN
    }
    if not grown:
        return "; no part of it grew beyond doubt"
    shown = [f"{name(part)} {_grown(of)}" for part, of in grown.items()][:_SHOWN_PARTS]
    is_undecided = any(of.low is None for of in grown.values())
    means = " (means, and not decided: one of the runs does not have the parts of each repetition)"
    return f"; in {', '.join(shown)}{means if is_undecided else ''}"


def _grown(of: GrownDocument) -> str:
    """`+62.1 ms [55.0, 70.0]`."""
    interval = "" if of.low is None or of.high is None else f" [{of.low * 1000:.1f}, {of.high * 1000:.1f}]"
    return f"{of.seconds * 1000:+.1f} ms{interval}"


def doubts(compared: ComparisonDocument) -> Iterator[str]:
    """Why a comparison leaves something undecided, and what to do."""
    return (f"UNDECIDED: {inline(doubt, limit=_DOUBT_LIMIT)}" for doubt in compared.doubts)


def comparison_notes(compared: ComparisonDocument) -> Iterator[str]:
    """What else is to be known of a comparison."""
    yield from map(inline, compared.notes)
    if any(became(change) == "undecided" for change in compared.changes):
        yield "what is undecided in small letters was measured less closely, and leaves nothing else undecided"


def server(document: BenchDocument) -> str:
    """Which PostgreSQL it was, if any."""
    postgres = document.environment.postgres
    return inline(f"PostgreSQL {postgres.version}, {postgres.kind}") if postgres is not None else "no PostgreSQL"


def machine(document: BenchDocument) -> str:
    """What it ran on."""
    environment = document.environment
    return inline(f"Python {environment.python}, {environment.platform}, {environment.cpus} processors")


def yardstick(case: CaseDocument) -> str:
    """What its yardstick is, if it has one."""
    if case.yardstick is None:
        return ""
    return f"{name(case.yardstick)} is the harness's own application: it changes with the machine, not with the backend"


def outliers(case: CaseDocument | CostDocument) -> Iterator[str]:
    """The repetitions of each arm that are far off."""
    for arm in case.arms:
        if arm.outliers:
            far = [arm.samples[index] for index in arm.outliers if 0 <= index < len(arm.samples)]
            more = f" and {len(far) - _SHOWN_OUTLIERS} more" if len(far) > _SHOWN_OUTLIERS else ""
            scale = Scale.of(max(far, default=1.0))
            shown = ", ".join(f"{each * scale.factor:.3f}" for each in far[:_SHOWN_OUTLIERS])
            yield f"{name(arm.name)}: far off, and counted: {shown} {scale.unit}{more}"


def limits(document: BenchDocument) -> Iterator[str]:
    """What the benchmark does not say."""
    postgres = document.environment.postgres
    embedded = ", of an embedded PostgreSQL with `fsync` off" if postgres and postgres.kind == "embedded" else ""
    tiers = {arm.tier.value for case in document.cases for arm in case.arms}
    model = " of a scripted model in the same process" if tiers == {"scripted"} else ""
    yield f"Seconds are those{model}{embedded}, and of this machine: not those of production."
    yield "Only ratios are to be compared with those of another run, and only together with their intervals."
    yield "The recorders that see the parts are in place in every arm."
    yield "Milliseconds of parts are of the mean turn; their shares are medians, and it is these that have intervals."
    confidences = {each.confidence for each in _estimates(document)}
    if confidences:
        levels = " and ".join(f"{each:.0%}" for each in sorted(confidences))
        yield f"Intervals are at {levels}: a few of many may be missed by chance."


def _estimates(document: BenchDocument) -> Iterator[EstimateDocument]:
    arms = chain.from_iterable(case.arms for case in document.cases)
    return (each for arm in arms for each in (arm.seconds, arm.ratio) if each is not None)


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if _TINY < abs(value) < _HUGE else f"{value:.3g}"
