"""How long a whole run may take, shared out among what is still to be measured.

Problem: each measurement has a limit of its own, which is for machines that are noisy; if all of them reach theirs, a
run takes far longer than anybody waits.

Mechanism: what is to be measured is announced with its limits. Whoever begins is given as much of its own limit as what
is left of the whole has of what is still announced: all of it, unless the whole is short. Time that somebody did not
need is there for those who come later.

Guarantee: nothing begins when the time is up. The whole takes longer by what the last one takes beyond its share, which
is the time for as many repetitions as an interval needs.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from time import perf_counter

from harness.bench.interleave import Limits

__all__ = ["Budget"]


@dataclass(slots=True, kw_only=True)
class Budget:
    """`seconds` for everything that is announced, from now on."""

    seconds: float
    clock: Callable[[], float] = perf_counter
    _until: float = field(init=False)
    _announced: Counter[Limits] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self._until = self.clock() + self.seconds

    def announce(self, limits: Iterable[Limits]) -> None:
        """So much is still to come."""
        self._announced.update(limits)

    def give_up(self, limits: Limits) -> None:
        """Something that was announced does not come: its time is the others'."""
        self._announced[limits] -= 1

    def share(self, limits: Limits) -> Limits:
        """The limits within which something announced may take its time now, of 0 seconds if the time is up."""
        left = max(0.0, self._until - self.clock())
        planned = sum(each.seconds * times for each, times in self._announced.items() if times > 0)
        self.give_up(limits)
        return replace(limits, seconds=limits.seconds * min(1.0, left / max(planned, limits.seconds)))
