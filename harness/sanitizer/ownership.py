"""Who used one object when, and whether that was allowed. Pure: no asyncio, no SQLAlchemy.

Problem: two accesses by different actors to one session race if their kinds conflict, neither happened before the
other, and no common mutex keeps them apart. One begun while the other is in flight is a race whatever else holds.

Mechanism: a `Shadow` per object. As long as one actor alone uses the object, holding no mutex, which is nearly
always, the shadow keeps its last use and the time when that ended, and nothing is compared: FastTrack's epochs. The
next actor takes the object over if all of that happened before. Otherwise the shadow becomes shared, for good: it
then has the accesses in flight, and of those that ended the ones that a later access can still race with; an access
takes the place of all that happened before it, unless they conflict with more or were guarded by less. `Work` has
what was written in the object's transaction and is not yet committed, by actor.

Guarantee: what a shadow remembers is bounded by the actors that live, and, of those that are done, by the places in
the program: of done actors' accesses that differ in nothing else, the last 32 stand for all.

    conflicts      staging  awaited  boundary
    staging                    x        x
    awaited           x        x        x
    boundary          x        x        x

Staging only changes what the session has in memory, without giving way to other tasks.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Any

from harness.evidence import RaceKind
from harness.sanitizer.clocks import NO_LOCKS, Actor, Holding

__all__ = ["Access", "AccessKind", "Conflict", "Shadow", "Use", "Work", "conflicting"]

_COMPACT_ABOVE = 64
_KEPT_OF_A_PLACE = 32


class AccessKind(IntEnum):
    """What an operation does; a higher one conflicts with all that a lower one conflicts with."""

    STAGING = 1
    """Changes what the object has in memory: `add`, `expire`, an attribute."""
    AWAITED = 2
    """May give way to other tasks: `execute`, `flush`, a lazy load."""
    BOUNDARY = 3
    """Begins or ends a transaction: `commit`, `rollback`, `close`."""


_STAGING = AccessKind.STAGING

Use = tuple[AccessKind, str, Any, Any, int]
"""One operation of the application: its kind and name, the stack, on whose behalf, and the moment when it began.

What an operation does to the objects below the one that it was called on, a session's connections, is the same use of
them.
"""


def conflicting(one: AccessKind, other: AccessKind) -> bool:
    """Whether accesses of these kinds may not meet."""
    return not (one is _STAGING and other is _STAGING)


class Access:
    """One actor's use of one object. `time` is 0 as long as it is in flight."""

    __slots__ = ("actor", "kind", "mutexes", "time", "use")

    def __init__(self, actor: Actor, use: Use, *, time: int = 0) -> None:
        self.actor = actor
        self.use = use
        self.kind = use[0]
        self.time = time
        self.mutexes: Mapping[object, Holding] = NO_LOCKS

    @property
    def operation(self) -> str:
        """What was called."""
        return self.use[1]

    @property
    def stack(self) -> Any:
        """From where."""
        return self.use[2]

    @property
    def began(self) -> int:
        """The moment when the operation began."""
        return self.use[4]

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
    """Two accesses to one object that may not meet."""

    __slots__ = ("first", "kind", "second", "shadow")

    def __init__(self, kind: RaceKind, shadow: "Shadow", first: Access, second: Access) -> None:
        self.kind = kind
        self.shadow = shadow
        self.first = first
        self.second = second


class Shadow:
    """What is remembered of one object.

    `owner` is the only actor that uses it, if there is one: `pending` is its use in flight, `last` the last one that
    ended, at `time`, and `staged`, at `staged_time`, a later one that only staged; `written` is its last write in the
    transaction, the first was at the moment `first_write`. Otherwise there are `flying` and `settled` accesses, and
    `work`.

    `loop` is the event loop that the object belongs to, and `thread` that loop's thread, since the access `home`.
    `generation` says in which watch the shadow was made, and `is_asynchronous` whether the object belongs to an event
    loop at all. What the operations of others do to an object that `is_covered` is seen elsewhere.
    """

    __slots__ = (
        "__weakref__",
        "created",
        "first_write",
        "flying",
        "generation",
        "home",
        "is_asynchronous",
        "is_covered",
        "is_shared",
        "last",
        "loop",
        "name",
        "owner",
        "pending",
        "settled",
        "staged",
        "staged_time",
        "thread",
        "time",
        "work",
        "written",
        "written_time",
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
        self.is_covered = False
        self.loop: Any = None
        self.home: Access | None = None
        self.thread = 0
        self.forget()

    def forget(self) -> None:
        """The object starts afresh: nothing that was done with it before counts."""
        self.owner: Actor | None = None
        self.pending: Use | None = None
        self.last: Use | None = None
        self.time = 0
        self.staged: Use | None = None
        self.staged_time = 0
        self.written: Use | None = None
        self.written_time = 0
        self.first_write = 0
        self.is_shared = False
        self.flying: list[Access] = []
        self.settled: list[Access] = []
        self.work: Work | None = None

    def hand_over(self) -> None:
        """What has ended does not count any more; what is in flight does."""
        if not self.is_shared:
            self._share()
        flying = self.flying
        self.forget()
        self.is_shared, self.flying = True, flying

    def leave_home(self) -> None:
        """It holds nothing of its event loop any more, and may be used in another."""
        self.loop = self.home = None
        self.thread = 0

    # -- one actor alone ----------------------------------------------------------------------------------------

    def end_alone(self, actor: Actor) -> None:
        """The owner's use ends; its clock has been advanced for it."""
        use = self.pending
        if use is None:
            return
        self.pending = None
        if use[0] is _STAGING and self.last is not None and self.last[0] is not _STAGING:
            self.staged, self.staged_time = use, actor.time
        else:
            self.last, self.time, self.staged = use, actor.time, None
        if self.written is use:
            self.written_time = actor.time

    def _take_over(self, actor: Actor, use: Use) -> bool:
        """Make the actor the owner, if everything that was done happened before this."""
        owner = self.owner
        if owner is None:
            self.owner = actor
            return True
        last, staged = self.last, self.staged
        if self.pending is not None or self.written is not None or last is None or use[0] < last[0]:
            return False
        known = actor.clock.get(owner.number, 0)
        if known < self.time or (staged is not None and known < self.staged_time):
            return False
        self.owner, self.last, self.staged = actor, None, None
        return True

    def _share(self) -> None:
        """From now on several actors use it: what was kept of the owner becomes accesses of its own."""
        owner, self.is_shared = self.owner, True
        if owner is None:
            return
        accesses: dict[int, Access] = {}
        for use, time, kept in (
            (self.last, self.time, self.settled),
            (self.staged, self.staged_time, self.settled),
            (self.pending, 0, self.flying),
        ):
            if use is not None:
                accesses[id(use)] = access = Access(owner, use, time=time)
                kept.append(access)
        if self.written is not None:
            write = accesses.get(id(self.written)) or Access(owner, self.written, time=self.written_time)
            self.work = Work()
            self.work.wrote(write, since=self.first_write)
        self.owner = self.pending = self.last = self.staged = self.written = None

    # -- several actors -----------------------------------------------------------------------------------------

    def begin(self, actor: Actor, use: Use) -> tuple[Access | None, list[Conflict]]:
        """A use begins: the access, or `None` if the actor is now the owner; and what it may not meet."""
        stranger = self._settle_in(actor, use) if actor.loop is not self.loop else None
        guarded = bool(actor.holdings or actor.inherited)
        if not self.is_shared and not guarded and stranger is None and self._take_over(actor, use):
            self.pending = use
            return None, []
        if not self.is_shared:
            self._share()
        access = Access(actor, use)
        if guarded:
            access.mutexes = actor.mutexes()
        if stranger is not None:
            found = [Conflict(stranger, self, self.home or access, access)]
        else:
            found = list(self._conflicts(access))
        self.flying.append(access)
        return access, found

    def is_used_by(self, actor: Actor) -> bool:
        """Whether the actor has an access in flight: what it does now is part of that."""
        if self.owner is not None:
            return self.owner is actor and self.pending is not None
        return any(access.actor is actor for access in self.flying)

    def flying_of(self, actor: Actor) -> Access | None:
        """The actor's access in flight."""
        if self.owner is actor and self.pending is not None:
            return Access(actor, self.pending)
        return next((access for access in self.flying if access.actor is actor), None)

    def end(self, access: Access) -> None:
        """The access ends; its actor's clock has been advanced for it."""
        if access not in self.flying:
            return
        self.flying.remove(access)
        access.time = access.actor.time
        self.settled = [other for other in self.settled if not _replaces(access, other)]
        self.settled.append(access)
        if len(self.settled) > _COMPACT_ABOVE:
            self._compact()

    def _settle_in(self, actor: Actor, use: Use) -> RaceKind | None:
        """The actor is not in the object's event loop: the object has none yet, or this is a stranger."""
        loop = actor.loop
        if self.home is None:
            if loop is not None:
                self.loop, self.home, self.thread = loop, Access(actor.likeness(), use), actor.thread()
            return None
        if not self.is_asynchronous() or (loop is None and actor.thread() == self.thread != 0):
            return None  # in the loop's own thread, between two runs of it
        return RaceKind.FOREIGN_THREAD if loop is None else RaceKind.FOREIGN_LOOP

    def _conflicts(self, access: Access) -> Iterator[Conflict]:
        actor, kind = access.actor, access.kind
        for other in self.flying:
            if other.actor is not actor and conflicting(other.kind, kind) and not other.contains(actor):
                yield Conflict(RaceKind.OVERLAP, self, other, access)
        for other in self.settled:
            if (
                conflicting(other.kind, kind)
                and not other.happened_before(actor)
                and not _kept_apart(other.mutexes, access.mutexes)
                and not (other.actor.opaque and other.actor.done)
                and not (other.actor.blind or actor.blind)
            ):
                yield Conflict(RaceKind.UNORDERED, self, other, access)

    def _compact(self) -> None:
        """Of the accesses of actors that are done, keep the last ones of each kind, place and set of mutexes."""
        kept: dict[Any, list[Access]] = {}
        for access in self.settled:
            key = (access.kind, access.operation, access.stack, frozenset(access.mutexes))
            kept.setdefault(key if access.actor.done else access, []).append(access)
        self.settled = [access for accesses in kept.values() for access in accesses[-_KEPT_OF_A_PLACE:]]

    # -- writes -------------------------------------------------------------------------------------------------

    def wrote(self, actor: Actor) -> None:
        """The actor's use in flight changes something that the transaction's end will decide about."""
        if self.owner is actor and self.pending is not None:
            if self.written is None:
                self.first_write = self.pending[4]
            self.written = self.pending
            self.written_time = 0
            return
        access = self.flying_of(actor)
        if access is not None:
            if self.work is None:
                self.work = Work()
            self.work.wrote(access)

    def decide(self, actor: Actor, *, since: int = 0) -> list[Conflict]:
        """The actor ends the transaction, or the savepoint made at the moment `since`: whose writes does that cover?"""
        if self.owner is actor:
            if self.written is not None and self.first_write > since:
                self.written = None
            return []
        if not self.is_shared:
            self._share()
        access = self.flying_of(actor)
        if access is None and actor.use is not None:
            access = Access(actor, actor.use)  # of an object above this one
        if access is None or not self.work:
            return []
        return [Conflict(RaceKind.BLEED, self, write, access) for write in self.work.end(actor, since=since)]


class Work:
    """Writes of one transaction that nobody has committed yet: when each actor's first began, and its last access."""

    __slots__ = ("_writes",)

    def __init__(self) -> None:
        self._writes: dict[Actor, tuple[int, Access]] = {}

    def __bool__(self) -> bool:
        return bool(self._writes)

    def wrote(self, access: Access, *, since: int | None = None) -> None:
        """An actor changed something that the transaction's end will decide about."""
        first = self._writes[access.actor][0] if access.actor in self._writes else access.began
        self._writes[access.actor] = (first if since is None else since, access)
        if len(self._writes) > _COMPACT_ABOVE:
            self._writes = {actor: pair for actor, pair in self._writes.items() if actor.first_alive() is not None}

    def end(self, actor: Actor, *, since: int = 0) -> list[Access]:
        """The actor ends the transaction, or the savepoint made at the moment `since`.

        Returns the writes that it covers whose authors are alive, are not its ancestors, and did not hand them on.
        """
        covered = []
        for author, (first, last) in list(self._writes.items()):
            if last.began <= since:
                continue
            if _is_foreign(author, actor) and not last.happened_before(actor) and not last.contains(actor):
                covered.append(last)
            if first > since:
                del self._writes[author]
        return covered


def _is_foreign(author: Actor, actor: Actor) -> bool:
    responsible = author.first_alive()
    return responsible is not None and responsible is not actor and not actor.descends_from(responsible)


def _replaces(access: Access, other: Access) -> bool:
    """Whether whatever races with the other races with this access, too: no weaker, and guarded by no more."""
    return (
        other.kind <= access.kind
        and (not access.mutexes or access.mutexes.keys() <= other.mutexes.keys())
        and other.happened_before(access.actor)
    )


def _kept_apart(one: Mapping[object, Holding], other: Mapping[object, Holding]) -> bool:
    """Whether both held one mutex, in different episodes: within the same one, it keeps nobody apart."""
    return any(mutex in other and other[mutex] is not holding for mutex, holding in one.items())
