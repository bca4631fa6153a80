"""Whether tools that were called together worked side by side, by structure and not by seconds.

What two tools of the same length can gain by working at the same time is one tool's time. `gained` is which part of
that was gained (`harness.bench.parts`): the planned work is in the database, and a machine that computes slowly does
not make it longer, so that the answer is the same on an idle machine and on a busy one, as long as tools work for much
longer than it takes to begin them.
"""

from collections.abc import Mapping, Sequence

from harness.bench.estimate import Estimate
from harness.report.bench_document import Concurrency

__all__ = ["ALL_BUT", "NEXT_TO_NOTHING", "concurrency_of", "lost_to"]

ALL_BUT = 0.75
"""From which part gained on tools are said to work side by side."""
NEXT_TO_NOTHING = 0.25
"""Up to which part gained they are said to work one by one."""


def concurrency_of(gained: Estimate | None) -> Concurrency:
    """What the whole interval says."""
    if gained is None:
        return Concurrency.UNDECIDED
    if gained.low >= ALL_BUT:
        return Concurrency.SIDE_BY_SIDE
    if gained.high <= NEXT_TO_NOTHING:
        return Concurrency.ONE_BY_ONE
    inside = gained.low > NEXT_TO_NOTHING and gained.high < ALL_BUT
    return Concurrency.IN_PART if inside else Concurrency.UNDECIDED


def lost_to(lost: Sequence[Mapping[str, float]]) -> str | None:
    """The part on which most of what was lost was spent, of all repetitions; `None` if nothing was."""
    parts = dict.fromkeys(part for each in lost for part in each)
    seconds = {part: sum(each.get(part, 0.0) for each in lost) for part in parts}
    most = max(seconds, key=seconds.__getitem__, default=None)
    return most if most is not None and seconds[most] > 0 else None
