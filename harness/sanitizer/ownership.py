"""Who used one object when, and whether that was allowed. Pure: no asyncio, no SQLAlchemy.

Problem: two accesses by different actors to one session race if their kinds conflict, neither happened before the
other, and no common mutex keeps them apart. One begun while the other is in flight is a race whatever else holds.

Mechanism: a `Shadow` per object has the accesses in flight, and of those that ended the ones that a later access can
still race with: an access takes the place of all that happened before it, unless they conflict with more or were
guarded by less. `Work` has what was written in the object's transaction and is not yet committed, by actor.

Guarantee: what a shadow remembers is bounded by the actors that live, and, of those that are done, by the places in
the program: of several done actors' accesses that differ in nothing else, the last one stands for all.

    conflicts      staging  awaited  boundary
    staging           –        x        x
    awaited           x        x        x
    boundary          x        x        x

Staging only changes what the session has in memory, without giving way to other tasks.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Any

from harness.evidence import RaceKind
from harness.sanitizer.clocks import NO_LOCKS, Actor, Holding

__all__ = ["Access", "AccessKind", "Conflict", "Shadow", "Work", "conflicting"]

_COMPACT_ABOVE = 16


class AccessKind(IntEnum):
    """What an operation does; a higher one conflicts with all that a lower one conflicts with."""

    STAGING = 1
    """Changes what the object has in memory: `add`, `expire`, an attribute."""
    AWAITED = 2
    """May give way to other tasks: `execute`, `flush`, a lazy load."""
    BOUNDARY = 3
    """Begins or ends a transaction: `commit`, `rollback`, `close`."""


_STAGING = AccessKind.STAGING


def conflicting(one: AccessKind, other: AccessKind) -> bool:
    """Whether accesses of these kinds may not meet."""
    return not (one is _STAGING and other is _STAGING)


class Access:
    """One operation of the application: on the object `shadow`, and on what lies below it, a connection.

    `time` is 0 as long as it is in flight. `is_driven` says that it has got to the driver through SQLAlchemy.
    """

    __slots__ = (
        "actor",
        "began",
        "is_driven",
        "kind",
        "mutexes",
        "operation",
        "shadow",
        "stack",
        "time",
        "told",
        "who",
    )

    def __init__(self, actor: Actor, kind: AccessKind, operation: str, *, stack: Any = None, who: Any = None) -> None:
        self.actor = actor
        self.kind = kind
        self.operation = operation
        self.stack = stack
        self.who = who
        self.told: list[Any] | None = None
        self.time = 0
        self.began = 0
        self.is_driven = False
        self.mutexes: Mapping[object, Holding] = actor.mutexes() if actor.holdings or actor.inherited else NO_LOCKS
        self.shadow: Shadow | None = None

    def tell_once(self, kind: RaceKind, other: "Access") -> bool:
        """Whether the application's two accesses have not yet been told of, on whatever object below them."""
        pair = (kind is RaceKind.BLEED, other)
        if self.told is None:
            self.told = []
        if pair in self.told:
            return False
        self.told.append(pair)
        return True

    def happened_before(self, actor: Actor) -> bool:
        """Whether it ended before what the actor does now, by an order that holds in every run."""
        return self.actor is actor or (self.time > 0 and actor.clock.get(self.actor.number, 0) >= self.time)

    def contains(self, actor: Actor) -> bool:
        """Whether the actor was created within this access, so that it works on behalf of it."""
        current = actor
        while current.parent is not None:
            if current.parent is self.actor:
                return current.born > self.began
            current = current.parent
        return False


class Conflict:
    """Two accesses that may not meet."""

    __slots__ = ("first", "kind", "second", "shadow")

    def __init__(self, kind: RaceKind, first: Access, second: Access) -> None:
        self.kind = kind
        self.first = first
        self.second = second
        self.shadow: Shadow | None = None


class Shadow:
    """What is remembered of one object.

    `loop` is the event loop that it belongs to, since the access `home`. `generation` says in which watch it was made,
    and `is_asynchronous` whether it belongs to an event loop at all.
    """

    __slots__ = (
        "__weakref__",
        "created",
        "flying",
        "generation",
        "home",
        "is_asynchronous",
        "loop",
        "name",
        "settled",
        "work",
    )

    def __init__(
        self,
        name: str = "",
        *,
        created: Any = None,
        generation: int = 0,
        is_asynchronous: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self.created = created
        self.generation = generation
        self.is_asynchronous = is_asynchronous
        self.loop: Any = None
        self.home: Access | None = None
        self.flying: list[Access] = []
        self.settled: list[Access] = []
        self.work: Work | None = None

    def begin(self, access: Access) -> list[Conflict]:
        """The access begins, or one that the application made gets to this object below; returns what it may not meet.

        Of a single actor's object nothing needs to be compared: this is nearly always the case, and costs least.
        """
        flying, settled, actor = self.flying, self.settled, access.actor
        found: list[Conflict] = []
        if actor.loop is not self.loop and (stranger := self._settle_in(access)) is not None:
            found = [stranger]
        elif flying or (settled and (settled[0].actor is not actor or len(settled) > 1)):
            found = list(self._conflicts(access))
        flying.append(access)
        return found

    def is_used_by(self, actor: Actor) -> bool:
        """Whether the actor has an access in flight: what it does now is part of that."""
        return any(access.actor is actor for access in self.flying)

    def end(self, access: Access) -> None:
        """The access ends here. Its `time` is 0 still if it goes on elsewhere: then it is before nothing yet."""
        self.flying.remove(access)
        settled = self.settled
        if not settled:
            settled.append(access)
        elif len(settled) == 1 and settled[0].actor is access.actor and _covers(access, settled[0]):
            settled[0] = access
        else:
            self.settled = [other for other in settled if not _replaces(access, other)]
            self.settled.append(access)
            if len(self.settled) > _COMPACT_ABOVE:
                self._compact()

    def forget(self) -> None:
        """The object starts afresh: nothing that was done with it before counts."""
        self.flying = []
        self.settled = []
        self.work = None

    def leave_home(self) -> None:
        """It holds nothing of its event loop any more, and may be used in another."""
        self.loop = self.home = None

    def _settle_in(self, access: Access) -> Conflict | None:
        """The access is not in the object's event loop: it has none yet, or this is a stranger."""
        loop = access.actor.loop
        if self.home is None:
            if loop is not None:
                self.loop, self.home = loop, access
            return None
        if not self.is_asynchronous():
            return None
        return Conflict(RaceKind.FOREIGN_THREAD if loop is None else RaceKind.FOREIGN_LOOP, self.home, access)

    def _conflicts(self, access: Access) -> Iterator[Conflict]:
        actor, kind = access.actor, access.kind
        for other in self.flying:
            if other.actor is not actor and conflicting(other.kind, kind) and not other.contains(actor):
                yield Conflict(RaceKind.OVERLAP, other, access)
        for other in self.settled:
            if (
                conflicting(other.kind, kind)
                and not other.happened_before(actor)
                and not _kept_apart(other.mutexes, access.mutexes)
                and not (other.actor.opaque and other.actor.done)
                and not (other.time == 0 and other.contains(actor))
            ):
                yield Conflict(RaceKind.UNORDERED, other, access)

    def _compact(self) -> None:
        """Of the accesses of actors that are done, keep the last of each kind, place and set of mutexes."""
        kept: dict[Any, Access] = {}
        for access in self.settled:
            key: Any = access
            if access.actor.done:
                key = (access.kind, access.operation, access.stack, frozenset(access.mutexes))
            kept.pop(key, None)
            kept[key] = access
        self.settled = list(kept.values())


class Work:
    """Writes of one transaction that nobody has committed yet: the first and the last access of each actor."""

    __slots__ = ("_writes",)

    def __init__(self) -> None:
        self._writes: dict[Actor, tuple[Access, Access]] = {}

    def __bool__(self) -> bool:
        return bool(self._writes)

    def wrote(self, access: Access) -> None:
        """An actor changed something that the transaction's end will decide about."""
        first, _ = self._writes.get(access.actor, (access, access))
        self._writes[access.actor] = (first, access)
        if len(self._writes) > _COMPACT_ABOVE:
            self._writes = {actor: pair for actor, pair in self._writes.items() if actor.first_alive() is not None}

    def end(self, actor: Actor, *, since: int = 0) -> list[Access]:
        """The actor ends the transaction, or the savepoint made at `since`.

        Returns the writes that it covers though their authors are alive, are not its ancestors, and did not hand them on.
        """
        covered = []
        for author, (first, last) in list(self._writes.items()):
            if last.began <= since:
                continue
            if _is_foreign(author, actor) and not last.happened_before(actor) and not last.contains(actor):
                covered.append(last)
            if first.began <= since:
                self._writes[author] = (first, first)
            else:
                del self._writes[author]
        return covered


def _is_foreign(author: Actor, actor: Actor) -> bool:
    responsible = author.first_alive()
    return responsible is not None and responsible is not actor and not actor.descends_from(responsible)


def _covers(access: Access, other: Access) -> bool:
    """Whether this access conflicts with all that the other one conflicts with, and is guarded by no more."""
    return other.kind <= access.kind and (not access.mutexes or access.mutexes.keys() <= other.mutexes.keys())


def _replaces(access: Access, other: Access) -> bool:
    """Whether whatever races with the other races with this access, too."""
    return _covers(access, other) and other.happened_before(access.actor)


def _kept_apart(one: Mapping[object, Holding], other: Mapping[object, Holding]) -> bool:
    """Whether both held one mutex, in different episodes: within the same one, it keeps nobody apart."""
    return any(mutex in other and other[mutex] is not holding for mutex, holding in one.items())
