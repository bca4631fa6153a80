"""What the writers of a benchmark all say: its answer, what is wrong with it, and what it does not say.

Guarantee: pure functions of the document; numbers and names are put by `harness.report.bench_words`.
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
    Concurrency,
    CostDocument,
    CurveDocument,
    EstimateDocument,
    PoolsDocument,
)
from harness.report.bench_words import (
    PARTS,
    Scale,
    arm_names,
    estimate,
    name,
    noisy,
    place,
    share,
    why_missing,
    why_unsure,
)
from harness.report.text import inline

__all__ = [
    "WARNINGS",
    "Remark",
    "Weight",
    "answer",
    "breaks_promise",
    "broken_promises",
    "case_remarks",
    "costs_remarks",
    "curve_remarks",
    "groups",
    "impatience",
    "limits",
    "machine",
    "measured",
    "not_measured",
    "nothing",
    "outliers",
    "pools_found",
    "pools_remarks",
    "reasons",
    "remarks",
    "server",
    "sound",
    "too_few",
    "unfinished",
    "yardstick",
]

WARNINGS = "Warnings while it was measured"
"""What stands above those of the application, and of what it uses."""

_LOST = f"{HEADLINE}: "
"""How the reason begins why there is no headline."""

_CALLED = {
    Concurrency.SIDE_BY_SIDE: "side by side",
    Concurrency.IN_PART: "called together, and side by side only in part,",
    Concurrency.ONE_BY_ONE: "called together, and yet one by one,",
}

_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")

_SHOWN_OUTLIERS = 12


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
