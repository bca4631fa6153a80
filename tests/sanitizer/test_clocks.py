"""Clocks: a join is a least upper bound, an epoch is known by whoever acquired it, and the dead are dropped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sanitizer.clocks import EMPTY, NO_LOCKS, Actor, Clock, Clocks

ACTORS = 4
KEPT_WHATEVER_LIVES = 8

law = settings(derandomize=True)
small_clocks = st.dictionaries(st.integers(1, 6), st.integers(1, 4))
large_clocks = st.dictionaries(st.integers(1, 40), st.integers(1, 4), max_size=40)


def is_at_most(one: Clock, other: Clock) -> bool:
    """Whether the other knows all that the one knows."""
    return all(other.get(number, 0) >= time for number, time in one.items())


def maximum(one: Clock, other: Clock) -> dict[int, int]:
    return {number: max(one.get(number, 0), other.get(number, 0)) for number in one.keys() | other.keys()}


def taking_part(clocks: Clocks, numbers: Iterable[int]) -> list[Actor]:
    """Actors that live, with these numbers."""
    actors = []
    for number in numbers:
        actors.append(Actor())
        actors[-1].take_part(clocks.live, number)
    return actors


# -- joining ----------------------------------------------------------------------------------------------------


@law
@given(small_clocks, small_clocks)
def test_a_join_is_commutative(one: Clock, other: Clock) -> None:
    """Who joins whom does not matter."""
    clocks = Clocks()

    assert clocks.join(one, other) == clocks.join(other, one)


@law
@given(small_clocks, small_clocks, small_clocks)
def test_a_join_is_associative(one: Clock, other: Clock, third: Clock) -> None:
    """In which order many are joined does not matter."""
    clocks = Clocks()

    assert clocks.join(clocks.join(one, other), third) == clocks.join(one, clocks.join(other, third))


@law
@given(small_clocks)
def test_a_join_is_idempotent(clock: Clock) -> None:
    """With itself, with an equal clock and with the empty one, it is the clock itself: nothing is copied."""
    clocks = Clocks()

    assert clocks.join(clock, clock) is clock
    assert clocks.join(clock, dict(clock)) is clock
    assert clocks.join(clock, EMPTY) is clock
    assert clocks.join(EMPTY, clock) == clock
    assert not clock or clocks.join(EMPTY, clock) is clock


@law
@given(small_clocks, small_clocks)
def test_a_join_is_the_least_upper_bound(one: Clock, other: Clock) -> None:
    """It knows all that either knows and no more, and neither is changed."""
    before = dict(one), dict(other)

    joined = Clocks().join(one, other)

    assert is_at_most(one, joined)
    assert is_at_most(other, joined)
    assert joined == maximum(one, other)
    assert (one, other) == before


@law
@given(small_clocks, small_clocks)
def test_a_join_with_what_is_known_copies_nothing(one: Clock, other: Clock) -> None:
    """A clock that knows all of the other is handed on as it is."""
    upper = maximum(one, other)

    assert Clocks().join(upper, one) is upper


# -- releasing, acquiring, ticking ------------------------------------------------------------------------------


def test_without_accesses_all_clocks_are_the_empty_one() -> None:
    """Releases and acquisitions cost nothing before anybody has accessed anything."""
    clocks, one, other = Clocks(), Actor(), Actor()

    clocks.acquire(other, clocks.release(one))
    clocks.acquire(one, clocks.release(other))

    assert one.clock is EMPTY
    assert other.clock is EMPTY
    assert clocks.live == {}


def test_the_first_tick_takes_part() -> None:
    """An actor gets a number with its first access, and each another one."""
    clocks, one, other = Clocks(), Actor(), Actor()

    assert [one.number, one.time] == [0, 0]
    assert [clocks.tick(one), clocks.tick(other)] == [1, 1]
    assert [one.number, other.number] == [1, 2]
    assert {number: actor() for number, actor in clocks.live.items()} == {1: one, 2: other}
    assert [one.clock, other.clock] == [{1: 1}, {2: 1}]


def test_time_goes_on_only_after_a_release() -> None:
    """Between two releases all accesses have one time; what was released before does not know those after it."""
    clocks, actor = Clocks(), Actor()
    times = [clocks.tick(actor), clocks.tick(actor)]
    released = clocks.release(actor)
    times += [clocks.tick(actor), clocks.tick(actor)]

    assert times == [1, 1, 2, 2]
    assert released == {actor.number: 1}
    assert actor.clock == {actor.number: 2}


def test_acquiring_what_was_released_orders() -> None:
    """What was accessed before a release happened before what follows its acquisition, and what came after did not."""
    clocks, one, other = Clocks(), Actor(), Actor()
    clocks.tick(one)
    assert not clocks.before(one.number, 1, other)

    clocks.acquire(other, clocks.release(one))
    clocks.tick(one)

    assert clocks.before(one.number, 1, other)
    assert not clocks.before(one.number, 2, other)


def test_an_acquisition_changes_nothing_that_was_released_before() -> None:
    """Clocks are handed on by reference: an acquisition makes another one."""
    clocks = Clocks()
    one, other, third = Actor(), Actor(), Actor()
    for actor in (one, other, third):
        clocks.tick(actor)
    released = clocks.release(other)
    clocks.acquire(third, released)

    clocks.acquire(other, clocks.release(one))

    assert released == {other.number: 1}
    assert not clocks.before(one.number, 1, third)


def test_a_child_knows_what_it_was_created_with() -> None:
    """A clock given at the beginning is acquired at once."""
    clocks, parent = Clocks(), Actor()
    clocks.tick(parent)

    child = Actor(parent, clock=clocks.release(parent))

    assert clocks.before(parent.number, 1, child)


def test_moments_go_on() -> None:
    """Each is greater than all before, also after everything was forgotten."""
    clocks = Clocks()
    moments = [clocks.moment(), clocks.moment()]
    clocks.forget()
    moments.append(clocks.moment())

    assert moments == sorted(set(moments))


@dataclass
class Twins:
    """Clocks, and beside them, for each actor and each message, the set of accesses that it knows of."""

    clocks: Clocks = field(default_factory=Clocks)
    actors: list[Actor] = field(default_factory=lambda: [Actor() for _ in range(ACTORS)])
    known: list[frozenset[int]] = field(default_factory=lambda: [frozenset[int]()] * ACTORS)
    messages: list[tuple[Clock, frozenset[int]]] = field(default_factory=list)
    epochs: list[tuple[int, int]] = field(default_factory=list)

    def access(self, who: int) -> None:
        actor = self.actors[who]
        time = self.clocks.tick(actor)
        self.known[who] |= {len(self.epochs)}
        self.epochs.append((actor.number, time))

    def release(self, who: int) -> None:
        self.messages.append((self.clocks.release(self.actors[who]), self.known[who]))

    def acquire(self, who: int, message: int) -> None:
        if self.messages:
            clock, known = self.messages[message % len(self.messages)]
            self.clocks.acquire(self.actors[who], clock)
            self.known[who] |= known


Step = tuple[str, int, int]
steps = st.tuples(st.sampled_from(["access", "release", "acquire"]), st.integers(0, ACTORS - 1), st.integers(0, 100))


@law
@given(st.lists(steps, max_size=40))
def test_an_epoch_is_known_exactly_by_who_acquired_it(program: list[Step]) -> None:
    """An access happened before what an actor does if there is a path of messages, and only then."""
    twins = Twins()
    for step, who, message in program:
        if step == "acquire":
            twins.acquire(who, message)
        elif step == "access":
            twins.access(who)
        else:
            twins.release(who)

    for actor, known in zip(twins.actors, twins.known, strict=True):
        told = {each for each, epoch in enumerate(twins.epochs) if twins.clocks.before(*epoch, actor)}
        assert told == known


# -- memory -----------------------------------------------------------------------------------------------------


@law
@given(large_clocks, large_clocks, st.sets(st.integers(1, 40), max_size=12))
def test_a_join_keeps_those_who_live(one: Clock, other: Clock, numbers: set[int]) -> None:
    """Of the living nothing is lost, of the dead nothing is made up, and a new clock has a bounded size."""
    clocks = Clocks()
    actors = taking_part(clocks, numbers)

    joined = clocks.join(one, other)

    upper = maximum(one, other)
    assert len(actors) == len(numbers)
    assert {each: joined.get(each, 0) for each in numbers} == {each: upper.get(each, 0) for each in numbers}
    assert joined.items() <= upper.items()
    assert joined is one or joined is other or len(joined) <= max(KEPT_WHATEVER_LIVES, 2 * len(numbers))


def test_the_clock_of_who_waits_for_many_stays_small() -> None:
    """A server whose requests come and go does not remember all of them."""
    clocks, server = Clocks(), Actor()
    clocks.tick(server)
    sizes = set()
    for _ in range(200):
        request = Actor(clock=clocks.release(server))
        clocks.tick(request)
        clocks.acquire(server, clocks.release(request))
        del request
        sizes.add(len(server.clock))

    assert max(sizes) <= KEPT_WHATEVER_LIVES + 1
    assert server.clock[server.number] == 1


def chain(clocks: Clocks, length: int) -> int:
    """The size of the last clock, where each actor begins the next one, and ends."""
    clock = EMPTY
    for _ in range(length):
        actor = Actor(clock=clock)
        clocks.tick(actor)
        clock = clocks.release(actor)
    return len(clock)


def test_the_clock_of_a_chain_stays_small() -> None:
    """A job that schedules the next one, and ends, as by `call_later`, hands on nothing of the dead."""
    assert chain(Clocks(), 200) <= KEPT_WHATEVER_LIVES + 1


def test_who_dies_has_no_component() -> None:
    """An actor counts as long as somebody knows it, as those do who remember its accesses."""
    clocks, actor = Clocks(), Actor()
    clocks.tick(actor)
    remembered = actor
    del actor
    assert list(clocks.live) == [remembered.number]

    del remembered

    assert clocks.live == {}


def test_numbers_of_the_dead_are_not_given_again() -> None:
    """What is remembered of one actor never counts for another."""
    clocks, actor = Clocks(), Actor()
    clocks.tick(actor)
    clock, number = clocks.release(actor), actor.number
    del actor

    other = Actor()
    clocks.tick(other)

    assert other.number not in {number, *clock}


def test_what_is_forgotten_does_not_count() -> None:
    """Who lives on is as if it had accessed nothing, and gets a number that nobody knows with its next access."""
    clocks, actor, other = Clocks(), Actor(), Actor()
    clocks.tick(actor)
    clocks.tick(actor)
    number, released = actor.number, clocks.release(actor)

    clocks.forget()

    assert clocks.live == {}
    assert [actor.number, actor.time, actor.clock] == [0, 0, EMPTY]
    clocks.acquire(other, released)
    assert clocks.tick(actor) == 1
    assert actor.number != number
    assert not clocks.before(actor.number, 1, other)
    assert list(clocks.live) == [actor.number]


def test_who_dies_after_it_was_forgotten() -> None:
    """It takes nobody else's number with it."""
    clocks, forgotten, other = Clocks(), Actor(), Actor()
    clocks.tick(forgotten)
    number = forgotten.number
    clocks.forget()
    other.take_part(clocks.live, number)

    del forgotten

    assert list(clocks.live) == [number]


# -- mutexes ----------------------------------------------------------------------------------------------------


def held(actor: Actor) -> set[object]:
    return set(actor.mutexes())


def test_a_mutex_is_held_until_it_is_let_go() -> None:
    """Each is held by whoever took it, and by nobody else; at the end nothing is left."""
    clocks, actor, other = Clocks(), Actor(), Actor()
    one, two = clocks.hold(actor, "one"), clocks.hold(actor, "two")
    assert [held(actor), held(other)] == [{"one", "two"}, set()]

    clocks.let_go(one)
    assert held(actor) == {"two"}

    clocks.let_go(two)
    assert actor.mutexes() is NO_LOCKS
    assert NO_LOCKS == {}


def test_what_was_held_before_is_another_episode() -> None:
    """What is remembered of an access keeps its episodes; letting an old one go does not end a new one."""
    clocks, actor = Clocks(), Actor()
    first = clocks.hold(actor, "mutex")
    remembered = actor.mutexes()
    clocks.let_go(first)
    second = clocks.hold(actor, "mutex")
    clocks.let_go(first)

    assert actor.mutexes() == {"mutex": second}
    assert remembered == {"mutex": first}
    assert [first.active, second.active] == [False, True]


def test_a_child_inherits_what_is_held() -> None:
    """By its parent and by theirs, since before it was created, and as long as they hold it."""
    clocks, parent = Clocks(), Actor()
    early = clocks.hold(parent, "early")
    child = Actor(parent)
    clocks.hold(parent, "late")
    clocks.hold(child, "own")
    grandchild = Actor(child)
    assert [held(child), held(grandchild)] == [{"early", "own"}, {"early", "own"}]

    clocks.let_go(early)

    assert [held(parent), held(child), held(grandchild)] == [{"late"}, {"own"}, {"own"}]
    assert held(Actor(grandchild)) == {"own"}


def test_an_inherited_mutex_is_the_same_episode() -> None:
    """Siblings hold their parent's mutex together; one that takes it itself holds it in an episode of its own."""
    clocks, parent = Clocks(), Actor()
    episode = clocks.hold(parent, "mutex")
    one, other = Actor(parent), Actor(parent)

    own = clocks.hold(other, "mutex")

    assert one.mutexes()["mutex"] is episode
    assert other.mutexes()["mutex"] is own
    clocks.let_go(own)
    assert other.mutexes()["mutex"] is episode


def test_children_of_who_holds_nothing_inherit_nothing() -> None:
    """Also those created after everything was let go: nothing is kept of it."""
    clocks, parent = Clocks(), Actor()
    clocks.let_go(clocks.hold(parent, "mutex"))

    child = Actor(parent)

    assert child.inherited == ()
    assert child.mutexes() is NO_LOCKS


@law
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20))
def test_holding_and_letting_go_in_any_order(program: list[tuple[str, bool]]) -> None:
    """What is held is what was taken last and not let go."""
    clocks, actor = Clocks(), Actor()
    expected: dict[object, object] = {}
    for mutex, takes in program:
        if takes:
            expected[mutex] = clocks.hold(actor, mutex)
        elif mutex in actor.holdings:
            clocks.let_go(actor.holdings[mutex])
            del expected[mutex]

    mutexes: Mapping[object, object] = actor.mutexes()
    assert mutexes == expected
    assert all(episode.active for episode in actor.holdings.values())


# -- ancestors --------------------------------------------------------------------------------------------------


def line(length: int) -> list[Actor]:
    """Actors of which each created the next."""
    actors = [Actor(name="0")]
    while len(actors) < length:
        actors.append(Actor(actors[-1], name=str(len(actors))))
    return actors


def test_who_descends_from_whom() -> None:
    """Children, and theirs; not itself, and not the other way round."""
    first, second, third = line(3)

    assert second.descends_from(first)
    assert third.descends_from(first)
    assert not first.descends_from(first)
    assert not first.descends_from(third)
    assert not third.descends_from(Actor(second))


def test_the_first_that_is_alive() -> None:
    """Itself, or the nearest ancestor that is at work; nobody, if all are done."""
    first, second, third = line(3)
    alive = [third.first_alive()]
    for each in (third, second, first):
        each.ended = True
        alive.append(third.first_alive())

    assert alive == [third, second, first, None]


def test_chains_of_the_done_are_short() -> None:
    """Whoever creates the next one and ends is skipped, so that all of them are freed, but for the first."""
    actor = root = Actor(name="root")
    lengths = set()
    for number in range(50):
        actor.ended = number > 0
        actor = Actor(actor, name=str(number))
        current, length = actor, 0
        while current.parent is not None:
            current, length = current.parent, length + 1
        lengths.add(length)

    assert max(lengths) <= 2
    assert actor.descends_from(root)


def test_who_skips_the_done_was_born_as_they_were() -> None:
    """As far as the remaining ancestor is concerned: what it did since then does not contain them."""
    root, middle, last = line(3)
    root.born, middle.born, last.born = 1, 2, 3
    middle.ended = True

    Actor(last)

    assert last.parent is root
    assert last.born == 2


@pytest.mark.parametrize("blind", [True, False])
def test_children_of_the_blind_are_blind(blind: bool) -> None:
    """Of whose order nothing can be said, nothing can be said of its children's."""
    parent = Actor()
    parent.blind = blind

    assert Actor(parent).blind is blind
