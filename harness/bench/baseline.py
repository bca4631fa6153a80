"""Is it worse than last time? Two benchmarks, compared by ratios and by structure.

Problem: seconds of two runs differ because machines and days do; a threshold without an interval cries wolf, or sleeps.

Mechanism: of each arm it is known what it took before, and of the yardstick, which took turns with it both times, what
became of the machine (`harness.bench.machine`). The growth is what the arm takes now against what is to be expected of
it: its planned work, which no machine makes longer, and the rest in proportion to the yardstick's rest
(`harness.bench.estimate.growth_of`). Where one of the runs has no yardstick, or its yardstick failed, it is the growth
of the arm's ratio to the reference, and what became of the reference is undecided, unless both runs went without by
intent; on the logarithms the two runs' half-widths then add up like independent errors, as the root of the sum of their
squares. It is worse if the whole interval lies above the threshold, not worse if it lies below or on it, and undecided
otherwise. Worse are also an arm that fails and did not before, and tools that were to work at the same time, did so,
and do not now, whatever the times say.

Guarantee: of what only one of the runs has nothing is said but that it is so; the headline, by which all is judged, is
undecided then. So is what the baseline has and this run was asked to measure and did not, or measured with other tools.
Seconds of two runs meet only where what became of the machine is known, and is taken out of them.
"""

from collections.abc import Iterator
from functools import partial
from math import ceil, exp, hypot, log
from typing import TypeVar

from harness.bench.change import Change, Comparison, Gate, Growth
from harness.bench.estimate import Estimate, share_of
from harness.bench.machine import Machine, against, arm_of, without_yardstick
from harness.report.bench_document import (
    HEADLINE,
    ArmDocument,
    BenchDocument,
    CaseDocument,
    ChangeOutcome,
    EstimateDocument,
)

N = TypeVar("N", CaseDocument, ArmDocument)

__all__ = ["compare", "foreseen"]

MOSTLY = 0.9
"""In which part of the repetitions tools work at the same time that do so all but always."""
HALF = 0.5
"""On both sides of which the whole interval of that part must lie before and now for it to be lost."""
CLOSELY = log(Gate().threshold)
"""Below which half-width, of both runs together, what is not the headline was measured closely enough to leave all
undecided; the gate that was asked for is no matter, because a stricter one must not end better than a laxer one."""

_NOTED = 3
"""How many cases, or arms, that only one of the runs has are noted one by one."""

_ACROSS = (
    "the interval lies on both sides of the gate: measure this and the baseline with --full, on a machine that does "
    "nothing else, or take a wider gate"
)
_NO_MACHINE = (
    "what became of the machine is not known, because a yardstick is missing: measure again, or make another baseline "
    "with --save"
)
_TOO_FEW = "there are too few repetitions for an interval: measure again"
_FAILED_TWICE = "it failed in the baseline too: let it answer, and make another baseline with --save"
_NOT_MEASURED = (
    "the baseline has it, and this run does not: measure again with what it lacks, or make another baseline with --save"
)
_NOT_BEFORE = "the baseline does not have it: make another one with --save"
_OTHER_TOOLS = (
    "it has other tools than in the baseline: measure both with --full, or both without, or make another baseline with "
    "--save"
)
_OTHER_REFERENCE = "it has another reference than in the baseline: make another one with --save"
_HARD_TO_SEE = (
    "that tools worked at the same time was seen neither often enough nor seldom enough to tell: measure again, on a "
    "machine that does nothing else"
)


def compare(now: BenchDocument, before: BenchDocument, gate: Gate) -> Comparison:
    """What became of every arm that both runs have, or that this one was asked to measure, and did not."""
    notes = list(_differences(now, before))
    changes: list[Change] = []
    for name, (case, earlier) in _both(_cases(now), _cases(before), "case", notes):
        if (other := _incomparable(case, earlier)) is not None:
            notes.append(f"case {name!r} has other tools or another reference than in the baseline: it is not compared")
            changes.append(other)
            continue
        machine = Machine.of(case, earlier)
        notes += without_yardstick(case, earlier)
        for _, (arm, was) in _both(case.arms, earlier.arms, f"{name}: arm", notes):
            if arm.name not in machine.names:
                changes += _changes(case, arm, was, gate, machine=machine, decisive=_is_decisive(case, earlier))
        missing = [was for was in earlier.arms if arm_of(case, was.name) is None and was.name not in machine.names]
        changes += (_not_measured(name, was) for was in missing)
        if name == HEADLINE:
            notes += _too_fine(gate, case.half_width, earlier.half_width)
    changes += [*_without_headline(now, before), *_asked_for(now, before)]
    return Comparison(gate=gate, changes=tuple(changes), notes=tuple(notes))


def foreseen(before: BenchDocument, gate: Gate, *, tool_seconds: float, half_width: float) -> Iterator[str]:
    """Why a run will be undecided against this baseline, or may well be: known before anything is measured.

    `tool_seconds` and `half_width` are what the run's headline is going to have.
    """
    headline = _headline(before)
    if headline is None:
        yield f"{HEADLINE}: {_NOT_BEFORE}"
    elif headline.tool_seconds != tool_seconds:
        yield (
            f"{HEADLINE}: the baseline's tools take {headline.tool_seconds:g} s, and this run's {tool_seconds:g} s: "
            "measure both with --full, or both without, or make another baseline with --save"
        )
    else:
        yield from _too_fine(gate, half_width, headline.half_width)


def _too_fine(gate: Gate, half_width: float, earlier: float) -> Iterator[str]:
    reach = hypot(half_width, earlier)
    if reach >= log(gate.threshold):
        wide_enough = ceil(exp(reach) * 100) / 100
        yield (
            f"{HEADLINE}: a gate of {gate.threshold:g} is finer than what is measured here, ±{half_width:.1%} in this "
            f"run and ±{earlier:.1%} in the baseline, so that what has not changed may be undecided; measure both with "
            f"--full, or take a gate of {wide_enough:g} or more"
        )


def _is_decisive(case: CaseDocument, earlier: CaseDocument) -> bool:
    return case.name == HEADLINE or hypot(case.half_width, earlier.half_width) < CLOSELY


def _differences(now: BenchDocument, before: BenchDocument) -> Iterator[str]:
    """What makes seconds of the two runs another matter."""
    pairs = (
        ("machine", now.machine, before.machine),
        ("server", _server(now), _server(before)),
        ("backend", now.environment.backend, before.environment.backend),
        ("Python", now.environment.python, before.environment.python),
    )
    for what, ours, theirs in pairs:
        if ours != theirs:
            yield f"the baseline is of another {what} ({theirs}; this is {ours}): only ratios are compared"
    ours_by_name, theirs_by_name = now.environment.packages, before.environment.packages
    changed = [
        f"{name} {theirs_by_name[name]} to {version}"
        for name, version in ours_by_name.items()
        if theirs_by_name.get(name, version) != version
    ]
    if changed:
        yield f"other versions than in the baseline ({', '.join(changed)}): what slows the yardstick too does not show"


def _server(document: BenchDocument) -> str:
    postgres = document.environment.postgres
    return f"{postgres.kind} PostgreSQL {postgres.version}" if postgres is not None else "none"


def _cases(document: BenchDocument) -> tuple[CaseDocument, ...]:
    """Those of pools and of the points of curves are named by them."""
    points = (point.case for curve in document.curves for point in curve.points)
    return (*document.cases, *(each.case for each in document.pools), *points)


def _incomparable(case: CaseDocument, earlier: CaseDocument) -> Change | None:
    """A case that measures something else under the same name: what became of it is not known."""
    change = partial(Change, case=case.name, arm=case.reference, what="time", outcome=ChangeOutcome.UNDECIDED)
    if case.tool_seconds != earlier.tool_seconds:
        before, now = (f"tools of {each.tool_seconds:g} s" for each in (earlier, case))
        return change(before=before, now=now, reason=_OTHER_TOOLS)
    if case.reference != earlier.reference:
        return change(before=f"against {earlier.reference}", now=f"against {case.reference}", reason=_OTHER_REFERENCE)
    return None


def _without_headline(now: BenchDocument, before: BenchDocument) -> Iterator[Change]:
    """What became of that by which all is judged, if this run has it alone: nobody knows."""
    headline = _headline(now)
    if headline is not None and _headline(before) is None:
        yield Change(
            case=headline.name,
            arm=headline.reference,
            what="time",
            before="not measured",
            now="measured",
            outcome=ChangeOutcome.UNDECIDED,
            reason=_NOT_BEFORE,
        )


def _headline(document: BenchDocument) -> CaseDocument | None:
    return next((case for case in document.cases if case.name == HEADLINE), None)


def _asked_for(now: BenchDocument, before: BenchDocument) -> Iterator[Change]:
    """What of the baseline this run was asked to measure, and did not, for which it has a reason."""
    skipped = (f"{curve.name}, {reason}" for curve in now.curves for reason in curve.skipped)
    reasons = (*now.missing, *skipped)
    whole = {point.case.name: curve.name for curve in before.curves for point in curve.points}
    measured = {case.name for case in _cases(now)}
    for case in _cases(before):
        names = tuple(f"{name}: " for name in (case.name, whole.get(case.name, case.name)))
        reference = arm_of(case, case.reference)
        if reference is not None and case.name not in measured and any(each.startswith(names) for each in reasons):
            yield _not_measured(case.name, reference)


def _not_measured(case: str, was: ArmDocument) -> Change:
    """However roughly it was measured before; but nothing is lost with what failed then."""
    return Change(
        case=case,
        arm=was.name,
        what="answers",
        before=was.failure or "yes",
        now="not measured",
        outcome=ChangeOutcome.UNDECIDED,
        decisive=was.failure is None,
        reason=_NOT_MEASURED,
    )


def _both(now: tuple[N, ...], before: tuple[N, ...], what: str, notes: list[str]) -> Iterator[tuple[str, tuple[N, N]]]:
    ours, theirs = {each.name: each for each in now}, {each.name: each for each in before}
    notes += _alone(what, [name for name in ours if name not in theirs], "not in the baseline")
    notes += _alone(what, [name for name in theirs if name not in ours], "in the baseline alone")
    return ((name, (each, theirs[name])) for name, each in ours.items() if name in theirs)


def _alone(what: str, names: list[str], where: str) -> Iterator[str]:
    """A note for each of a few, and one for many."""
    if len(names) > _NOTED:
        shown = ", ".join(map(repr, names[:_NOTED]))
        yield f"{what}s {shown} and {len(names) - _NOTED} more are {where}"
    else:
        yield from (f"{what} {name!r} is {where}" for name in names)


def _changes(
    case: CaseDocument, arm: ArmDocument, was: ArmDocument, gate: Gate, *, machine: Machine, decisive: bool
) -> Iterator[Change]:
    if arm.failure is not None or was.failure is not None:
        yield _answers(case, arm, was, decisive=decisive)
        return
    if (change := _time(case, arm, was, gate, machine=machine, decisive=decisive)) is not None:
        yield change
    if was.overlapped is not None or arm.overlapped is not None:
        yield _together(case, arm, was, decisive=decisive)


def _answers(case: CaseDocument, arm: ArmDocument, was: ArmDocument, *, decisive: bool) -> Change:
    """Of one that fails both times nobody knows what became of it."""
    failed_twice = arm.failure is not None and was.failure is not None
    outcome = ChangeOutcome.NOT_WORSE if arm.failure is None else ChangeOutcome.WORSE
    return Change(
        case=case.name,
        arm=arm.name,
        what="answers",
        before=was.failure or "yes",
        now=arm.failure or "yes",
        outcome=ChangeOutcome.UNDECIDED if failed_twice else outcome,
        decisive=decisive and (arm.promised or was.promised),
        reason=_FAILED_TWICE if failed_twice else None,
    )


def _time(
    case: CaseDocument, arm: ArmDocument, was: ArmDocument, gate: Gate, *, machine: Machine, decisive: bool
) -> Change | None:
    """What became of the time that it takes; `None` of the reference where there was to be no yardstick."""
    estimate = machine.growth(arm, was)
    growth = None if estimate is None else Growth(value=estimate.value, low=estimate.low, high=estimate.high)
    what, before, now = "time", _text(against(was, machine.before)), _text(against(arm, machine.now))
    unknown = _TOO_FEW if machine.is_known else _NO_MACHINE
    if growth is None and arm.name != case.reference:
        what, before, now, unknown = "ratio", _text(was.ratio), _text(arm.ratio), _TOO_FEW
        growth = _growth_of(arm.ratio, was.ratio)
    elif growth is None and not machine.names:  # its ratio to itself says nothing
        return None
    outcome = ChangeOutcome.UNDECIDED if growth is None else gate.outcome(growth)
    reason = unknown if growth is None else _ACROSS
    return Change(
        case=case.name,
        arm=arm.name,
        what=what,
        before=before,
        now=now,
        outcome=outcome,
        decisive=decisive,
        growth=growth,
        parts=machine.parts(arm, was) if outcome is ChangeOutcome.WORSE else {},
        reason=reason if outcome is ChangeOutcome.UNDECIDED else None,
    )


def _together(case: CaseDocument, arm: ArmDocument, was: ArmDocument, *, decisive: bool) -> Change:
    """What became of tools that worked at the same time; nothing is worse where they were not to."""
    promised = arm.promised or was.promised
    outcome = _structure(_share(arm), _share(was))
    if outcome is ChangeOutcome.WORSE and not promised:
        outcome = ChangeOutcome.UNDECIDED
    return Change(
        case=case.name,
        arm=arm.name,
        what="together",
        before=_times(was),
        now=_times(arm),
        outcome=outcome,
        decisive=decisive and promised,
        reason=_HARD_TO_SEE if outcome is ChangeOutcome.UNDECIDED else None,
    )


def _structure(now: Estimate | None, before: Estimate | None) -> ChangeOutcome:
    """By the whole intervals of the part of the repetitions in which tools worked at the same time."""
    if before is not None and before.high < HALF:
        return ChangeOutcome.NOT_WORSE
    if now is None:
        return ChangeOutcome.UNDECIDED
    if now.high < HALF:
        return ChangeOutcome.WORSE if before is not None and before.low > HALF else ChangeOutcome.UNDECIDED
    as_often = MOSTLY if before is None else min(before.low, MOSTLY)
    return ChangeOutcome.NOT_WORSE if now.low > HALF and now.high >= as_often else ChangeOutcome.UNDECIDED


def _share(arm: ArmDocument) -> Estimate | None:
    return share_of(arm.overlapped, arm.overlap_known) if arm.overlapped is not None and arm.overlap_known else None


def _times(arm: ArmDocument) -> str:
    known = arm.overlapped is not None and arm.overlap_known
    return f"{arm.overlapped} of {arm.overlap_known}" if known else "not known"


def _growth_of(now: EstimateDocument | None, before: EstimateDocument | None) -> Growth | None:
    if now is None or before is None:
        return None
    value = log(now.value / before.value)
    down = hypot(log(now.value / now.low), log(before.high / before.value))
    up = hypot(log(now.high / now.value), log(before.value / before.low))
    return Growth(value=exp(value), low=exp(value - down), high=exp(value + up))


def _text(estimate: Estimate | EstimateDocument | None) -> str:
    if estimate is None:
        return "not known"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
