"""Findings by what has to be changed: one mistake is one root cause, on however many lines it shows.

Problem: one session that eight tasks share, each on eight lines, makes two hundred pairs of lines. There is one thing
to change: who made the session, and handed it to the tasks that were made there.

Mechanism: an `Origin` says where the session was made, and by which functions the tasks were made that used it. Where
it was made is told by the line, and, because many sessions come out of one factory, by its callers up to the function
that made the tasks, too: whoever called both decides who gets the session. Tasks are told by the function that made
them and by its callers, up to the same function, because a helper makes tasks for many. The test itself tells nothing
apart: in which tests a mistake was seen is said beside it. Nor does who made the task that made the session: a server
makes such a task for each request, and the session's own `close` is in tasks for everybody. Origins that have a
session's place and such functions in common are one cause; so are those of a connection below a session, whose place
nobody saw, and of tasks of the same functions.

Guarantee: pure. What races because of its thread or event loop is another cause than what is shared.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeVar

from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.sanitizer.reports import describe, root_cause, shown_file

__all__ = ["Origin", "describe_cause", "grouped", "headline", "narrowed", "origin_of", "origins_of", "telling"]

T = TypeVar("T")
_Function = tuple[str, str]
_Chain = tuple[_Function, ...]
_APART = frozenset({RaceKind.FOREIGN_LOOP, RaceKind.FOREIGN_THREAD})
_PROOFS = (RaceKind.BLEED, RaceKind.OVERLAP, RaceKind.FOREIGN_THREAD, RaceKind.FOREIGN_LOOP, RaceKind.UNORDERED)
"""What tells the most comes first: that rows were lost, and then, that it happened, before that it can happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where what races comes from; `made` is `None` if nobody saw where the session was made.

    `apart` is the kind, where that makes it a cause of its own. `tasks` has the functions in which the application made
    the tasks, each with its callers before it; the test's own task, or a server's, is not made by the application.
    `distinctive` has those that tell one mistake from another: not who made the session's own task, if there are any.
    """

    apart: RaceKind | None
    made: tuple[PlaceSeen, ...] | None
    tasks: frozenset[_Chain]
    distinctive: frozenset[_Chain]


def origin_of(race: SessionRace, test: str = "") -> Origin:
    """Where a finding comes from that the test of that name, if it was in one, has shown."""
    made = _made(race, test)
    is_apart = race.kind in _APART
    tasks, distinctive = (
        frozenset(_chain(_makers(race, access, test)) for access in accesses if access.task_created and not is_apart)
        for accesses in ((race.first, race.second), _sharing(race))
    )
    return Origin(
        apart=race.kind if is_apart else None,
        made=made if race.subject_created else None,
        tasks=tasks,
        distinctive=distinctive or tasks,
    )


def _sharing(race: SessionRace) -> tuple[AccessSeen, ...]:
    """The accesses whose tasks were given the session; both, if neither is known to be of whoever made it."""
    both = race.first, race.second
    return tuple(access for access in both if not _is_the_makers(race, access)) or both


def _is_the_makers(race: SessionRace, access: AccessSeen) -> bool:
    """Whether the task that made the session made the access, as far as that can be told: both began in one function.

    Or a task that the function made that made the session, such as the one in which SQLAlchemy closes it.
    """
    made, used, makers = race.subject_created, access.stack, access.task_created
    began = bool(made and used) and used != makers and _function(made[0]) == _function(used[0])
    return began or (bool(made and makers) and _function(made[-1]) == _function(makers[-1]))


def origins_of(races: Sequence[SessionRace], test: str = "") -> tuple[Origin, ...]:
    """Where findings of one moment come from: an object that nobody saw being made belongs to a session beside it."""
    origins = [origin_of(race, test) for race in races]
    seen = [origin for origin in origins if origin.made is not None]
    return tuple(next((each for each in seen if _is_beside(origin, each)), origin) for origin in origins)


def narrowed(race: SessionRace, test: str = "") -> SessionRace:
    """The finding with those frames only, of where its session and tasks were made, that tell its cause."""
    return replace(
        race,
        subject_created=_made(race, test) or race.subject_created[-1:],
        first=replace(race.first, task_created=_makers(race, race.first, test)),
        second=replace(race.second, task_created=_makers(race, race.second, test)),
    )


def _made(race: SessionRace, test: str) -> tuple[PlaceSeen, ...]:
    """Where the session was made, innermost last: from who called both its factory and the tasks' on, if anybody did.

    Without the test itself; empty if the session was made by nobody else, or nobody saw where.
    """
    made = [place for place in race.subject_created if not _is_test(place, test)]
    others = {_function(place) for access in _sharing(race) for place in access.task_created}
    common = [number for number, place in enumerate(made) if _function(place) in others]
    return tuple(made[common[-1] if common else 0 :])


def _makers(race: SessionRace, access: AccessSeen, test: str) -> tuple[PlaceSeen, ...]:
    """Where the task of an access was made, innermost last: from who called the session's factory on, if anybody did.

    Without the test and what called it, unless the test made the task itself.
    """
    places = access.task_created
    tests = [number for number, place in enumerate(places) if _is_test(place, test)]
    shared = next(map(_function, _made(race, test)), None)
    common = [number for number, place in enumerate(places) if _function(place) == shared]
    start = max(tests[-1] + 1 if tests else 0, common[-1] if common else 0)
    return places[min(start, len(places) - 1) :] if places else ()


def _chain(places: Sequence[PlaceSeen]) -> _Chain:
    """The functions, innermost last; one that called itself is there once, however deep it went."""
    return tuple(function for function, _ in groupby(map(_function, places)))


def grouped(
    items: Iterable[T], origin: Callable[[T], Origin], race: Callable[[T], SessionRace]
) -> tuple[tuple[T, ...], ...]:
    """The items by root cause, each in its order, and the causes in the order of their first items."""
    found = [(origin(item), item) for item in items]
    causes = _causes(list(dict.fromkeys(each for each, _ in found)))
    whole = _wholes([(each, root_cause(race(item))) for each, item in found], causes)
    groups: dict[int, list[T]] = {}
    for each, item in found:
        groups.setdefault(whole.get(causes[each], causes[each]), []).append(item)
    return tuple(map(tuple, groups.values()))


def _wholes(found: Sequence[tuple[Origin, Any]], causes: Mapping[Origin, int]) -> dict[int, int]:
    """For a cause that shows on the same two places as one with more callers of the same functions: that one.

    Nobody told who called them, because that was the test, or a task of its own.
    """
    places: dict[Any, list[tuple[_Chain, int]]] = {}
    for origin, pair in dict.fromkeys(found):
        for chain in origin.tasks:
            places.setdefault((origin.apart, origin.made, pair, chain[-1]), []).append((chain, causes[origin]))
    wholes: dict[int, int] = {}
    for alike in places.values():
        for chain, cause in sorted(alike, key=lambda each: -len(each[0])):
            longer = (by for other, by in alike if len(other) > len(chain) and other[-len(chain) :] == chain)
            whole = next(longer, cause)
            whole = wholes.get(whole, whole)
            if whole != cause and cause not in wholes and cause not in wholes.values():
                wholes[cause] = whole
    return wholes


def _causes(origins: Sequence[Origin]) -> dict[Origin, int]:
    """A number for each origin; those of one cause have the same."""
    alike: dict[Any, dict[Origin, int]] = {}
    for number, mine in enumerate(each for each in origins if each.made is not None):
        others = alike.setdefault((mine.apart, mine.made), {})
        joined = {cause for other, cause in others.items() if _meet(mine, other)}
        others.update({other: number for other, cause in others.items() if cause in joined} | {mine: number})
    causes = {origin: cause for others in alike.values() for origin, cause in others.items()}
    for mine in (each for each in origins if each.made is None):
        likely = (cause for other, cause in causes.items() if _may_be_one(mine, other))
        causes[mine] = next(likely, len(origins) + len(causes))
    return causes


def describe_cause(
    races: Sequence[SessionRace],
    *,
    test: str = "",
    shown: Callable[[str], str] = shown_file,
    most: int | None = None,
    more: str = "",
) -> str:
    """One root cause in words: the finding that tells the most in full, and what else there is of it.

    Of the other findings `most` are named, on a line each; `more` says where the rest is. `shown` is as in `describe`.
    """
    example = races[telling(races)]
    text = describe(narrowed(example, test), shown=shown, whole=True)
    others = [race for race in races if race is not example]
    if not others:
        return text
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(race.kind.value for race in races).items())
    count = sum(race.count for race in races)
    lines = [f"  {len(races)} pairs of operations have this root cause ({kinds}), {count:,} times in all; others are"]
    listed = others if most is None else others[:most]
    lines += [f"    {_places(race, shown)}" for race in listed]
    if left := len(others) - len(listed):
        lines.append(f"    and {left} more{f', {more}' if more else ''}")
    return "\n".join([text, *lines])


def headline(races: Sequence[SessionRace], *, test: str = "", shown: Callable[[str], str] = shown_file) -> str:
    """One root cause on one line: what happened where, on an object that was made where."""
    example = races[telling(races)]
    told = narrowed(example, test)
    made = [f" made at {_frame(place, shown)}" for place in told.subject_created[:1]]
    makers = [access.task_created[-2:] for access in (told.first, told.second) if len(access.task_created) > 1]
    called = "".join(f", tasks in {by.function}, called at {_frame(place, shown)}" for place, by in makers[:1])
    others = len(races) - 1
    more = f", and {others} more {'pair' if others == 1 else 'pairs'} of operations" if others else ""
    return f"session race: {_places(example, shown)}{more};{''.join(made) or ' nobody saw where it was made'}{called}"


def telling(races: Sequence[SessionRace]) -> int:
    """The number of the finding that tells the most: a proof, with both stacks, on a session, and seen most often."""
    return min(range(len(races)), key=lambda number: (_rank(races[number]), number))


def _rank(race: SessionRace) -> tuple[int, int, bool, int]:
    without = sum(access.place is None for access in (race.first, race.second)) + (not race.subject_created)
    return without, _PROOFS.index(race.kind), "onnection" in race.subject, -race.count


def _frame(place: PlaceSeen, shown: Callable[[str], str]) -> str:
    return f"{shown(place.file)}:{place.line} in {place.function}"


def _places(race: SessionRace, shown: Callable[[str], str]) -> str:
    places = (access.place for access in (race.first, race.second))
    named = (f"{shown(place.file)}:{place.line}" if place is not None else "no place" for place in places)
    times = f", {race.count:,} times" if race.count > 1 else ""
    return f"{' and '.join(dict.fromkeys(named))} ({race.kind}{times} on {race.subject})"


def _is_one(one: Origin, other: Origin) -> bool:
    return one.apart is other.apart and one.made == other.made and _meet(one, other)


def _is_below(unseen: Origin, other: Origin) -> bool:
    """Whether it is of an object that nobody saw being made, as a connection below the session that is the other's.

    Who called the session's factory, too, is known of the session only: the callers above that are the other's alone.
    """
    is_alike = unseen.made is None and unseen.apart is other.apart
    return is_alike and any(whole[-len(each) :] == each for whole in unseen.tasks for each in other.tasks)


def _is_beside(unseen: Origin, other: Origin) -> bool:
    """Whether they belong together in one moment: of threads and loops there is nothing that tells tasks apart."""
    is_apart = unseen.made is None and unseen.apart is not None and unseen.apart is other.apart
    return is_apart or _is_below(unseen, other)


def _may_be_one(unseen: Origin, other: Origin) -> bool:
    return _is_one(unseen, other) if other.made is None else _is_below(unseen, other)


def _meet(one: Origin, other: Origin) -> bool:
    """Whether they have a function in common that tells one of them from others, or there are none."""
    return bool(one.tasks & other.tasks & (one.distinctive | other.distinctive)) or one.tasks == other.tasks


def _function(place: PlaceSeen) -> _Function:
    return place.file, place.function


def _is_test(place: PlaceSeen, test: str) -> bool:
    """Whether it is in the test of that name, or in a function that is defined in it."""
    name = test.partition("[")[0].rpartition("::")[2]
    return bool(name) and place.function.partition(".<locals>")[0].rpartition(".")[2] == name
