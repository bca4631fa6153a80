"""The short ways of ownership say what its definition says, whatever three actors do to one object."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evidence import RaceKind
from harness.sanitizer.clocks import Actor, Clocks, Holding
from harness.sanitizer.ownership import AccessKind, Shadow, Use
from tests.sanitizer.shadows import enter, leave

STAGING, AWAITED, BOUNDARY = AccessKind
MAY_MEET = {(STAGING, STAGING)}
"""The definition's: only what never gives way to another task may."""
REMEMBERED_BEFORE_COMPACTING = 64

kinds = pytest.mark.parametrize(("one", "other"), list(itertools.product(AccessKind, repeat=2)))
either_way = pytest.mark.parametrize("is_shared", [False, True], ids=["fast", "slow"])


@dataclass(eq=False)
class Past:
    """One use, with all that the definition asks for."""

    actor: Actor
    kind: AccessKind
    began: int
    mutexes: Mapping[object, Holding]
    time: int = 0


@dataclass
class Both:
    """One object with two shadows, one of which was shared from the beginning; and all that was ever done with it."""

    clocks: Clocks = field(default_factory=Clocks)
    shadows: tuple[Shadow, Shadow] = field(default_factory=lambda: (Shadow(), Shadow()))
    actors: list[Actor] = field(default_factory=lambda: [Actor(), Actor(), Actor()])
    past: list[Past] = field(default_factory=list)
    writes: dict[Actor, Past] = field(default_factory=dict)
    flying: dict[Actor, Past] = field(default_factory=dict)
    created: dict[Actor, tuple[Actor, int]] = field(default_factory=dict)
    messages: list[Any] = field(default_factory=list)
    held: dict[int, Holding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shadows[1].hand_over()

    # -- what an actor can do

    def begin(self, actor: Actor, number: int) -> None:
        if actor in self.flying:
            return
        use: Use = (AccessKind(number % 3 + 1), "use", (), None, self.clocks.moment())
        now = Past(actor, use[0], use[4], actor.mutexes())
        overlapping = {each.began for each in self.flying.values() if self.overlaps(each, now)}
        unordered = {each.began for each in self.past if each.time and self.is_unordered(each, now)}
        for shadow in self.shadows:
            found = enter(shadow, actor, use)
            assert all(each.second.use is use for each in found)
            assert {each.first.began for each in found if each.kind is RaceKind.OVERLAP} == overlapping
            predicted = {each.first.began for each in found if each.kind is RaceKind.UNORDERED}
            assert predicted <= unordered
            assert overlapping or bool(predicted) == bool(unordered)
        self.flying[actor] = now
        self.past.append(now)

    def end(self, actor: Actor, number: int) -> None:
        if actor in self.flying:
            self.clocks.tick(actor)
            for shadow in self.shadows:
                leave(shadow, actor)
            self.flying.pop(actor).time = actor.time

    def write(self, actor: Actor, number: int) -> None:
        if actor in self.flying:
            for shadow in self.shadows:
                shadow.wrote(actor)
            self.writes[actor] = self.flying[actor]

    def decide(self, actor: Actor, number: int) -> None:
        if actor in self.flying:
            covered = {
                author.number or id(author) for author, write in self.writes.items() if self.bleeds(write, actor)
            }
            for shadow in self.shadows:
                authors = [each.first.actor for each in shadow.decide(actor)]
                assert {author.number or id(author) for author in authors} == covered
            self.writes.clear()

    def use(self, actor: Actor, number: int) -> None:
        self.begin(actor, number)
        if number % 2:
            self.write(actor, number)
        self.end(actor, number)

    def order(self, actor: Actor, number: int) -> None:
        self.tell(actor, number)
        self.clocks.acquire(self.actors[number % len(self.actors)], self.messages[-1])

    def tell(self, actor: Actor, number: int) -> None:
        self.messages.append(self.clocks.release(actor))

    def hear(self, actor: Actor, number: int) -> None:
        if self.messages:
            self.clocks.acquire(actor, self.messages[number % len(self.messages)])

    def create(self, actor: Actor, number: int) -> None:
        if len(self.actors) < 7:
            child = Actor(actor, clock=self.clocks.release(actor))
            child.born = self.clocks.moment()
            self.created[child] = (actor, child.born)
            self.actors.append(child)

    def finish(self, actor: Actor, number: int) -> None:
        if actor not in self.flying and actor not in self.actors[:2]:
            actor.ended = True
            for mutex, holding in list(self.held.items()):
                if holding.actor is actor:
                    self.clocks.let_go(self.held.pop(mutex))

    def lock(self, actor: Actor, number: int) -> None:
        if (mutex := number % 2) not in self.held:
            self.held[mutex] = self.clocks.hold(actor, mutex)

    def unlock(self, actor: Actor, number: int) -> None:
        if (holding := self.held.get(number % 2)) is not None and holding.actor is actor:
            self.clocks.let_go(self.held.pop(number % 2))

    # -- the definition

    def line(self, actor: Actor) -> list[tuple[Actor, int]]:
        """Its ancestors, each with the moment when it created the next one in the line down."""
        found = []
        while actor in self.created:
            found.append(self.created[actor])
            actor = found[-1][0]
        return found

    def contains(self, one: Past, actor: Actor) -> bool:
        return any(each is one.actor and moment > one.began for each, moment in self.line(actor))

    def overlaps(self, one: Past, now: Past) -> bool:
        return (one.kind, now.kind) not in MAY_MEET and not self.contains(one, now.actor)

    def is_ordered(self, one: Past, actor: Actor) -> bool:
        return one.actor is actor or (one.time > 0 and Clocks.before(one.actor.number, one.time, actor))

    def is_unordered(self, one: Past, now: Past) -> bool:
        apart = any(each in now.mutexes and now.mutexes[each] is not held for each, held in one.mutexes.items())
        return (one.kind, now.kind) not in MAY_MEET and not apart and not self.is_ordered(one, now.actor)

    def bleeds(self, write: Past, actor: Actor) -> bool:
        authors = [write.actor, *(each for each, _ in self.line(write.actor))]
        responsible = next((each for each in authors if not each.ended), None)
        own = [actor, *(each for each, _ in self.line(actor))]
        is_own = any(each is responsible for each in own)
        return (
            responsible is not None
            and not is_own
            and not self.is_ordered(write, actor)
            and not self.contains(write, actor)
        )


STEPS: dict[str, Callable[[Both, Actor, int], None]] = {
    "begin": Both.begin,
    "end": Both.end,
    "write": Both.write,
    "decide": Both.decide,
    "use": Both.use,
    "order": Both.order,
    "tell": Both.tell,
    "hear": Both.hear,
    "create": Both.create,
    "finish": Both.finish,
    "lock": Both.lock,
    "unlock": Both.unlock,
}
OFTEN = ("begin", "end", "end", "use", "use", "order", "order")
steps = st.tuples(st.sampled_from((*STEPS, *OFTEN)), st.integers(0, 6), st.integers(0, 11))


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.lists(steps, min_size=5, max_size=60))
def test_the_short_ways_say_what_the_definition_says(program: list[tuple[str, int, int]]) -> None:
    """Of what actors do in any order: the owner's fast path, taking over, and what stands for what came before it.

    A shadow may name fewer of the pairs that race, but says of each use whether it races with any, and names every
    overlap; and it says the same of the transaction whether it was shared from the beginning or not.
    """
    both = Both()
    for step, who, number in program:
        actor = both.actors[who % len(both.actors)]
        if not actor.ended:
            STEPS[step](both, actor, number)
