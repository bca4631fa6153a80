"""What several watches have found, by root cause: how often, and in which tests.

Problem: one mistake shows in many tests, and in each of them on sessions of its own, at many pairs of places.

Mechanism: findings are added up by their two places, and by where they come from; a proof stands for a prediction of
the same two places. What is suppressed is added up by the entries that name it, too. These pairs are then grouped by
root cause, as `causes` has it.

Guarantee: what was added is counted once, under the test that it was added for. The order is that of the first time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Any

from harness.evidence import RaceKind, SessionRace
from harness.sanitizer.causes import Origin, grouped, origins_of
from harness.sanitizer.reports import root_cause
from harness.suppressions import SuppressedRace, Suppression

__all__ = ["OUTSIDE", "Found", "Pair", "Tally"]

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
class Pair:
    """Two places, and where it comes from: a finding that shows it, with the count of all; how often in each test."""

    race: SessionRace
    origin: Origin
    tests: Mapping[str, int]
    by: tuple[Suppression, ...] = ()
    """What suppresses it."""


class Tally:
    """All that was found."""

    def __init__(self) -> None:
        self._pairs: dict[Any, Pair] = {}

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def add(self, test: str, found: Found) -> None:
        """A test showed these."""
        entries: list[tuple[SessionRace, tuple[Suppression, ...]]] = [(race, ()) for race in found.races]
        entries += [(each.race, each.by) for each in found.suppressed]
        origins = origins_of([race for race, _ in entries], test)
        for (race, by), origin in zip(entries, origins, strict=True):
            self._add(test, race, by, origin)

    def _add(self, test: str, race: SessionRace, by: tuple[Suppression, ...], origin: Origin) -> None:
        key = (origin, root_cause(race), by)
        known = self._pairs.get(key, Pair(race=replace(race, count=0), origin=origin, tests={}, by=by))
        shown = race if known.race.kind is RaceKind.UNORDERED and race.kind is RaceKind.OVERLAP else known.race
        self._pairs[key] = Pair(
            race=replace(shown, count=known.race.count + race.count),
            origin=origin,
            tests={**known.tests, test: known.tests.get(test, 0) + race.count},
            by=by,
        )

    @property
    def races(self) -> tuple[tuple[Pair, ...], ...]:
        """The pairs that are not suppressed, by root cause."""
        return _by_cause(pair for pair in self._pairs.values() if not pair.by)

    @property
    def suppressed(self) -> tuple[tuple[Pair, ...], ...]:
        """Those that are, by what suppresses them, and by root cause."""
        entries = dict.fromkeys(pair.by for pair in self._pairs.values() if pair.by)
        by_entries = ([pair for pair in self._pairs.values() if pair.by == by] for by in entries)
        return tuple(chain.from_iterable(map(_by_cause, by_entries)))


def _by_cause(pairs: Iterable[Pair]) -> tuple[tuple[Pair, ...], ...]:
    causes = grouped(pairs, attrgetter("origin"), attrgetter("race"))
    return tuple(map(_once_each, causes))


def _once_each(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """The same two places are one pair, whoever called the functions of one cause."""
    known: dict[Any, Pair] = {}
    for pair in pairs:
        key = root_cause(pair.race)
        known[key] = _sum(known[key], pair) if key in known else pair
    return tuple(known.values())


def _sum(one: Pair, other: Pair) -> Pair:
    is_proof = one.race.kind is RaceKind.UNORDERED and other.race.kind is RaceKind.OVERLAP
    race = replace(other.race if is_proof else one.race, count=one.race.count + other.race.count)
    tests = Counter(one.tests)
    tests.update(other.tests)
    return replace(one, race=race, tests=dict(tests))
