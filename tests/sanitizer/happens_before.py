"""What races, by brute force: a graph of what happened, and a search for paths in it.

Problem: the sanitizer's clocks, epochs and summaries are clever, and may be wrong. Whether it is right needs a second
opinion that shares nothing with it.

Mechanism: a `History` has one event for each thing that an actor does, in the order in which they happened, each with
the events that caused it. One event happened before another if there is a path. Locks make no path; each holding of
one is an episode, from one event to another. `races` applies the definition to two accesses.

Guarantee: nothing is forgotten, nothing is summarised, and nothing here knows of asyncio or of the sanitizer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Access", "Actor", "Episode", "History"]

Event = int
"""A number: events are numbered in the order in which they happened."""


@dataclass(eq=False, slots=True)
class Episode:
    """One holding of a mutex by an actor: from one event until another, or to the end."""

    mutex: str
    since: Event
    until: Event | None = None

    def covers(self, event: Event) -> bool:
        """Whether the mutex was held then."""
        return self.since <= event and (self.until is None or event < self.until)


@dataclass(eq=False, slots=True)
class Actor:
    """A task, a callback or a piece of work in a thread; `created` by an event of its parent."""

    name: str
    parent: "Actor | None"
    created: Event
    first: Event | None = None
    last: Event | None = None
    ended: Event | None = None
    episodes: list[Episode] = field(default_factory=list)

    def ancestors(self) -> "Iterator[tuple[Actor, Event]]":
        """Each, with the event by which it created the next one in the line down to this actor."""
        current = self
        while current.parent is not None:
            yield current.parent, current.created
            current = current.parent

    def is_alive(self, event: Event) -> bool:
        """Whether it had not yet ended then."""
        return self.ended is None or self.ended > event


@dataclass(eq=False, slots=True)
class Access:
    """One use of a session at the access point `point`, in flight from one event until another.

    `stages` only: it never gives way to other tasks. `writes`: the end of the transaction decides about it. `decides`:
    it ends the transaction.
    """

    point: int
    actor: Actor
    began: Event
    stages: bool = False
    writes: bool = False
    decides: bool = False
    ended: Event | None = None


class History:
    """All that happened in one run."""

    def __init__(self) -> None:
        self.causes: list[tuple[Event, ...]] = []
        self.said: list[str] = []
        self.accesses: list[Access] = []

    def create(self, name: str, parent: Actor | None, created: Event) -> Actor:
        """An actor that has not yet begun."""
        return Actor(name, parent, created)

    def log(self, actor: Actor, what: str, causes: Iterable[Event] = ()) -> Event:
        """The actor does something: after all that it has done, and after the causes."""
        before = actor.created if actor.last is None else actor.last
        event = len(self.causes)
        self.causes.append(tuple(each for each in (before, *causes) if each >= 0))
        self.said.append(f"{event}. {actor.name}: {what}")
        actor.last = event
        if actor.first is None:
            actor.first = event
        return event

    # -- the definition -----------------------------------------------------------------------------------------

    def is_before(self, one: Event, other: Event) -> bool:
        """Whether there is a path from one event to the other."""
        pending, seen = [other], set[Event]()
        while pending:
            event = pending.pop()
            if event == one:
                return True
            if event > one and event not in seen:
                seen.add(event)
                pending += self.causes[event]
        return False

    def races(self, one: Access, other: Access) -> str | None:
        """`overlap` or `unordered`, if these two accesses to one session may not meet; the first began first."""
        if one.actor is other.actor or (one.stages and other.stages):
            return None
        if one.ended is None or one.ended > other.began:
            return "overlap"
        if self.is_before(one.ended, other.began) or self.keeps_apart(one, other):
            return None
        return "unordered"

    def bleeds(self, write: Access, end: Access) -> bool:
        """Whether the end of the transaction covers unfinished work of somebody else.

        What an actor that has ended left undone is the business of the nearest of its ancestors that is still at work.
        """
        if not write.writes or not end.decides or write.began > end.began or write.ended is None:
            return False
        line = (write.actor, *(ancestor for ancestor, _ in write.actor.ancestors()))
        responsible = next((each for each in line if each.is_alive(end.began)), None)
        own = {end.actor, *(ancestor for ancestor, _ in end.actor.ancestors())}
        return responsible is not None and responsible not in own and not self.is_before(write.ended, end.began)

    def keeps_apart(self, one: Access, other: Access) -> bool:
        """Whether both were made under one mutex, but not within the same holding of it."""
        return any(
            mine.mutex == theirs.mutex and mine is not theirs
            for mine in self.mutexes(one)
            for theirs in self.mutexes(other)
        )

    @staticmethod
    def mutexes(access: Access) -> list[Episode]:
        """Those that the actor held, or that an ancestor had held since before it created the actor, and still held."""
        own = [episode for episode in access.actor.episodes if episode.covers(access.began)]
        return own + [
            episode
            for ancestor, created in access.actor.ancestors()
            for episode in ancestor.episodes
            if episode.covers(created) and episode.covers(access.began)
        ]
