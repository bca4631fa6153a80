"""What a task did with sessions, and which tasks ran beside it.

Problem: two uses of one session meet only if nothing makes one wait for the other.

Mechanism: a task's uses are a list. A task that it starts is a `Child`, with the length of the list when it was
started and when it was awaited: uses in between are beside the child's, and so are children whose spans meet.

Guarantee: a child's events contain those of its own children.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from harness.scan.values import Place, Step, Thing, Values

__all__ = ["Child", "Event", "Nature", "Spawn", "Trace", "conflict", "shared_locks"]


class Nature(StrEnum):
    """What an operation is to others on the same session, as the sanitizer has it."""

    STAGING = "staging"
    AWAITED = "awaited"
    BOUNDARY = "boundary"


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

    `writer` is the object that has the session and bills or logs by it, if one does.
    """

    thing: Thing
    operation: str
    nature: Nature
    place: Place
    way: tuple[Step, ...]
    locks: frozenset[int]
    writer: Thing | None = None


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
        return [*self.events, *(event for child in self.children for event in child.events)]

    def beside(self, child: Child) -> Iterator[Event]:
        """What the task itself did while the child was under way."""
        yield from self.events[child.start : child.end]


def conflict(first: Event, second: Event) -> bool:
    """Whether both may not meet, but for locks."""
    if first.thing is not second.thing:
        return False
    return not (first.nature is Nature.STAGING and second.nature is Nature.STAGING)


def shared_locks(first: Event, second: Event) -> bool:
    """Whether a lock keeps both apart."""
    return bool(first.locks & second.locks)
