"""Is it worse than last time? Two benchmarks, compared by ratios and by structure.

Problem: seconds of two runs differ because machines and days do; a threshold without an interval cries wolf, or sleeps.

Mechanism: what is compared of an arm is its ratio to the reference, and on the same machine also its stretch, which is
its seconds over its tools' planned work: the reference has a ratio of 1 to itself, and becomes slower only there. The
growth from the one run to the other has an interval of its own: on the logarithms the two runs' half-widths add up like
independent errors, as the root of the sum of their squares. It is worse if the whole interval lies above the threshold,
not worse if it lies below or on it, and undecided otherwise. Worse are also an arm that fails and did not before, and
tools that worked at the same time and do so no more, whatever the times say.

Guarantee: nothing is said of what only one of the runs has, but that it is so.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, hypot, log
from typing import TypeVar

from harness.errors import UsageError
from harness.report.bench_document import ArmDocument, BenchDocument, CaseDocument, EstimateDocument

N = TypeVar("N", CaseDocument, ArmDocument)

__all__ = ["Change", "Comparison", "Gate", "Growth", "Outcome", "compare"]

MOSTLY = 0.9
"""In which part of the repetitions tools must have worked at the same time to be said to do so."""
HARDLY = 0.5
"""Below which part they are said not to."""


class Outcome(StrEnum):
    """What a comparison says."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    UNDECIDED = "undecided"


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

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one arm: of its `ratio`, its `stretch`, or of its tools being `together`.

    `parts` says by how many seconds each part of the mean turn grew, the largest growth first.
    """

    case: str
    arm: str
    what: str
    before: str
    now: str
    outcome: Outcome
    growth: Growth | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All changes, and what could not be compared."""

    gate: Gate
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """Worse if anything is; undecided if anything is, or if there was nothing to compare."""
        outcomes = {change.outcome for change in self.changes}
        if Outcome.WORSE in outcomes:
            return Outcome.WORSE
        return Outcome.NOT_WORSE if outcomes == {Outcome.NOT_WORSE} else Outcome.UNDECIDED


def compare(now: BenchDocument, before: BenchDocument, gate: Gate) -> Comparison:
    """What became of every arm that both runs have."""
    same_machine = now.machine == before.machine
    notes = []
    if not same_machine:
        notes.append(
            f"the baseline is from another machine ({before.machine}; this is {now.machine}): only ratios to the "
            "reference are compared, and what makes the reference itself slower does not show"
        )
    changes: list[Change] = []
    for name, (case, earlier) in _both(now.cases, before.cases, "case", notes):
        if case.tool_seconds != earlier.tool_seconds or case.reference != earlier.reference:
            notes.append(f"case {name!r} has other tools or another reference than in the baseline: it is not compared")
            continue
        for _, (arm, was) in _both(case.arms, earlier.arms, f"{name}: arm", notes):
            changes += _changes(case, arm, was, gate, same_machine=same_machine)
    return Comparison(gate=gate, changes=tuple(changes), notes=tuple(notes))


def _both(now: tuple[N, ...], before: tuple[N, ...], what: str, notes: list[str]) -> Iterator[tuple[str, tuple[N, N]]]:
    ours, theirs = {each.name: each for each in now}, {each.name: each for each in before}
    notes += [f"{what} {name!r} is not in the baseline" for name in ours if name not in theirs]
    notes += [f"{what} {name!r} is in the baseline alone" for name in theirs if name not in ours]
    return ((name, (each, theirs[name])) for name, each in ours.items() if name in theirs)


def _changes(
    case: CaseDocument, arm: ArmDocument, was: ArmDocument, gate: Gate, *, same_machine: bool
) -> Iterator[Change]:
    grown = {part: seconds - was.parts.get(part, 0.0) for part, seconds in arm.parts.items()}
    parts = dict(sorted(grown.items(), key=lambda item: -item[1]))
    quantities = {"ratio": (arm.ratio, was.ratio)} if arm.name != case.reference else {}
    if same_machine:
        quantities["stretch"] = (arm.stretch, was.stretch)
    for what, (ours, theirs) in quantities.items():
        growth = None if ours is None or theirs is None else _growth(ours, theirs)
        fails = arm.failure is not None and was.failure is None
        yield Change(
            case=case.name,
            arm=arm.name,
            what=what,
            before=_text(theirs, was),
            now=_text(ours, arm),
            outcome=Outcome.WORSE if fails else _outcome(growth, gate),
            growth=growth,
            parts=parts,
        )
    share, earlier = _share(arm), _share(was)
    if share is not None and earlier is not None:
        worse = earlier >= MOSTLY and share < HARDLY
        yield Change(
            case=case.name,
            arm=arm.name,
            what="together",
            before=f"{earlier:.0%}",
            now=f"{share:.0%}",
            outcome=Outcome.WORSE if worse else Outcome.NOT_WORSE,
            parts=parts,
        )


def _growth(now: EstimateDocument, before: EstimateDocument) -> Growth:
    value = log(now.value / before.value)
    down = hypot(log(now.value / now.low), log(before.high / before.value))
    up = hypot(log(now.high / now.value), log(before.value / before.low))
    return Growth(value=exp(value), low=exp(value - down), high=exp(value + up))


def _outcome(growth: Growth | None, gate: Gate) -> Outcome:
    if growth is None:
        return Outcome.UNDECIDED
    if growth.low > gate.threshold:
        return Outcome.WORSE
    return Outcome.NOT_WORSE if growth.high <= gate.threshold else Outcome.UNDECIDED


def _share(arm: ArmDocument) -> float | None:
    return arm.overlapped / len(arm.samples) if arm.overlapped is not None and arm.samples else None


def _text(estimate: EstimateDocument | None, arm: ArmDocument) -> str:
    if estimate is None:
        return f"failed: {arm.failure}" if arm.failure is not None else "too few repetitions"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
