"""Findings of a document by root cause: one for each thing that has to be changed, whatever it showed on.

Guarantee: pure. Each finding is in one cause, and causes come in the order of their first findings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.report.sessions_document import RaceDocument, SeenDocument
from harness.sanitizer.causes import telling

__all__ = ["CauseShown", "by_cause"]

R = TypeVar("R", bound=RaceDocument)


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseShown(Generic[R]):
    """One root cause, and the pairs of places on which it showed: one at least."""

    pairs: tuple[R, ...]

    @property
    def example(self) -> R:
        """The one that tells the most."""
        return self.pairs[telling([pair.race for pair in self.pairs])]

    @property
    def count(self) -> int:
        """How often it was seen."""
        return sum(pair.race.count for pair in self.pairs)

    @property
    def seen(self) -> tuple[SeenDocument, ...]:
        """In which tests, each once, with how often."""
        counts: dict[str, int] = {}
        for each in (seen for pair in self.pairs for seen in pair.seen):
            counts[each.test] = counts.get(each.test, 0) + each.count
        return tuple(SeenDocument(test=test, count=count) for test, count in counts.items())


def by_cause(races: Iterable[R]) -> Sequence[CauseShown[R]]:
    """The root causes; a finding without a number is one of its own."""
    groups: dict[tuple[int, int], list[R]] = {}
    for number, race in enumerate(races):
        groups.setdefault((race.cause, 0 if race.cause else number), []).append(race)
    return [CauseShown(pairs=tuple(group)) for group in groups.values()]
