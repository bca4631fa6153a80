"""What a check of a backend says, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.backend import Violation

__all__ = ["Conformance", "Step", "StepFailed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried, in a few words; `undecided` is the reason if it could not be."""

    name: str
    undecided: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """What was tried of one backend, and what came of it.

    `violations` are of the protocol. `hints` are no violations: what it seems to be able to do and does not declare,
    and what a verification is going to find. Both are in the order in which one needs the other, which is that in which
    they are mended.
    """

    backend: str
    steps: tuple[Step, ...] = ()
    violations: tuple[Violation, ...] = ()
    hints: tuple[Violation, ...] = ()

    @property
    def conforms(self) -> bool:
        """Whether nothing is violated."""
        return not self.violations

    def __add__(self, other: "Conformance") -> "Conformance":
        return replace(
            self,
            steps=self.steps + other.steps,
            violations=_merged(self.violations, other.violations),
            hints=_merged(self.hints, other.hints),
        )


def _merged(told: Sequence[Violation], more: Sequence[Violation]) -> tuple[Violation, ...]:
    """All of them in their order, and each once: what was told already gets the parts in which it was seen again."""
    merged = list(told)
    for each in more:
        for number, known in enumerate(merged):
            if (both := known.with_same(each)) is not None:
                merged[number] = both
                break
        else:
            merged.append(each)
    return tuple(merged)


class StepFailed(Exception):
    """A step ended in a violation, so that what follows from it cannot be tried."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation
