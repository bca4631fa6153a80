"""Which uses of one session may meet in a task's trace: of its children with each other, and with itself.

Guarantee: one meeting for each session and each group of those that meet over it. A meeting from which a lock keeps all
pairs apart is told as `locked`. Background tasks that meet only what is over when a request is answered have a group of
their own: what they do hides nothing worse.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from harness.scan.state import Meeting, Participant, State
from harness.scan.trace import Child, Event, Nature, Spawn, Trace, conflict, ordered, shared_locks
from harness.scan.values import Place, Thing

__all__ = ["Meetings", "by_thing", "meeting_of"]

_OWN = "the task that started it"


@dataclass(eq=False, slots=True, kw_only=True)
class _Group:
    """Those of one session that meet with somebody."""

    spawn: Spawn
    place: Place
    open: bool = False
    participants: dict[int, Participant] = field(default_factory=dict)


_Key = tuple[Thing, bool, bool]


class Meetings(State):
    """Looks for meetings at the end of each task."""

    __slots__ = ()

    def conclude(self, trace: Trace) -> None:
        """Add what meets to what was found from the present beginning."""
        found: dict[_Key, _Group] = {}
        for first, second in combinations(trace.children, 2):
            if first.meets(second):
                chief, other = (second, first) if _goes_on(second) and _is_background(first) else (first, second)
                self._add(found, chief, _participant(chief), _participant(other), mild=_is_mild(chief, other))
        for child in trace.children:
            own = Participant(label=_OWN, place=child.place, events=[*trace.beside(child)])
            self._add(found, child, _participant(child), own, mild=_is_background(child))
            self._add_background(child)
        self.beginning.meetings += (
            Meeting(
                thing=thing,
                spawn=group.spawn,
                place=group.place,
                participants=[*group.participants.values()],
                locked=locked,
            )
            for (thing, locked, _), group in found.items()
            if not locked or not any((thing, False, mild) in found for mild in (False, True))
        )

    def _add(
        self, found: dict[_Key, _Group], child: Child, first: Participant, second: Participant, *, mild: bool
    ) -> None:
        for thing, locked, pairs in _meeting(first.events, second.events):
            group = found.setdefault((thing, locked, mild), _Group(spawn=child.spawn, place=child.place))
            for each, events in zip((first, second), pairs, strict=True):
                known = Participant(label=each.label, place=each.place, events=events, function=each.function)
                key = hash((each.label, each.place)) if each.label == _OWN else id(each.events)
                group.participants.setdefault(key, known)

    def _add_background(self, child: Child) -> None:
        """A background task that uses what was made before it."""
        if not _is_background(child):
            return
        for thing, events in by_thing(child.events).items():
            if thing.born < child.born:
                who = Participant(label=child.label, place=child.place, events=events)
                self.beginning.meetings.append(
                    Meeting(thing=thing, spawn=child.spawn, place=child.place, participants=[who])
                )


def by_thing(events: Iterable[Event]) -> dict[Thing, list[Event]]:
    """The events of each session."""
    found: dict[Thing, list[Event]] = defaultdict(list)
    for event in events:
        if event.nature not in {Nature.GIVE, Nature.TAKE}:
            found[event.thing].append(event)
    return found


def meeting_of(participants: Sequence[Participant]) -> Iterator[tuple[Thing, bool, list[Participant]]]:
    """For each session over which some of them meet: whether a lock keeps them apart, and who they are."""
    met: dict[tuple[Thing, bool], dict[int, Participant]] = defaultdict(dict)
    for (one, first), (two, second) in combinations(enumerate(participants), 2):
        for thing, locked, pairs in _meeting(first.events, second.events):
            for order, each, events in ((one, first, pairs[0]), (two, second, pairs[1])):
                known = Participant(label=each.label, place=each.place, events=events, function=each.function)
                met[thing, locked].setdefault(order, known)
    for (thing, locked), known_ones in met.items():
        if not locked or (thing, False) not in met:
            yield thing, locked, [known_ones[order] for order in sorted(known_ones)]


def _is_background(child: Child) -> bool:
    return child.spawn is Spawn.BACKGROUND


def _goes_on(child: Child) -> bool:
    """Whether it may be under way when the request is answered, and is no background task."""
    return child.ended is None and not _is_background(child)


def _is_mild(chief: Child, other: Child) -> bool:
    """Whether a background task meets what has come to its end before, or another one."""
    return (_is_background(chief) or _is_background(other)) and not _goes_on(chief)


def _participant(child: Child) -> Participant:
    return Participant(label=child.label, place=child.place, events=child.events)


def _meeting(
    first: Sequence[Event], second: Sequence[Event]
) -> Iterator[tuple[Thing, bool, tuple[Sequence[Event], Sequence[Event]]]]:
    ones, others = by_thing(first), by_thing(second)
    in_order = ordered(first, second)
    for thing in ones.keys() & others.keys():
        pairs = [
            (one, other)
            for one in ones[thing]
            for other in others[thing]
            if conflict(one, other) and not in_order(one, other)
        ]
        if not pairs:
            continue
        free = [pair for pair in pairs if not shared_locks(*pair)]
        if free:
            yield thing, False, (_once(pair[0] for pair in free), _once(pair[1] for pair in free))
        elif _may_bleed(ones[thing]) or _may_bleed(others[thing]):
            yield thing, True, (ones[thing], others[thing])


def _may_bleed(events: Iterable[Event]) -> bool:
    return any(event.nature is not Nature.AWAITED for event in events)


def _once(events: Iterable[Event]) -> list[Event]:
    return list(dict.fromkeys(events))
