"""What the sanitizer says of programs written by chance, and what the definition says, found by brute force.

Problem: corpora hold the programs that somebody has thought of.

Mechanism: a Hypothesis state machine writes a program, step by step. At the end the program runs twice: once with a
session for each pair of access points, so that the sanitizer must answer for each pair as the definition does; and once
with one session for all, so that what the sanitizer has forgotten or summarised must not matter. Mutations of the
sanitizer show that the comparison can fail.

Guarantee: a program that fails is as small as Hypothesis can make it, and is shown with what happened in it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations, product
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from harness.errors import SessionRaceError
from harness.sanitizer import Caller, Watch, WatchMode, clocks, ownership, watch_sessions
from harness.sanitizer.hooks import futures, groups, primitives, queues, threads
from harness.sanitizer.ownership import Conflict
from harness.sanitizer.reports import Collector
from harness.sanitizer.runtime import Runtime, runtime
from tests.sanitizer.happens_before import Access, History
from tests.sanitizer.random_program import (
    BARRIERS,
    CALLBACKS,
    IS_EAGER_POSSIBLE,
    JOINS,
    LOCKS,
    POINTS,
    QUEUES,
    WIDTH,
    Act,
    Barriers,
    Callback,
    Cancel,
    CloseGroup,
    Conditions,
    DoneCallback,
    Events,
    Flight,
    FutureCallback,
    Futures,
    Join,
    JoinFirst,
    Locks,
    OpenGroup,
    Pause,
    Poll,
    Program,
    Queues,
    Script,
    Sessions,
    Signals,
    Spawn,
    Step,
    Thread,
    Touch,
    run,
)

Pairs = dict[tuple[int, int], set[str]]
"""Kinds of races, by the two access points."""


# -- the comparison ---------------------------------------------------------------------------------------------------


class PairWatch(Watch):
    """A watch that keeps every conflict by its access points, and merges none."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(WatchMode.COLLECT, attribute=lambda: Caller(tool_call_id=str(sessions.point)))
        self.pairs: Pairs = {}

    def report(self, conflict: Conflict) -> SessionRaceError | None:
        noted = Collector().add(conflict)
        assert noted is not None
        finding = noted.finding
        pair = (int(finding.first.tool_call_id or -1), int(finding.second.tool_call_id or -1))
        self.pairs.setdefault(pair, set()).add(str(finding.kind))
        return None


def said_by_sanitizer(program: Program, *, one_for_all: bool) -> tuple[Pairs, History]:
    """Run the program under a watch; returns what the watch was told of, and what happened."""
    sessions = Sessions(program.points, one_for_all=one_for_all)
    with PairWatch(sessions) as watch:
        history = run(program, sessions)
    assert watch.problems == ()

    return watch.pairs, history


def said_by_definition(history: History, *, one_for_all: bool) -> Pairs:
    """What races in what happened."""
    pairs: Pairs = {}
    for first, second in combinations(history.accesses, 2):
        found = {kind for kind in (history.races(first, second),) if kind is not None}
        if history.bleeds(first, second) and not (one_for_all and is_decided(history, first, second)):
            found.add("bleed")
        if found:
            pairs[first.point, second.point] = found
    return pairs


def is_decided(history: History, write: Access, end: Access) -> bool:
    """Whether the transaction with the write ended before that end."""
    return any(each.decides and write.began < each.began < end.began for each in history.accesses)


def firsts(pairs: Pairs, kinds: set[str]) -> dict[int, set[int]]:
    """For each second access point those of the first accesses."""
    found: dict[int, set[int]] = {}
    for (first, second), kind in pairs.items():
        if kinds & kind:
            found.setdefault(second, set()).add(first)
    return found


def is_summary(said: Pairs, meant: Pairs) -> bool:
    """Whether all that is said is true, and each access that races is said to, with one of those that it races with.

    One of these stands for others that happened before it. All that were in flight are said.
    """
    is_true = all(kinds <= meant.get(pair, set()) for pair, kinds in said.items())
    races, bleeds = {"overlap", "unordered"}, {"bleed"}
    is_enough = all(firsts(said, kinds).keys() == firsts(meant, kinds).keys() for kinds in (races, bleeds))
    return is_true and is_enough and firsts(said, {"overlap"}) == firsts(meant, {"overlap"})


def compare(program: Program) -> tuple[Pairs, History]:
    """Fail if the sanitizer and the definition disagree about the program; returns what both say, and what happened."""
    said, history = said_by_sanitizer(program, one_for_all=True)
    meant = said_by_definition(history, one_for_all=True)
    assert is_summary(said, meant), shown(program, history, said, meant)

    said, history = said_by_sanitizer(program, one_for_all=False)
    meant = said_by_definition(history, one_for_all=False)
    assert said == meant, shown(program, history, said, meant)
    return meant, history


def shown(program: Program, history: History, said: Pairs, meant: Pairs) -> str:
    """The disagreement, for whoever has to understand it."""
    pairs = [f"{pair}: the sanitizer says {said.get(pair)}, the definition {meant.get(pair)}" for pair in said | meant]
    return "\n".join([*pairs, str(program), *history.said])


# -- the generator ----------------------------------------------------------------------------------------------------

TASKS = 6

SYNCHRONOUS: dict[str, Callable[[int], Act]] = {
    "set future": lambda which: Futures(which, "set"),
    "set event": lambda which: Events(which, "set"),
    "see event": lambda which: Events(which, "is_set"),
    "put": lambda which: Queues(which, "put_nowait"),
    "get": lambda which: Queues(which, "get_nowait"),
    "signal": lambda _: Signals("release"),
}
"""What callbacks do, beside accesses."""

HALVES: dict[str, list[Step]] = {
    "barrier": [Barriers(parties) for parties in BARRIERS],
    "condition": [Conditions(what) for what in ("enter", "leave", "notify", "wait", "wait_for")],
    "event": [Events(which, what) for which, what in product(range(WIDTH), ("set", "wait", "is_set", "clear"))],
    "future": [Futures(which, what) for which, what in product(range(WIDTH), ("set", "await", "done"))],
    "lock": [Locks(kind, what) for kind, what in product(LOCKS, ("acquire", "release"))],
    "pause": [Pause(turns) for turns in (1, 2, 3)],
    "queue": [
        Queues(which, what)
        for which, what in product(range(QUEUES), ("put", "get", "put_nowait", "get_nowait", "task_done", "join"))
    ],
    "signal": [Signals("release"), Signals("acquire")],
}
"""What one task does with a primitive; another one has to do its part."""

HAND_OVERS: dict[str, list[tuple[list[Step], Step]]] = {
    "barrier": [([Barriers(2)], Barriers(2))],
    "condition": [([Conditions("notify")], Conditions("wait_for"))],
    "event": [([Events(which, "set")], Events(which, "wait")) for which in range(WIDTH)],
    "future": [([Futures(which, "set")], Futures(which, "await")) for which in range(WIDTH)],
    "queue": [
        ([Queues(which, each) for each in gives], Queues(which, takes))
        for gives, takes in ((["put"], "get"), (["put", "get", "task_done"], "join"), (["get"], "put"))
        for which in range(QUEUES)
    ],
    "signal": [([Signals("release")], Signals("acquire"))],
}
"""What two tasks do with a primitive, such that the one who takes goes on after the one who gives."""

Known = TypeVar("Known")

TASK = st.integers(0, TASKS - 1)
OTHER_TASK = st.integers(1, TASKS - 1)
OTHER_TASKS = st.lists(OTHER_TASK, min_size=1, max_size=3).map(tuple)
WHICH = st.integers(0, WIDTH - 1)
KINDS = st.sampled_from(["stage", "write", "ask", "decide"])
ACTS = st.lists(st.sampled_from(["stage", "write", "ask", "decide", *SYNCHRONOUS]), min_size=1, max_size=2)


class Programmer(RuleBasedStateMachine):
    """Writes a program step by step, with few kinds of primitives; at the end it is judged."""

    judge: Callable[[Program], object] = staticmethod(compare)

    def __init__(self) -> None:
        super().__init__()
        self.program = Program()
        self.palette: list[str] = sorted(HALVES)

    def write(self, task: int, *steps: Step | None) -> None:
        script = self.program.scripts[task % len(self.program.scripts)]
        script.steps.extend(step for step in steps if step is not None)

    def touch(self, kind: str | None) -> Touch | None:
        """An access at a point of its own, as long as there is room for one."""
        if kind is None or self.program.points == POINTS:
            return None
        self.program.points += 1
        return Touch(self.program.points - 1, kind)

    def of_palette(self, known: dict[str, list[Known]]) -> st.SearchStrategy[Known]:
        """One of what is known of the primitives of this program."""
        return st.sampled_from([each for name in self.palette if name in known for each in known[name]])

    def acts(self, kinds: Iterable[str], which: int) -> tuple[Act, ...]:
        """What a callback or a thread does."""
        made = [SYNCHRONOUS[kind](which) if kind in SYNCHRONOUS else self.touch(kind) for kind in kinds]
        return tuple(act for act in made if act is not None)

    @initialize(
        palette=st.sets(st.sampled_from(sorted(HALVES)), min_size=1, max_size=3), parents=st.lists(TASK, max_size=3)
    )
    def begin(self, palette: set[str], parents: list[int]) -> None:
        self.palette = sorted(palette)
        for parent in parents:
            self.spawn(parent, "create_task", None)

    # -- tasks ----------------------------------------------------------------------------------------------------

    @rule(task=TASK, how=st.sampled_from(["create_task", "ensure_future", "group"]), does=st.none() | KINDS)
    @precondition(lambda self: len(self.program.scripts) < TASKS)
    def spawn(self, task: int, how: str, does: str | None) -> None:
        number = len(self.program.scripts)
        self.write(task, Spawn(number, how))
        self.program.scripts.append(Script(number))
        self.write(number, self.touch(does))

    @rule(
        task=TASK,
        how=st.sampled_from(["group", "gather", "wait", "as_completed"]),
        lock=st.none() | st.sampled_from(LOCKS),
        kinds=st.tuples(KINDS, KINDS, KINDS),
    )
    @precondition(lambda self: len(self.program.scripts) < TASKS - 1)
    def fork_and_join(self, task: int, how: str, lock: str | None, kinds: tuple[str, str, str]) -> None:
        """A task creates two, and waits for them; it may hold a lock meanwhile."""
        numbers = (len(self.program.scripts), len(self.program.scripts) + 1)
        self.write(task, Locks(lock, "acquire") if lock else None, OpenGroup() if how == "group" else None)
        for kind in kinds[:2]:
            self.spawn(task, how, kind)
        self.write(task, CloseGroup() if how == "group" else Join(numbers, how), self.touch(kinds[2]))
        self.write(task, Locks(lock, "release") if lock else None)

    @rule(task=TASK, numbers=OTHER_TASKS, how=st.sampled_from([*JOINS, "first", "poll"]), does=st.none() | KINDS)
    def join(self, task: int, numbers: tuple[int, ...], how: str, does: str | None) -> None:
        others: dict[str, Step] = {"first": JoinFirst(numbers), "poll": Poll(numbers[0])}
        self.write(task, others.get(how, Join(numbers, how)), self.touch(does))

    @rule(task=TASK, number=OTHER_TASK, turns=st.integers(0, 3), data=st.data(), leaves=KINDS, does=st.none() | KINDS)
    def cancel(self, *, task: int, number: int, turns: int, data: st.DataObject, leaves: str, does: str | None) -> None:
        """One task stands somewhere, and another one cancels and joins it; it uses a session before it ends."""
        self.half(number, data)
        touch = self.touch(leaves)
        if touch is not None:
            self.program.scripts[number % len(self.program.scripts)].cleanup.append(touch)
        self.write(task, Pause(turns), self.touch(does), Cancel(number), Join((number,), "await"), self.touch(does))

    @rule(task=TASK, opens=st.booleans())
    def group(self, task: int, opens: bool) -> None:
        self.write(task, OpenGroup() if opens else CloseGroup())

    @rule()
    @precondition(lambda self: IS_EAGER_POSSIBLE and not self.program.is_eager)
    def eager(self) -> None:
        self.program.is_eager = True

    # -- accesses ---------------------------------------------------------------------------------------------------

    @rule(task=TASK, kinds=st.lists(KINDS, min_size=1, max_size=2))
    def access(self, task: int, kinds: list[str]) -> None:
        self.write(task, *map(self.touch, kinds))

    @rule(task=TASK, turns=st.integers(1, 3))
    def flight(self, task: int, turns: int) -> None:
        touch = self.touch("ask")
        self.write(task, touch and Flight(touch.point, turns))

    @rule(tasks=st.tuples(TASK, TASK), lock=st.sampled_from(LOCKS), kinds=st.tuples(KINDS, KINDS))
    def guarded_accesses(self, tasks: tuple[int, int], lock: str, kinds: tuple[str, str]) -> None:
        for task, kind in zip(tasks, kinds, strict=True):
            self.write(task, Locks(lock, "acquire"), self.touch(kind), Locks(lock, "release"))

    @rule(task=TASK, which=WHICH, acts=ACTS, how=st.sampled_from(CALLBACKS))
    def callback(self, task: int, which: int, acts: list[str], how: str) -> None:
        self.write(task, Callback(self.acts(acts, which), how))

    @rule(task=TASK, number=st.none() | OTHER_TASK, which=WHICH, acts=ACTS)
    def done_callback(self, task: int, number: int | None, which: int, acts: list[str]) -> None:
        does = self.acts(acts, which)
        self.write(task, FutureCallback(does, which) if number is None else DoneCallback(does, number))

    @rule(task=TASK, acts=st.lists(KINDS, max_size=2))
    def thread(self, task: int, acts: list[str]) -> None:
        self.write(task, Thread(self.acts(acts, 0)))

    # -- order --------------------------------------------------------------------------------------------------------

    @rule(task=TASK, data=st.data())
    def half(self, task: int, data: st.DataObject) -> None:
        self.write(task, data.draw(self.of_palette(HALVES)))

    @rule(giver=TASK, taker=TASK, data=st.data(), gives=KINDS, takes=KINDS)
    @precondition(lambda self: HAND_OVERS.keys() & self.palette)
    def hand_over(self, giver: int, taker: int, data: st.DataObject, gives: str, takes: str) -> None:
        give, take = data.draw(self.of_palette(HAND_OVERS))
        self.write(giver, self.touch(gives), *give)
        self.write(taker, take, self.touch(takes))

    @rule(tasks=st.lists(TASK, min_size=2, max_size=5), parties=st.sampled_from(BARRIERS), kind=KINDS)
    @precondition(lambda self: "barrier" in self.palette)
    def meet(self, tasks: list[int], parties: int, kind: str) -> None:
        for task in tasks:
            self.write(task, self.touch(kind), Barriers(parties), self.touch(kind))

    def teardown(self) -> None:
        self.judge(self.program)


def check(examples: int, judge: Callable[[Program], object] = compare, *, shrinks: bool = True) -> None:
    """Have programs written and judged; the outer watch only keeps the instruments in place."""
    machine = type("Programmer", (Programmer,), {"judge": staticmethod(judge)})
    options = settings(
        max_examples=examples,
        stateful_step_count=30,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with watch_sessions():
        run_state_machine_as_test(machine, settings=options)


# -- the tests --------------------------------------------------------------------------------------------------------

OFTEN_TOLD = frozenset(
    {
        "adds a callback to future",
        "adds a callback to task",
        "arrives at the barrier of",
        "ask at",
        "begins to ask at",
        "begins",
        "cancels task",
        "creates task",
        "decide at",
        "ends",
        "gives a signal",
        "hands work to a thread",
        "has acquired bounded semaphore of one",
        "has acquired lock",
        "has acquired semaphore of one",
        "has acquired semaphore of two",
        "has asked at",
        "has joined",
        "has left its group",
        "has put into queue",
        "has the thread's result",
        "is cancelled",
        "joins by await",
        "releases bounded semaphore of one",
        "releases lock",
        "releases semaphore of one",
        "schedules a callback by call_later",
        "schedules a callback by call_soon",
        "schedules a callback by call_soon_threadsafe",
        "sets event",
        "sets future",
        "stage at",
        "write at",
        *(["has begun task"] if IS_EAGER_POSSIBLE else []),
    }
)
"""What happens in a few hundred programs: with each seed that was tried, in more than twenty of 300."""

TOLD = OFTEN_TOLD | {
    "awaits future",
    "cancels its group",
    "clears event",
    "gets from queue",
    "has a signal",
    "has acquired condition",
    "has awaited future",
    "has done an item of queue",
    "has entered the condition",
    "has got from queue",
    "has joined queue",
    "has passed the barrier of",
    "has waited for event",
    "has waited for the condition",
    "joins by as_completed",
    "joins by gather",
    "joins by shield",
    "joins by timeout",
    "joins by wait",
    "joins by wait_for",
    "joins queue",
    "never begins",
    "notifies the condition",
    "puts into queue",
    "releases condition",
    "sees that are done",
    "sees that event is set",
    "sees that future is done",
    "sees that task is done",
    "waits for a signal",
    "waits for event",
    "waits for the condition",
    "waits for the first of",
}
"""What happens in thousands of programs: all that a step tells of."""

ANSWERS = ("overlap", "unordered", "ordered", "kept apart", "bleed")
"""What the definition says of two accesses."""


class Census:
    """Judges programs, and counts what happens in them."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()

    def __call__(self, program: Program) -> None:
        _, history = compare(program)
        self.told.update({re.sub(r"[\d, \[\]]+", " ", each.partition(": ")[2]).strip() for each in history.said})
        for one, other in combinations(history.accesses, 2):
            if one.actor is not other.actor and not (one.stages and other.stages):
                self.answers[history.races(one, other) or self._why_not(history, one, other)] += 1
            self.answers["bleed"] += history.bleeds(one, other)

    @staticmethod
    def _why_not(history: History, one: Access, other: Access) -> str:
        return "ordered" if one.ended is not None and history.is_before(one.ended, other.began) else "kept apart"


@pytest.mark.searching
def test_the_sanitizer_says_what_the_definition_says() -> None:
    """Of each pair of accesses in each program; and what is common happens in the programs."""
    census = Census()

    check(300, census)

    assert census.told.keys() >= OFTEN_TOLD, sorted(OFTEN_TOLD - census.told.keys())
    assert min(census.answers[each] for each in ANSWERS) >= 5, census.answers


@pytest.mark.repeated
@pytest.mark.timeout(1800)
def test_the_sanitizer_says_so_of_many_programs() -> None:
    """The same of 5000; and all that can happen in them does, and nothing else."""
    census = Census()

    check(5000, census)

    assert census.told.keys() == TOLD, sorted(census.told.keys() ^ TOLD)
    assert min(census.answers[each] for each in ANSWERS) >= 200, census.answers


# -- mutations of the sanitizer ---------------------------------------------------------------------------------------

Mutation = Callable[[pytest.MonkeyPatch], None]


def unhooked(hooks: dict[str, Any], name: str) -> Mutation:
    """The sanitizer with one hook less."""
    return lambda patch: patch.setitem(hooks, name, lambda original: original)


def replaced(owner: Any, name: str, replacement: Any) -> Mutation:
    """The sanitizer with another function in the place of one."""
    return lambda patch: patch.setattr(owner, name, replacement)


def nothing(*_: Any) -> None:
    """Do nothing."""


def orders(mutex: primitives.Mutex) -> None:
    """A release of a lock as a hand-over to whoever acquires it next."""
    if mutex.holding is not None:
        runtime.clocks.let_go(mutex.holding)
    mutex.signal = runtime.clocks.join(mutex.signal, runtime.release())


def one_place(mutex: primitives.Mutex, places: int | None) -> None:
    """Every semaphore of several places taken for a lock."""
    mutex.places, mutex.is_ignored = min(places or 1, 1), places is None
    mutex.holding, mutex.signal = None, clocks.EMPTY


def ticks_once(self: clocks.Clocks, actor: clocks.Actor) -> int:
    """One time for all accesses of an actor."""
    return actor.time or _tick(self, actor)


_tick = clocks.Clocks.tick

MUTATIONS: dict[str, Mutation] = {
    "a set event teaches nothing": unhooked(primitives._EVENT, "set"),
    "a put item teaches nothing": unhooked(queues._QUEUE, "put_nowait"),
    "a finished queue teaches nothing": unhooked(queues._QUEUE, "task_done"),
    "a notified condition teaches nothing": unhooked(primitives._CONDITION, "notify"),
    "a lock orders": replaced(primitives.Mutex, "released", orders),
    "a lock keeps nobody apart": replaced(primitives.Mutex, "acquired", nothing),
    "a semaphore of two keeps apart": replaced(primitives.Mutex, "__init__", one_place),
    "a held lock keeps those apart who share it": replaced(
        ownership, "_kept_apart", lambda one, other: not one.keys().isdisjoint(other.keys())
    ),
    "no lock is inherited": replaced(clocks.Actor, "mutexes", lambda actor: actor.holdings),
    "a step of a task follows nothing": replaced(Runtime, "wakes", nothing),
    "a callback follows nothing": replaced(Runtime, "scheduled", lambda _, __, callback, ___: callback),
    "a finished task teaches nothing": replaced(futures, "_acquire", nothing),
    "a set future teaches nothing": replaced(futures.TrackedFuture, "set_result", futures._Future.set_result),
    "gathered tasks teach nothing": replaced(futures, "_children", lambda _: clocks.EMPTY),
    "who adds a callback does not matter": replaced(futures, "_note_callback", nothing),
    "a task group teaches nothing": replaced(groups, "_collect", nothing),
    "a thread teaches nothing": replaced(threads, "_complete", lambda original: original),
    "nothing is in flight": replaced(ownership.Access, "contains", lambda *_: True),
    "nobody writes": replaced(ownership.Shadow, "decide", lambda *_, **__: []),
    "ancestors are strangers": replaced(ownership, "_is_foreign", lambda *_: True),
    "all accesses end at one time": replaced(clocks.Clocks, "tick", ticks_once),
    "any access stands for all before": replaced(ownership, "_replaces", lambda *_: True),
    "who cancels does not matter": lambda patch: patch.delattr(futures.TrackedTask, "cancel"),
}


FOUND_SOON = frozenset(
    {
        "a callback follows nothing",
        "a step of a task follows nothing",
        "any access stands for all before",
        "nothing is in flight",
    }
)
"""Mutations that a few programs show."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in FOUND_SOON else [pytest.mark.repeated]) for each in MUTATIONS]
)
def test_a_mutation_of_the_sanitizer_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sanitizer lacks, some program shows it."""
    MUTATIONS[name](monkeypatch)

    with pytest.raises(AssertionError, match="the sanitizer says"):
        check(2000, shrinks=False)
