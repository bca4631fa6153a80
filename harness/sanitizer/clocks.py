"""What happened before what, among the tasks, callbacks and threads of one process.

Problem: two accesses that did not overlap may do so in another run, unless something orders them. Whether anything
does cannot be seen from their times.

Mechanism: vector clocks, as in FastTrack (Flanagan and Freund, PLDI 2009), in a form for programs in which few tasks
ever touch what is watched. An `Actor` is whatever runs one step after another: a task, a callback, a thread. A clock
maps actors' numbers to times, is never changed once it is made, and is handed on by reference: a release gives away the
actor's clock as it is, an acquisition joins another's into its own. An actor gets a number, and so a component in the
clocks, with its first access; its time goes on only when an access follows a release. So in a program without accesses
all clocks are the one empty clock, and nothing is ever copied. An access is an epoch, the actor's number and time, and
it happened before whatever an actor does that has that epoch in its clock.

Guarantee: memory is bounded by the actors that live or whose accesses somebody remembers. Components of others are
dropped when a clock grows.

This module knows nothing of asyncio and of databases.
"""

from collections.abc import Mapping
from typing import Any
from weakref import ref

__all__ = ["EMPTY", "NO_LOCKS", "Actor", "Clock", "Clocks", "Holding"]

Clock = Mapping[int, int]
"""Times by actor number; never changed once it is made."""

EMPTY: Clock = {}
NO_LOCKS: Mapping[object, "Holding"] = {}

_PRUNE_ABOVE = 8


class Holding:
    """One episode of holding a mutex: it ends, and holding the same mutex again is another."""

    __slots__ = ("active", "actor", "mutex")

    def __init__(self, mutex: object, actor: "Actor") -> None:
        self.mutex = mutex
        self.actor = actor
        self.active = True


class Actor:
    """Whatever runs one step after another.

    `parent` is the actor that created it. `loop` is the event loop that it runs in, if it does. An `opaque` actor's
    end cannot be seen by those who wait for it, so that nothing can be said of the order of its accesses afterwards;
    of a `blind` one, whose event loop shows nothing of what orders it, nothing can be said of their order at all.
    `use` is the operation that it has in flight, on `used`; `told` are the conflicts that this had so far,
    `is_driven` says that it has got to the driver, and `cleans_up` that it must not be interrupted.
    """

    number = 0
    time = 0
    released = False
    holdings: Mapping[object, "Holding"] = NO_LOCKS
    inherited: tuple["Holding", ...] = ()
    born = 0
    ended = False
    opaque = False
    blind = False
    loop: Any = None
    created: Any = None
    use: Any = None
    used: Any = None
    told: Any = None
    is_driven = False
    cleans_up = False
    _live: "dict[int, ref[Actor]] | None" = None

    def __init__(self, parent: "Actor | None" = None, *, name: str = "", clock: Clock = EMPTY) -> None:
        # They are made all the time, and most do nothing that matters: what is as ever stays in the class.
        self.parent = parent
        self.name = name
        self.clock = clock
        if parent is not None:
            if parent.blind:
                self.blind = True
            if parent.parent is not None:
                _shorten(parent)
            if parent.holdings or parent.inherited:
                self.inherited = (*parent.holdings.values(), *(held for held in parent.inherited if held.active))

    def __del__(self) -> None:
        if self._live is not None:
            self._live.pop(self.number, None)

    @property
    def done(self) -> bool:
        """Whether it will do nothing more."""
        return self.ended

    def describe(self) -> str:
        """What a report calls it."""
        return self.name

    def likeness(self) -> "Actor":
        """What there is to say of it, for those who must not keep it."""
        likeness = Actor(name=self.describe())
        likeness.created, likeness.loop, likeness.ended = self.created, self.loop, True
        return likeness

    def origin(self) -> Any:
        """Where it was created, or else where its creator waits, or was created itself; empty if nobody knows."""
        current: Actor | None = self
        while current is not None:
            if current.created:
                return current.created
            current = current.parent
            if current is not None and (place := current.waits_at()):
                return place
        return ()

    def thread(self) -> int:
        """The thread that it runs in, by its identifier; 0 if nobody knows."""
        return 0

    def waits_at(self) -> Any:
        """Where it waits now; empty if nobody knows."""
        return ()

    def take_part(self, live: "dict[int, ref[Actor]]", number: int) -> None:
        """Get a component in the clocks."""
        self.number = number
        self._live = live
        live[number] = ref(self)

    def stand_aside(self) -> None:
        """Have none any more, until the next access."""
        self.number = self.time = 0
        self.clock = EMPTY
        self._live = None

    def mutexes(self) -> Mapping[object, Holding]:
        """The mutexes that it holds, or that an ancestor has held since before it created this one."""
        if not self.inherited:
            return self.holdings
        return {held.mutex: held for held in self.inherited if held.active} | dict(self.holdings)

    def descends_from(self, other: "Actor") -> bool:
        """Whether the other is one of its ancestors."""
        current = self.parent
        while current is not None:
            if current is other:
                return True
            current = current.parent
        return False

    def first_alive(self) -> "Actor | None":
        """Itself, or else the nearest ancestor that is not done."""
        current: Actor | None = self
        while current is not None and current.done:
            current = current.parent
        return current


def _shorten(actor: Actor) -> None:
    """Skip ancestors that are done, so that chains of tasks that create each other do not grow.

    What is skipped was born before, and so it is then as if this one had been.
    """
    parent = actor.parent
    while parent is not None and parent.done and parent.parent is not None:
        actor.born = min(actor.born, parent.born)
        parent = parent.parent
    actor.parent = parent


class Clocks:
    """The clocks of one process. `live` has the actors that count, by number; while it is empty nothing is ordered.

    Its methods are called on every step of a program: they do as little as they can.
    """

    __slots__ = ("_actors", "live", "moments")

    def __init__(self) -> None:
        self.live: dict[int, ref[Actor]] = {}
        self.moments = 0
        self._actors = 0

    def forget(self) -> None:
        """Nothing that was accessed before counts; actors that live on are as if they had accessed nothing."""
        for number in tuple(self.live):
            actor = self.live.pop(number)()
            if actor is not None:
                actor.stand_aside()

    def moment(self) -> int:
        """A number greater than all before."""
        self.moments += 1
        return self.moments

    @staticmethod
    def release(actor: Actor) -> Clock:
        """What the actor has seen and done so far, for others to acquire."""
        actor.released = True
        return actor.clock

    def acquire(self, actor: Actor, clock: Clock) -> None:
        """Whatever was released with that clock happened before what the actor does from now on."""
        if clock is not actor.clock and clock:
            actor.clock = self.join(actor.clock, clock)

    def join(self, ours: Clock, theirs: Clock) -> Clock:
        """The least clock that is not before either."""
        if ours is theirs or not theirs:
            return ours
        if not ours:
            return theirs
        for number, time in theirs.items():
            if ours.get(number, 0) < time:
                break
        else:
            return ours
        joined = dict(ours)
        for number, time in theirs.items():
            if joined.get(number, 0) < time:
                joined[number] = time
        return self._pruned(joined)

    def _pruned(self, clock: dict[int, int]) -> dict[int, int]:
        """Without the components of actors that are gone, once these are many."""
        live = self.live
        if len(clock) <= _PRUNE_ABOVE or len(clock) <= 2 * len(live):
            return clock
        return {number: time for number, time in clock.items() if number in live}

    def tick(self, actor: Actor) -> int:
        """The time of an access that ends now; what the actor releases from now on tells of it."""
        if actor.released or not actor.time:
            if not actor.number:
                self._actors += 1
                actor.take_part(self.live, self._actors)
            actor.time += 1
            actor.released = False
            actor.clock = self._pruned({**actor.clock, actor.number: actor.time})
        return actor.time

    @staticmethod
    def before(number: int, time: int, actor: Actor) -> bool:
        """Whether the access with that epoch happened before what the actor does now."""
        return actor.clock.get(number, 0) >= time

    def hold(self, actor: Actor, mutex: object) -> Holding:
        """The actor holds the mutex until `let_go`."""
        holding = Holding(mutex, actor)
        actor.holdings = {**actor.holdings, mutex: holding}
        return holding

    @staticmethod
    def hand_on(actor: Actor, heir: Actor) -> None:
        """Whatever the actor holds is held by the heir, in the same episode."""
        for holding in actor.holdings.values():
            holding.actor = heir
        heir.holdings = {**heir.holdings, **actor.holdings}
        actor.holdings = NO_LOCKS

    @staticmethod
    def let_go(holding: Holding) -> None:
        """The mutex is no longer held, by whomever it was let go."""
        holding.active = False
        actor = holding.actor
        if actor.holdings.get(holding.mutex) is holding:
            actor.holdings = {mutex: held for mutex, held in actor.holdings.items() if held is not holding} or NO_LOCKS
