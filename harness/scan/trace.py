"""What a task did with sessions, and which tasks ran beside it.

Problem: two uses of one session meet only if nothing makes one wait for the other.

Mechanism: a task's uses are a list. A task that it starts is a `Child`, with the length of the list when it was
started and when it was awaited: uses in between are beside the child's, and so are children whose spans meet.

Guarantee: a child's events contain those of its own children.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.scan.arms import NOWHERE, Arms, exclusive
from harness.scan.values import Place, Step, Thing, Values

__all__ = ["Child", "Event", "Nature", "Spawn", "Trace", "conflict", "ordered", "shared_locks", "under"]


class Nature(StrEnum):
    """What an operation is to others on the same session, as the sanitizer has it; giving and taking are of signals."""

    STAGING = "staging"
    AWAITED = "awaited"
    BOUNDARY = "boundary"
    GIVE = "give"
    TAKE = "take"


class Spawn(StrEnum):
    """By what something runs beside something else."""

    TOOL = "tool"
    GATHER = "gather"
    GROUP = "task group"
    TASK = "task"
    BACKGROUND = "background task"
    THREAD = "thread"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Event:
    """One use of a session; `way` are the calls that lead to it from where its task began.

    `writer` is the object that has the session and bills or logs by it, if one does; `arms` are the branches it is in.
    """

    thing: Thing
    operation: str
    nature: Nature
    place: Place
    way: tuple[Step, ...]
    locks: frozenset[int]
    writer: Thing | None = None
    arms: Arms = NOWHERE


@dataclass(eq=False, slots=True, kw_only=True)
class Child:
    """Something that ran beside its parent from `start` to `end`, in the parent's events; `None` is for ever.

    `started` and `ended` are the same for its siblings: numbers that grow with each start and each end.
    """

    label: str
    spawn: Spawn
    place: Place
    born: int
    start: int
    events: list[Event]
    group: int = 0
    end: int | None = None
    started: int = 0
    ended: int | None = None
    escaped: bool = False
    held: frozenset[int] = frozenset()
    context: dict[Thing, Values] = field(default_factory=dict)

    def meets(self, other: "Child") -> bool:
        """Whether both can be under way at one time."""
        if self.group and self.group == other.group:
            return True
        return (other.ended is None or self.started < other.ended) and (
            self.ended is None or other.started < self.ended
        )


@dataclass(eq=False, slots=True, kw_only=True)
class Trace:
    """What one task did; `context` is what its context variables are set to."""

    events: list[Event] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    context: dict[Thing, Values] = field(default_factory=dict)

    def everything(self) -> list[Event]:
        """Its events, and those of its children."""
        return [*self.events, *(event for child in self.children for event in under(child.events, child.held))]

    def beside(self, child: Child) -> Iterator[Event]:
        """What the task itself did while the child was under way."""
        yield from self.events[child.start : child.end]


def under(events: Iterable[Event], locks: frozenset[int]) -> Iterator[Event]:
    """The events, as they are to others while whoever waits for them holds these locks."""
    return (replace(event, locks=event.locks | locks) if locks else event for event in events)


def ordered(first: Sequence[Event], second: Sequence[Event]) -> Callable[[Event, Event], bool]:
    """Whether an event of the first comes before one of the second by a signal between them, or the other way round."""
    places = {id(event): order for events in (first, second) for order, event in enumerate(events)}
    forth, back = _handed_over(first, second), _handed_over(second, first)

    def is_ordered(one: Event, other: Event) -> bool:
        here, there = places[id(one)], places[id(other)]
        return any(here < give and take < there for give, take in forth) or any(
            there < give and take < here for give, take in back
        )

    return is_ordered


def _handed_over(giver: Sequence[Event], taker: Sequence[Event]) -> list[tuple[int, int]]:
    """For each signal from one to the other: where it is given last, and where it is taken first.

    What `task_done` says is heard by `join` alone. Those that both say of a queue that something of it has been done
    are its workers: what one puts into it may be for anybody.
    """
    gives = {_signal(event): order for order, event in enumerate(giver) if event.nature is Nature.GIVE}
    takes = {_signal(event): order for order, event in reversed([*enumerate(taker)]) if event.nature is Nature.TAKE}
    shared = _worked_off(giver) & _worked_off(taker)
    return [(gives[each], takes[each]) for each in gives.keys() & takes.keys() if each[0] not in shared]


def _signal(event: Event) -> tuple[Thing, bool]:
    """Which of the two signals of a queue it is: that there is something, or that all has been done."""
    return event.thing, event.operation in {"task_done", "join"}


def _worked_off(events: Sequence[Event]) -> set[Thing]:
    """The queues of which they say that something has been done."""
    return {event.thing for event in events if event.operation == "task_done"}


def conflict(first: Event, second: Event) -> bool:
    """Whether both may not meet, but for locks."""
    if first.thing is not second.thing or exclusive(first.arms, second.arms):
        return False
    return not (first.nature is Nature.STAGING and second.nature is Nature.STAGING)


def shared_locks(first: Event, second: Event) -> bool:
    """Whether a lock keeps both apart."""
    return bool(first.locks & second.locks)
