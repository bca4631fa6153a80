"""What several watches have found, by root cause: how often, and in which tests.

Problem: one mistake shows in many tests, and in each of them on sessions of its own.

Mechanism: findings are added up by what `root_cause` says they have in common; a proof stands for a prediction of the
same two places. What is suppressed is added up by the entries that name it, too.

Guarantee: what was added is counted once, under the test that it was added for. The order is that of the first time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.evidence import RaceKind, SessionRace
from harness.sanitizer.reports import root_cause
from harness.suppressions import SuppressedRace, Suppression

__all__ = ["OUTSIDE", "Cause", "Found", "Tally"]

OUTSIDE = ""
"""The name under which is added what no test has shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one watch has found."""

    races: tuple[SessionRace, ...] = ()
    suppressed: tuple[SuppressedRace, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.races or self.suppressed)

    def __add__(self, other: "Found") -> "Found":
        return Found(races=self.races + other.races, suppressed=self.suppressed + other.suppressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One root cause: a finding that shows it, with the count of all; how often in each test; what suppresses it."""

    race: SessionRace
    tests: Mapping[str, int]
    by: tuple[Suppression, ...] = ()


class Tally:
    """All that was found."""

    def __init__(self) -> None:
        self._causes: dict[Any, Cause] = {}

    def __bool__(self) -> bool:
        return bool(self._causes)

    def add(self, test: str, found: Found) -> None:
        """A test showed these."""
        for race in found.races:
            self._add(test, race, ())
        for suppressed in found.suppressed:
            self._add(test, suppressed.race, suppressed.by)

    def _add(self, test: str, race: SessionRace, by: tuple[Suppression, ...]) -> None:
        key = (root_cause(race), by)
        known = self._causes.get(key, Cause(race=replace(race, count=0), tests={}, by=by))
        shown = race if known.race.kind is RaceKind.UNORDERED and race.kind is RaceKind.OVERLAP else known.race
        self._causes[key] = Cause(
            race=replace(shown, count=known.race.count + race.count),
            tests={**known.tests, test: known.tests.get(test, 0) + race.count},
            by=by,
        )

    @property
    def races(self) -> Iterable[Cause]:
        """Root causes that are not suppressed."""
        return tuple(cause for cause in self._causes.values() if not cause.by)

    @property
    def suppressed(self) -> Iterable[Cause]:
        """Root causes that are."""
        return tuple(cause for cause in self._causes.values() if cause.by)
