"""What became of a benchmark since its baseline, as values: the gate, each change, and what they amount to.

Guarantee: no stricter gate ends better than a laxer one. With the threshold, a change only goes from not worse over
undecided to worse, and whether it is decisive does not depend on the gate.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.bench.estimate import Grown
from harness.errors import UsageError
from harness.report.bench_document import ChangeOutcome

__all__ = ["Change", "Comparison", "Gate", "Growth"]

_TIMES = frozenset({"time", "ratio"})
_SHOWN_CASES = 4

_NOTHING = (
    "nothing of this run is in the baseline, so that nothing is compared, and costs never are: measure what the "
    "baseline has, or make another one with --save"
)
_NO_TIME = (
    "of nothing that takes time is it known that it is not worse: measure the headline too, in this run and in the "
    "baseline, or take a wider gate"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How many times what it was a ratio is, with the interval of that."""

    value: float
    low: float
    high: float


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

    def outcome(self, growth: Growth) -> ChangeOutcome:
        """What the whole interval says."""
        if growth.low > self.threshold:
            return ChangeOutcome.WORSE
        return ChangeOutcome.NOT_WORSE if growth.high <= self.threshold else ChangeOutcome.UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one arm: of its `time`, its `ratio`, its `answers`, or of its tools being `together`.

    `parts` says, of what is worse, by how many seconds each part of the mean turn grew beyond what the machine makes of
    it, the largest growth first. `decisive` is false where being undecided says nothing: the case was not measured
    closely enough to tell, or the arm was not promised. It can still be seen to be worse, or not to be. `reason` says
    why something is undecided, and what to do.
    """

    case: str
    arm: str
    what: str
    before: str
    now: str
    outcome: ChangeOutcome
    decisive: bool = True
    growth: Growth | None = None
    parts: Mapping[str, Grown] = field(default_factory=dict)
    reason: str | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether it leaves all undecided."""
        return self.decisive and self.outcome is ChangeOutcome.UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All changes, and what could not be compared."""

    gate: Gate
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def outcome(self) -> ChangeOutcome:
        """Worse if anything is; undecided if anything decisive is, or if of no time it is known not to be worse."""
        if any(change.outcome is ChangeOutcome.WORSE for change in self.changes):
            return ChangeOutcome.WORSE
        timed = any(change.outcome is ChangeOutcome.NOT_WORSE and change.what in _TIMES for change in self.changes)
        in_doubt = any(change.is_in_doubt for change in self.changes)
        return ChangeOutcome.NOT_WORSE if timed and not in_doubt else ChangeOutcome.UNDECIDED

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why not all is known, and what to do: a sentence for each reason, with what it is the reason of."""
        found = tuple(self._doubts())
        if found or self.outcome is not ChangeOutcome.UNDECIDED:
            return found
        return (_NO_TIME if self.changes else _NOTHING,)

    def _doubts(self) -> Iterator[str]:
        places: dict[tuple[str, str], dict[str, list[str]]] = {}
        for change in self.changes:
            if change.is_in_doubt and change.reason is not None:
                places.setdefault((change.what, change.reason), {}).setdefault(change.case, []).append(change.arm)
        for (what, reason), cases in places.items():
            shown = [f"{case} ({', '.join(arms)})" for case, arms in cases.items()][:_SHOWN_CASES]
            more = f" and {len(cases) - len(shown)} more" if len(cases) > len(shown) else ""
            yield f"{what} of {', '.join(shown)}{more}: {reason}"
