"""Is it worse than last time? Two benchmarks, compared by ratios and by structure.

Problem: seconds of two runs differ because machines and days do; a threshold without an interval cries wolf, or sleeps.

Mechanism: of each arm it is known what it took before, and of the yardstick, which took turns with it both times, what
became of the machine. The growth is what the arm takes now against what is to be expected of it: its planned work,
which no machine makes longer, and the rest in proportion to the yardstick's rest (`harness.bench.estimate.growth_of`).
Where one of the runs has no yardstick, or its yardstick failed, it is the growth of the arm's ratio to the reference,
and what became of the reference is undecided, unless both runs went without by intent; on the logarithms the two runs'
half-widths then add up like independent errors, as the root of the sum of their squares. It is worse if the whole
interval lies above the threshold, not worse if it lies below or on it, and undecided otherwise. Worse are also an arm
that fails and did not before, and tools that worked at the same time and do so hardly ever now, whatever the times say.

Guarantee: of what only one of the runs has nothing is said but that it is so; what the baseline has, and this run was
asked to measure and did not, is undecided. Seconds of two runs are never compared.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import exp, hypot, log
from statistics import fmean
from typing import TypeVar

from harness.bench.estimate import LEAST, Estimate, Measured, growth_of, ratio_of_medians
from harness.bench.parts import Part
from harness.errors import MissingEvidence, UsageError
from harness.report.bench_document import ArmDocument, BenchDocument, CaseDocument, ChangeOutcome, EstimateDocument

N = TypeVar("N", CaseDocument, ArmDocument)

__all__ = ["Change", "Comparison", "Gate", "Growth", "compare"]

MOSTLY = 0.9
"""In which part of the repetitions tools must have worked at the same time to be said to do so."""
HARDLY = 0.5
"""Below which part they are said not to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How many times what it was a ratio may be."""

    threshold: float = 1.10

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """From `ratio>1.10`.

        Raises:
            UsageError: it is something else; seconds in particular are no gate.
        """
        found = re.fullmatch(r"\s*ratio\s*>\s*(\d+(?:\.\d+)?)\s*", text)
        if found is None or float(found.group(1)) < 1:
            raise UsageError(
                f"{text!r} is no gate; write 'ratio>1.10' for a growth of more than a tenth. Ratios are compared, "
                "never seconds, and a gate below 1 would fail on what has not changed"
            )
        return cls(threshold=float(found.group(1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How many times what it was a ratio is, with the interval of that."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one arm: of its `time`, its `ratio`, its `answers`, or of its tools being `together`.

    `parts` says by how many seconds each part of the mean turn grew beyond what the machine makes of it, the largest
    growth first. `decisive` is false where being undecided says nothing: the case was not measured closely enough to
    tell whether it passes the gate, or the arm was not promised. It can still be seen to be worse, or not to be.
    """

    case: str
    arm: str
    what: str
    before: str
    now: str
    outcome: ChangeOutcome
    decisive: bool = True
    growth: Growth | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All changes, and what could not be compared."""

    gate: Gate
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def outcome(self) -> ChangeOutcome:
        """Worse if anything is; undecided if anything decisive is, or if nothing is known not to be worse."""
        undecided = ChangeOutcome.UNDECIDED
        outcomes = {change.outcome for change in self.changes if change.decisive or change.outcome is not undecided}
        if ChangeOutcome.WORSE in outcomes:
            return ChangeOutcome.WORSE
        return ChangeOutcome.NOT_WORSE if outcomes == {ChangeOutcome.NOT_WORSE} else undecided


def compare(now: BenchDocument, before: BenchDocument, gate: Gate) -> Comparison:
    """What became of every arm that both runs have, or that this one was asked to measure, and did not."""
    notes = list(_differences(now, before))
    changes: list[Change] = []
    for name, (case, earlier) in _both(_cases(now), _cases(before), "case", notes):
        if case.tool_seconds != earlier.tool_seconds or case.reference != earlier.reference:
            notes.append(f"case {name!r} has other tools or another reference than in the baseline: it is not compared")
            continue
        closely = hypot(case.half_width, earlier.half_width) < log(gate.threshold)
        yardsticks = {case.yardstick, earlier.yardstick} - {None}
        machine = _Machine(now=_yardstick(case), before=_yardstick(earlier), expected=bool(yardsticks))
        notes += _without_yardstick(case, earlier)
        for _, (arm, was) in _both(case.arms, earlier.arms, f"{name}: arm", notes):
            if arm.name not in yardsticks:
                changes += _changes(case, arm, was, gate, machine=machine, decisive=closely)
        missing = [was for was in earlier.arms if _arm(case, was.name) is None and was.name not in yardsticks]
        changes += (_not_measured(name, was) for was in missing)
    changes += _asked_for(now, before)
    return Comparison(gate=gate, changes=tuple(changes), notes=tuple(notes))


def _differences(now: BenchDocument, before: BenchDocument) -> Iterator[str]:
    """What makes seconds of the two runs another matter."""
    pairs = (
        ("machine", now.machine, before.machine),
        ("server", _server(now), _server(before)),
        ("backend", now.environment.backend, before.environment.backend),
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


def _asked_for(now: BenchDocument, before: BenchDocument) -> Iterator[Change]:
    """What of the baseline this run was asked to measure, and did not, for which it has a reason."""
    skipped = (f"{curve.name}, {reason}" for curve in now.curves for reason in curve.skipped)
    reasons = (*now.missing, *skipped)
    whole = {point.case.name: curve.name for curve in before.curves for point in curve.points}
    measured = {case.name for case in _cases(now)}
    for case in _cases(before):
        names = tuple(f"{name}: " for name in (case.name, whole.get(case.name, case.name)))
        reference = _arm(case, case.reference)
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
    )


def _both(now: tuple[N, ...], before: tuple[N, ...], what: str, notes: list[str]) -> Iterator[tuple[str, tuple[N, N]]]:
    ours, theirs = {each.name: each for each in now}, {each.name: each for each in before}
    notes += [f"{what} {name!r} is not in the baseline" for name in ours if name not in theirs]
    notes += [f"{what} {name!r} is in the baseline alone" for name in theirs if name not in ours]
    return ((name, (each, theirs[name])) for name, each in ours.items() if name in theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """What a case tells of the machine, now and before: the yardstick, where there is one that was measured.

    `expected` says whether one of the runs was to measure one.
    """

    now: ArmDocument | None
    before: ArmDocument | None
    expected: bool

    def growth(self, arm: ArmDocument, was: ArmDocument) -> Estimate | None:
        """Of what an arm takes, against what is to be expected of it; `None` if nothing can be expected."""
        if self.now is None or self.before is None:
            return None
        try:
            return growth_of(_measured(arm, self.now), _measured(was, self.before))
        except (MissingEvidence, ValueError):  # one of them failed on the way
            return None

    def parts(self, arm: ArmDocument, was: ArmDocument) -> dict[str, float]:
        """By how many seconds each part grew beyond what the machine makes of it, the largest growth first."""
        slower = 1.0
        if self.now is not None and self.before is not None:
            slower = _rest(self.now) / _rest(self.before)
        waited = _waited(was)
        grown = {
            part: seconds - was.parts.get(part, 0.0) * (waited.get(part, 0.0) * (1.0 - slower) + slower)
            for part, seconds in arm.parts.items()
        }
        return dict(sorted(grown.items(), key=lambda item: -item[1]))


_FIXED = frozenset({Part.WORK.value, Part.SERIAL.value})
"""The parts that no machine makes shorter or longer: planned work, and waiting for it."""
_WAITING = frozenset({Part.POOL.value, Part.LOOP.value})
"""The parts that can be waiting for planned work, beside what the machine makes of them."""
_LEAST_REST = 1e-6


def _yardstick(case: CaseDocument) -> ArmDocument | None:
    """That of a case, if it tells anything."""
    arm = _arm(case, case.yardstick)
    return arm if arm is not None and arm.failure is None and len(arm.samples) >= LEAST else None


def _arm(case: CaseDocument, name: str | None) -> ArmDocument | None:
    return next((arm for arm in case.arms if arm.name == name), None)


def _without_yardstick(now: CaseDocument, before: CaseDocument) -> Iterator[str]:
    """Why nobody knows what became of the machine, where a yardstick was to tell."""
    if now.yardstick is None and before.yardstick is None:
        return
    for whose, case in (("this run", now), ("the baseline", before)):
        if _yardstick(case) is None:
            yield (
                f"{now.name}: {_nothing_of(_arm(case, case.yardstick), whose)}: what became of the machine is not "
                f"known, and so not what became of the time of {now.reference!r}"
            )


def _nothing_of(yardstick: ArmDocument | None, whose: str) -> str:
    if yardstick is None:
        return f"{whose} has no yardstick"
    if yardstick.failure is not None:
        return f"the yardstick of {whose} failed ({yardstick.failure})"
    return f"the yardstick of {whose} has {len(yardstick.samples)} repetitions, and at least {LEAST} are needed"


def _measured(arm: ArmDocument, yardstick: ArmDocument) -> Measured:
    return Measured(
        seconds=arm.samples, yardstick=yardstick.samples, fixed=_fixed(arm), yardstick_fixed=_fixed(yardstick)
    )


def _fixed(arm: ArmDocument) -> tuple[float, ...]:
    """Of each repetition; the same for all where the document is of a version that did not know them."""
    return arm.fixed or (_known_by_parts(arm),) * len(arm.samples)


def _known_by_parts(arm: ArmDocument) -> float:
    return sum(seconds for part, seconds in arm.parts.items() if part in _FIXED)


def _rest(arm: ArmDocument) -> float:
    """What the mean turn took beyond what no machine changes."""
    return max(sum(arm.parts.values()) - fmean(_fixed(arm)), _LEAST_REST)


def _waited(arm: ArmDocument) -> Mapping[str, float]:
    """Which share (0…1) of each part no machine changes.

    What is fixed beyond the parts that are it as a whole was spent waiting, in proportion to those that may be that.
    """
    known = _known_by_parts(arm)
    waiting = sum(seconds for part, seconds in arm.parts.items() if part in _WAITING)
    beyond = (fmean(arm.fixed) if arm.fixed else known) - known
    share = min(1.0, max(0.0, beyond) / waiting) if waiting > 0 else 0.0
    return {**dict.fromkeys(_FIXED, 1.0), **dict.fromkeys(_WAITING, share)}


def _changes(
    case: CaseDocument, arm: ArmDocument, was: ArmDocument, gate: Gate, *, machine: _Machine, decisive: bool
) -> Iterator[Change]:
    change = partial(Change, case=case.name, arm=arm.name, decisive=decisive, parts=machine.parts(arm, was))
    if arm.failure is not None or was.failure is not None:
        yield replace(
            change(what="answers", before=was.failure or "yes", now=arm.failure or "yes", outcome=_answers(arm, was)),
            decisive=decisive and (arm.promised or was.promised),
        )
        return
    before, now = _text(_against(was, machine.before)), _text(_against(arm, machine.now))
    if (estimate := machine.growth(arm, was)) is not None:
        growth = Growth(value=estimate.value, low=estimate.low, high=estimate.high)
        yield change(what="time", before=before, now=now, outcome=_outcome(growth, gate), growth=growth)
    elif arm.name == case.reference:  # whose ratio to itself says nothing
        if machine.expected:
            yield change(what="time", before=before, now=now, outcome=ChangeOutcome.UNDECIDED)
    else:
        ratios = _growth_of(arm.ratio, was.ratio)
        outcome = ChangeOutcome.UNDECIDED if ratios is None else _outcome(ratios, gate)
        yield change(what="ratio", before=_text(was.ratio), now=_text(arm.ratio), outcome=outcome, growth=ratios)
    if was.overlapped is not None or arm.overlapped is not None:
        share, earlier = _share(arm), _share(was)
        yield change(what="together", before=_percent(earlier), now=_percent(share), outcome=_structure(share, earlier))


def _answers(arm: ArmDocument, was: ArmDocument) -> ChangeOutcome:
    """Of one that fails both times nobody knows what became of it."""
    if arm.failure is None:
        return ChangeOutcome.NOT_WORSE
    return ChangeOutcome.WORSE if was.failure is None else ChangeOutcome.UNDECIDED


def _structure(now: float | None, before: float | None) -> ChangeOutcome:
    if before is None or before < HARDLY:
        return ChangeOutcome.NOT_WORSE
    if now is None:
        return ChangeOutcome.UNDECIDED
    if now < HARDLY:
        return ChangeOutcome.WORSE if before >= MOSTLY else ChangeOutcome.UNDECIDED
    return ChangeOutcome.NOT_WORSE if now >= min(before, MOSTLY) else ChangeOutcome.UNDECIDED


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.0%}"


def _growth_of(now: EstimateDocument | None, before: EstimateDocument | None) -> Growth | None:
    return None if now is None or before is None else _growth(now, before)


def _growth(now: EstimateDocument, before: EstimateDocument) -> Growth:
    value = log(now.value / before.value)
    down = hypot(log(now.value / now.low), log(before.high / before.value))
    up = hypot(log(now.high / now.value), log(before.value / before.low))
    return Growth(value=exp(value), low=exp(value - down), high=exp(value + up))


def _outcome(growth: Growth, gate: Gate) -> ChangeOutcome:
    if growth.low > gate.threshold:
        return ChangeOutcome.WORSE
    return ChangeOutcome.NOT_WORSE if growth.high <= gate.threshold else ChangeOutcome.UNDECIDED


def _share(arm: ArmDocument) -> float | None:
    return arm.overlapped / arm.overlap_known if arm.overlapped is not None and arm.overlap_known else None


def _against(arm: ArmDocument, yardstick: ArmDocument | None) -> Estimate | None:
    """How many times the yardstick's seconds an arm took."""
    if yardstick is None or len(arm.samples) < LEAST or len(arm.samples) != len(yardstick.samples):
        return None
    return ratio_of_medians(arm.samples, yardstick.samples)


def _text(estimate: Estimate | EstimateDocument | None) -> str:
    if estimate is None:
        return "not known"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
