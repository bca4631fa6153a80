"""Ownership: what may meet on one object, and what is remembered of it."""

import itertools
from dataclasses import dataclass, field

import pytest

from harness.evidence import RaceKind
from harness.sanitizer.clocks import Actor, Clocks
from harness.sanitizer.ownership import Access, AccessKind, Conflict, Shadow, Use, Work, conflicting
from tests.sanitizer.shadows import enter, leave

STAGING, AWAITED, BOUNDARY = AccessKind
MAY_MEET = {(STAGING, STAGING)}
"""The definition's: only what never gives way to another task may."""
REMEMBERED_BEFORE_COMPACTING = 64

kinds = pytest.mark.parametrize(("one", "other"), list(itertools.product(AccessKind, repeat=2)))
either_way = pytest.mark.parametrize("is_shared", [False, True], ids=["fast", "slow"])


@dataclass
class Desk:
    """One object, and actors that use it as the hooks let them."""

    clocks: Clocks = field(default_factory=Clocks)
    shadow: Shadow = field(default_factory=Shadow)

    def actor(self, parent: Actor | None = None, name: str = "") -> Actor:
        actor = Actor(parent, name=name) if parent is None else Actor(parent, name=name, clock=Clocks.release(parent))
        actor.born = self.clocks.moment()
        return actor

    def use(self, kind: AccessKind, place: str = "") -> Use:
        return kind, "use", (place,), None, self.clocks.moment()

    def begin(self, actor: Actor, kind: AccessKind, place: str = "") -> list[Conflict]:
        return enter(self.shadow, actor, self.use(kind, place))

    def end(self, actor: Actor) -> None:
        self.clocks.tick(actor)
        leave(self.shadow, actor)

    def whole(self, actor: Actor, kind: AccessKind, place: str = "") -> list[Conflict]:
        found = self.begin(actor, kind, place)
        self.end(actor)
        return found

    def write(self, actor: Actor) -> None:
        self.begin(actor, STAGING)
        self.shadow.wrote(actor)
        self.end(actor)

    def decide(self, actor: Actor, *, since: int = 0) -> list[Conflict]:
        self.begin(actor, BOUNDARY)
        found = self.shadow.decide(actor, since=since)
        self.end(actor)
        return found

    def order(self, before: Actor, after: Actor) -> None:
        self.clocks.acquire(after, self.clocks.release(before))


def desk(*, is_shared: bool) -> Desk:
    """One whose object has been used by several before, or not."""
    made = Desk()
    if is_shared:
        made.shadow.hand_over()
    return made


def told(conflicts: list[Conflict]) -> list[tuple[str, str, str]]:
    return [(str(each.kind), each.first.actor.name, each.second.actor.name) for each in conflicts]


def race(kind: RaceKind) -> list[tuple[str, str, str]]:
    return [(str(kind), "a", "b")]


# -- the table --------------------------------------------------------------------------------------------------


@kinds
def test_all_kinds_conflict_but_staging_with_staging(one: AccessKind, other: AccessKind) -> None:
    """Whichever comes first."""
    assert conflicting(one, other) is ((one, other) not in MAY_MEET)


@either_way
@kinds
def test_who_begins_while_another_is_in_flight_overlaps(one: AccessKind, other: AccessKind, is_shared: bool) -> None:
    """A proof, of those that conflict."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    assert room.begin(a, one) == []

    assert told(room.begin(b, other)) == (race(RaceKind.OVERLAP) if (one, other) not in MAY_MEET else [])


@either_way
@kinds
def test_who_begins_after_another_that_nothing_orders(one: AccessKind, other: AccessKind, is_shared: bool) -> None:
    """Is a prediction."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.whole(a, one)

    assert told(room.begin(b, other)) == (race(RaceKind.UNORDERED) if (one, other) not in MAY_MEET else [])


@either_way
@kinds
def test_who_begins_after_another_that_told_it(one: AccessKind, other: AccessKind, is_shared: bool) -> None:
    """May do anything, and so may the first afterwards, if it was told as well."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.whole(a, one)
    room.order(a, b)
    found = room.whole(b, other)
    room.order(b, a)

    assert found + room.whole(a, one) == []


@either_way
@kinds
def test_order_is_no_excuse_for_an_overlap(one: AccessKind, other: AccessKind, is_shared: bool) -> None:
    """Neither is a mutex: one begun while the other is in flight is a race whatever else holds."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.clocks.hold(a, "mutex")
    room.clocks.hold(b, "mutex")
    room.begin(a, one)
    room.order(a, b)

    assert told(room.begin(b, other)) == (race(RaceKind.OVERLAP) if (one, other) not in MAY_MEET else [])


@either_way
def test_an_actor_does_not_race_with_itself(is_shared: bool) -> None:
    """Whatever it does, one after another."""
    room = desk(is_shared=is_shared)
    a = room.actor()

    assert [room.whole(a, kind) for kind in (*AccessKind, *reversed(AccessKind))] == [[]] * 6


@either_way
@pytest.mark.parametrize("kind", [AWAITED, BOUNDARY])
def test_what_only_staged_later_hides_nothing(kind: AccessKind, is_shared: bool) -> None:
    """Who knows of the later one knows of both, and who stages races with the earlier one only."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.whole(a, kind)
    room.order(a, b)
    room.whole(a, STAGING)

    assert told(room.whole(c, STAGING)) == [("unordered", "a", "c")]
    room.order(c, b)
    assert told(room.begin(b, AWAITED)) == race(RaceKind.UNORDERED)


@either_way
def test_what_staged_later_than_what_is_known(is_shared: bool) -> None:
    """To know what was awaited is not to know what was staged since."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.whole(a, AWAITED)
    room.order(a, b)
    room.whole(a, STAGING)

    assert told(room.begin(b, AWAITED)) == race(RaceKind.UNORDERED)


@either_way
def test_an_overlap_with_a_later_use_than_what_is_known(is_shared: bool) -> None:
    """To know all that has ended is not to know what is in flight."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.whole(a, AWAITED)
    room.order(a, b)
    room.begin(a, AWAITED)

    assert told(room.begin(b, AWAITED)) == race(RaceKind.OVERLAP)


def test_a_conflict_names_its_accesses() -> None:
    """With what was called, from where, and on which object."""
    room = Desk()
    a, b = room.actor(), room.actor()
    first: Use = (AWAITED, "Session.flush", ("here",), "tool", 1)
    second: Use = (BOUNDARY, "Session.commit", ("there",), None, 2)
    enter(room.shadow, a, first)

    (conflict,) = enter(room.shadow, b, second)

    assert conflict.shadow is room.shadow
    assert [conflict.first.use, conflict.second.use] == [first, second]
    assert [conflict.first.operation, conflict.second.operation] == ["Session.flush", "Session.commit"]
    assert [conflict.first.stack, conflict.second.stack] == [("here",), ("there",)]


# -- mutexes ----------------------------------------------------------------------------------------------------


@either_way
def test_a_common_mutex_keeps_apart(is_shared: bool) -> None:
    """If both held it, each in an episode of its own; one of two is enough, and another one is not."""
    room = desk(is_shared=is_shared)
    found = []
    for name, mutexes in (("a", "x"), ("b", "xy"), ("c", "y"), ("d", "z")):
        actor = room.actor(name=name)
        held = [room.clocks.hold(actor, mutex) for mutex in mutexes]
        found.append([first for _, first, _ in told(room.whole(actor, AWAITED))])
        for holding in held:
            room.clocks.let_go(holding)

    assert found == [[], [], ["a"], ["a", "b", "c"]]


@either_way
def test_who_holds_no_mutex_is_not_kept_apart(is_shared: bool) -> None:
    """Whichever of the two it is."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.whole(a, AWAITED)
    room.clocks.hold(b, "mutex")

    assert told(room.whole(b, AWAITED)) == race(RaceKind.UNORDERED)
    assert [first for _, first, _ in told(room.whole(c, AWAITED))] == ["a", "b"]


def test_a_mutex_that_a_parent_holds_keeps_its_children_from_others_only() -> None:
    """Within one episode it keeps nobody apart."""
    room = Desk()
    parent, stranger = room.actor(name="parent"), room.actor(name="stranger")
    episode = room.clocks.hold(parent, "mutex")
    a, b = room.actor(parent, "a"), room.actor(parent, "b")
    room.whole(a, AWAITED)
    assert told(room.whole(b, AWAITED)) == race(RaceKind.UNORDERED)

    room.clocks.let_go(episode)
    room.clocks.hold(stranger, "mutex")

    assert room.whole(stranger, AWAITED) == []


def test_an_access_guarded_by_more_stands_for_none_before() -> None:
    """Though it follows: who holds the mutex races with the first, and not with the second."""
    room = Desk()
    a, b, c = (room.actor(name=name) for name in "abc")
    room.whole(a, AWAITED)
    room.order(a, b)
    holding = room.clocks.hold(b, "mutex")
    room.whole(b, AWAITED)
    room.clocks.let_go(holding)
    room.clocks.hold(c, "mutex")

    assert told(room.begin(c, AWAITED)) == [("unordered", "a", "c")]


@either_way
def test_a_weaker_access_stands_for_none_before(is_shared: bool) -> None:
    """Though it follows: who stages races with what was awaited, and not with what was staged."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.whole(a, AWAITED)
    room.order(a, b)
    room.whole(b, STAGING)

    assert told(room.begin(c, STAGING)) == [("unordered", "a", "c")]


# -- ancestors and descendants ----------------------------------------------------------------------------------


@either_way
def test_who_was_created_within_an_access_works_for_it(is_shared: bool) -> None:
    """Children, and theirs, may use the object while the parent waits for them; others may not."""
    room = desk(is_shared=is_shared)
    before = room.actor(parent := room.actor(name="a"), "b")
    room.begin(parent, AWAITED)
    child = room.actor(parent)
    grandchild = room.actor(child)

    assert room.whole(child, BOUNDARY) == []
    room.order(child, grandchild)
    assert room.whole(grandchild, BOUNDARY) == []
    room.order(grandchild, before)
    assert told(room.begin(before, STAGING)) == race(RaceKind.OVERLAP)


def test_a_parent_in_the_middle_of_its_child_s_access_overlaps() -> None:
    """The child does not contain its parent."""
    room = Desk()
    parent = room.actor(name="b")
    child = room.actor(parent, "a")
    room.begin(child, AWAITED)

    assert told(room.begin(parent, AWAITED)) == race(RaceKind.OVERLAP)


def test_children_who_work_for_one_access_overlap_each_other() -> None:
    """They have no access of their parent's to themselves."""
    room = Desk()
    parent = room.actor()
    room.begin(parent, AWAITED)
    a, b = room.actor(parent, "a"), room.actor(parent, "b")
    room.begin(a, AWAITED)

    assert told(room.begin(b, AWAITED)) == race(RaceKind.OVERLAP)


# -- actors whose order is not known ----------------------------------------------------------------------------


@either_way
def test_opaque_actors_are_compared_while_they_live(is_shared: bool) -> None:
    """Nobody can tell who waited for their end."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    a.opaque = True
    room.whole(a, AWAITED)
    assert told(room.whole(b, AWAITED)) == race(RaceKind.UNORDERED)
    room.order(b, c)

    a.ended = True

    assert room.whole(c, AWAITED) == []


@pytest.mark.parametrize("blind", [0, 1])
def test_blind_actors_race_by_overlap_only(blind: int) -> None:
    """Whichever of the two it is."""
    room = Desk()
    actors = [room.actor(name=name) for name in "ab"]
    actors[blind].blind = True
    room.whole(actors[0], AWAITED)
    assert room.whole(actors[1], AWAITED) == []

    room.begin(actors[0], AWAITED)

    assert told(room.begin(actors[1], AWAITED)) == race(RaceKind.OVERLAP)


@pytest.mark.parametrize("is_asynchronous", [True, False])
@pytest.mark.parametrize(("loop", "kind"), [("other loop", RaceKind.FOREIGN_LOOP), (None, RaceKind.FOREIGN_THREAD)])
def test_an_object_stays_in_its_loop(loop: str | None, kind: RaceKind, is_asynchronous: bool) -> None:
    """Though all is ordered, unless it is a synchronous one, or holds nothing of the loop any more."""
    room = Desk(shadow=Shadow(is_asynchronous=lambda: is_asynchronous))
    a, b, later = (room.actor(name=name) for name in ("a", "b", "later"))
    a.loop, b.loop = "loop", loop
    room.whole(a, AWAITED)
    room.order(a, b)
    found = told(room.whole(b, AWAITED))
    room.shadow.leave_home()
    room.order(b, later)
    later.loop = loop

    assert found == (race(kind) if is_asynchronous else [])
    assert room.whole(later, AWAITED) == []


# -- transactions -----------------------------------------------------------------------------------------------


@either_way
def test_a_transaction_with_writes_of_another_bleeds(is_shared: bool) -> None:
    """Also behind a mutex, which keeps the statements apart; what was decided once is not decided again."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    for actor in (a, b):
        holding = room.clocks.hold(actor, "mutex")
        room.write(actor)
        room.clocks.let_go(holding)
    room.clocks.hold(b, "mutex")
    assert told(room.decide(b)) == race(RaceKind.BLEED)

    assert room.decide(b) == []


@either_way
def test_own_writes_do_not_bleed(is_shared: bool) -> None:
    """The usual case: nothing is left for the next one to decide about."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(), room.actor()
    room.write(a)
    found = room.decide(a)
    room.order(a, b)

    assert found + room.decide(b) == []


@either_way
def test_reads_do_not_bleed(is_shared: bool) -> None:
    """Only what the end of the transaction decides about."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(), room.actor()
    room.whole(a, AWAITED)

    assert [str(each.kind) for each in room.decide(b)] == []


@either_way
def test_writes_that_were_handed_over_do_not_bleed(is_shared: bool) -> None:
    """Who was told of them may decide; who was told before the last one may not."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.write(a)
    room.order(a, b)
    assert room.decide(b) == []
    room.order(b, a)
    room.write(a)
    room.order(a, b)
    room.write(a)

    assert told(room.decide(b)) == race(RaceKind.BLEED)


@either_way
def test_reads_after_a_write_change_nothing(is_shared: bool) -> None:
    """Who was told of it decides, and who was not does not, whoever has used the object meanwhile."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.write(a)
    room.whole(a, AWAITED)
    room.order(a, b)
    room.whole(b, AWAITED)
    assert told(room.decide(c)) == [("bleed", "a", "c")]

    room.write(a)
    room.whole(a, AWAITED)
    room.order(a, b)

    assert room.decide(b) == []


@either_way
def test_a_write_and_a_read_are_handed_over_together(is_shared: bool) -> None:
    """The last use is not the write, and it was told of all the same."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(), room.actor()
    room.begin(a, AWAITED)
    room.shadow.wrote(a)
    room.end(a)
    room.whole(a, BOUNDARY)
    room.order(a, b)

    assert room.decide(b) == []


@either_way
def test_writes_in_flight_bleed(is_shared: bool) -> None:
    """Beside that they overlap."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.begin(a, AWAITED)
    room.shadow.wrote(a)

    assert told(room.begin(b, BOUNDARY)) == race(RaceKind.OVERLAP)
    assert told(room.shadow.decide(b)) == race(RaceKind.BLEED)


def family(room: Desk) -> dict[str, Actor]:
    """A parent, two children, and a child of the first of them, all unordered from then on."""
    parent = room.actor(name="parent")
    child = room.actor(parent, "child")
    return {
        "parent": parent,
        "child": child,
        "grandchild": room.actor(child, "grandchild"),
        "sibling": room.actor(parent, "sibling"),
    }


@pytest.mark.parametrize(
    ("writer", "decider", "done", "bleeds"),
    [
        ("parent", "child", "", False),
        ("parent", "grandchild", "", False),
        ("child", "parent", "", True),
        ("grandchild", "parent", "", True),
        ("child", "sibling", "", True),
        ("grandchild", "sibling", "", True),
        ("child", "parent", "child", False),
        ("grandchild", "parent", "grandchild", True),
        ("grandchild", "child", "grandchild", False),
        ("grandchild", "parent", "grandchild child", False),
        ("child", "sibling", "child", False),
        ("grandchild", "sibling", "grandchild", True),
        ("child", "sibling", "child parent", False),
    ],
)
def test_who_answers_for_whose_writes(writer: str, decider: str, done: str, bleeds: bool) -> None:
    """An ancestor's may be decided; of who is done, the nearest ancestor at work answers for what it left."""
    room = Desk()
    actors = family(room)
    room.write(actors[writer])
    for name in done.split():
        actors[name].ended = True

    assert told(room.decide(actors[decider])) == ([("bleed", writer, decider)] if bleeds else [])


def test_who_was_created_within_a_write_decides() -> None:
    """It works on behalf of it."""
    room = Desk()
    parent = room.actor()
    room.begin(parent, AWAITED)
    room.shadow.wrote(parent)
    child = room.actor(parent)
    room.write(child)

    assert room.decide(child) == []


@either_way
def test_a_savepoint_covers_what_came_after_it(is_shared: bool) -> None:
    """Only of that it decides, and what came before is left for the transaction's end."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.write(a)
    savepoint = room.clocks.moment()
    assert room.decide(b, since=savepoint) == []
    room.write(c)

    assert told(room.decide(b, since=savepoint)) == [("bleed", "c", "b")]
    assert told(room.decide(b)) == race(RaceKind.BLEED)


@either_way
@pytest.mark.parametrize("is_before", [True, False])
def test_a_savepoint_of_one_s_own_writes(is_before: bool, is_shared: bool) -> None:
    """What came after it is undone with it, and what came before stays."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    if is_before:
        room.write(a)
    savepoint = room.clocks.moment()
    room.write(a)
    room.decide(a, since=savepoint)

    assert told(room.decide(b)) == (race(RaceKind.BLEED) if is_before else [])


@either_way
def test_a_savepoint_between_two_writes_of_another(is_shared: bool) -> None:
    """The second one bleeds into the savepoint, and the first is left for the transaction's end."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(name="a"), room.actor(name="b")
    room.write(a)
    savepoint = room.clocks.moment()
    room.write(a)
    bleeding = [told(room.decide(b, since=savepoint)), told(room.decide(b)), told(room.decide(b))]

    assert bleeding == [race(RaceKind.BLEED), race(RaceKind.BLEED), []]


def test_nobody_decides_without_an_access() -> None:
    """And nobody writes."""
    room = desk(is_shared=True)
    a, b = room.actor(), room.actor()
    room.shadow.wrote(b)
    room.write(a)

    assert room.shadow.decide(b) == []
    assert room.decide(a) == []


# -- starting afresh --------------------------------------------------------------------------------------------


@either_way
def test_what_is_forgotten_does_not_count(is_shared: bool) -> None:
    """Uses that ended, uses in flight, and writes; what was in flight may end afterwards."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.write(a)
    room.whole(b, AWAITED)
    room.begin(a, AWAITED)
    flying = room.shadow.flying_of(a)
    assert flying is not None

    room.shadow.forget()

    assert [room.whole(c, AWAITED), room.decide(c)] == [[], []]
    room.shadow.end(flying)
    assert room.whole(c, AWAITED) == []


@either_way
def test_what_is_handed_over_counts_only_in_flight(is_shared: bool) -> None:
    """Uses that ended and writes are the new owner's business."""
    room = desk(is_shared=is_shared)
    a, b, c = (room.actor(name=name) for name in "abc")
    room.write(a)
    room.whole(a, AWAITED)
    room.shadow.hand_over()
    assert [room.whole(b, AWAITED), room.decide(b)] == [[], []]

    room.begin(b, AWAITED)
    room.shadow.hand_over()

    assert told(room.begin(c, AWAITED)) == [("overlap", "b", "c")]


@either_way
def test_who_uses_the_object_now(is_shared: bool) -> None:
    """From the beginning to the end, and nobody else."""
    room = desk(is_shared=is_shared)
    a, b = room.actor(), room.actor()
    seen = [room.shadow.is_used_by(a)]
    room.begin(a, AWAITED)
    seen += [room.shadow.is_used_by(a), room.shadow.is_used_by(b)]
    room.end(a)
    seen += [room.shadow.is_used_by(a), room.shadow.flying_of(a) is not None]

    assert seen == [False, True, False, False, False]


# -- memory -----------------------------------------------------------------------------------------------------


def remembered(shadow: Shadow) -> int:
    return len(shadow.flying) + len(shadow.settled) + sum(each is not None for each in (shadow.last, shadow.staged))


@pytest.mark.parametrize("is_done", [True, False])
def test_a_shadow_remembers_as_many_uses_as_there_are_live_actors(is_done: bool) -> None:
    """Of those that are done, the last one at each place stands for all; of the living none is lost."""
    room = desk(is_shared=True)
    places, count = 3, 60
    actors = [room.actor(name=str(number)) for number in range(count)]
    for number, actor in enumerate(actors):
        room.whole(actor, AWAITED, f"place {number % places}")
        actor.ended = is_done
    found = room.begin(room.actor(), BOUNDARY, "last")

    assert remembered(room.shadow) <= (REMEMBERED_BEFORE_COMPACTING if is_done else count) + 1
    assert {each.first.stack for each in found} == {(f"place {number}",) for number in range(places)}
    assert is_done or len(found) == count


@pytest.mark.parametrize(
    ("kind", "operation", "place", "mutex"),
    [
        (STAGING, "use", "here", False),
        (AWAITED, "another use", "here", False),
        (AWAITED, "use", "there", False),
        (AWAITED, "use", "here", True),
    ],
    ids=["kind", "operation", "place", "mutexes"],
)
def test_what_differs_in_anything_is_not_forgotten(kind: AccessKind, operation: str, place: str, mutex: bool) -> None:
    """However many others come after it: of what is done, only the same stands for the same."""
    room = desk(is_shared=True)
    first = room.actor()
    if mutex:
        room.clocks.hold(first, "mutex")
    enter(room.shadow, first, use := (kind, operation, (place,), None, room.clocks.moment()))
    room.end(first)
    first.ended = True
    for _ in range(60):
        actor = room.actor()
        room.whole(actor, AWAITED, "here")
        actor.ended = True

    found = room.begin(room.actor(), AWAITED)
    assert use in [each.first.use for each in found]
    assert remembered(room.shadow) <= REMEMBERED_BEFORE_COMPACTING + 1


def test_one_after_another_leaves_one_use() -> None:
    """A hundred tasks that each hand the object on, and one that uses it a hundred times."""
    for is_shared, same in itertools.product((True, False), repeat=2):
        room = desk(is_shared=is_shared)
        actor = room.actor()
        for _ in range(100):
            following = actor if same else room.actor()
            room.order(actor, following)
            assert room.whole(following, AWAITED) == []
            actor = following

        assert remembered(room.shadow) == 1


def test_writes_of_the_done_are_dropped() -> None:
    """Nobody answers for them any more; those of the living stay, and those that a living ancestor answers for."""
    work, room = Work(), Desk()
    alive = room.actor(name="alive")
    orphan_of_alive = room.actor(alive, "child of alive")
    orphan_of_alive.ended = True
    for author in (alive, orphan_of_alive):
        work.wrote(Access(author, room.use(AWAITED)))
    for _ in range(100):
        author = room.actor()
        author.ended = True
        work.wrote(Access(author, room.use(AWAITED)))

    assert len(work._writes) <= REMEMBERED_BEFORE_COMPACTING + 1
    assert {each.actor.name for each in work.end(room.actor())} == {"alive", "child of alive"}
    assert not work
