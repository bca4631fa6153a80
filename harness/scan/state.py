"""What is known at one moment while a program is followed, and the limits of following it.

Problem: a program has more ways through it than can be followed.

Mechanism: branches are followed one after the other and joined; a loop's body is followed twice if it may start
something, so that the second round meets what the first one left; calls are followed to a depth, and each beginning has
a number of steps. A function that twice did nothing to sessions, tasks and agents, or that is met when many steps are
spent, is followed only if it is given something that leads to a session.

Guarantee: it ends. What was not followed is unknown, and of what is unknown nothing is reported.
"""

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.project.module import Function, Module
from harness.project.project import Project
from harness.scan.arms import NOWHERE, Arms, asked_by
from harness.scan.choices import End
from harness.scan.environment import Environment, Yield
from harness.scan.known import bills
from harness.scan.lookups import Lookups
from harness.scan.relevance import Relevance
from harness.scan.trace import Child, Event, Nature, Spawn, Trace
from harness.scan.values import Arguments, FunctionValue, Kind, Place, Step, Thing, Value, Values

__all__ = ["Beginning", "Meeting", "OutOfSteps", "Participant", "Run", "Self", "State"]

DEPTH = 12
STEPS = 30_000
FEW = 28_000
UNKNOWN_KEY = " unknown"
RESULT = "what a run gave"
"""The mark of what a run of an agent returned, and of what is in it."""


_TELLING = frozenset(Kind) - {
    *(Kind.INSTANCE, Kind.OPAQUE, Kind.SEQUENCE, Kind.MAPPING, Kind.RUN_CONTEXT, Kind.LOADED, Kind.LAZY)
}


class OutOfSteps(Exception):
    """A beginning was followed for too long."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Meeting:
    """Uses of one session that may meet: who uses it, and whether a lock keeps them apart.

    `roots` is where a participant may have it from. `kept` is not empty if it is no meeting: the session is only kept
    open while an agent runs.
    """

    thing: Thing
    spawn: Spawn
    place: Place
    participants: Sequence["Participant"]
    locked: bool = False
    kept: bool = False
    alone: bool = False
    writer: Thing | None = None
    agent: str = ""
    deps: Values = ()


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Participant:
    """One of those that meet: what it is called, where it is defined or started, and its uses of the session."""

    label: str
    place: Place
    events: Sequence[Event]
    function: Value | None = None


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Run:
    """One run of an agent: the sessions from outside that its tools used."""

    agent: str
    place: Place
    deps: Values
    used: Sequence[Event]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Self:
    """The object whose method is being followed, and whether that was given what a run of an agent used up."""

    thing: Thing
    method: str
    billing: bool


@dataclass(eq=False, slots=True, kw_only=True)
class Beginning:
    """Where following began, what was found from there, and which functions were entered.

    `asked` are attributes of classes, states and context variables that were read, which others may have set.
    """

    node: Function | None
    place: Place
    work: Callable[[], object]
    meetings: list[Meeting] = field(default_factory=list)
    entered: set[int] = field(default_factory=set)
    runs: list[Run] = field(default_factory=list)
    asked: set[object] = field(default_factory=set)
    failure: str = ""


class State(ABC):
    """The state, and the parts of following that the others build on."""

    __slots__ = (
        "active",
        "after",
        "age",
        "agents",
        "arms",
        "beginning",
        "cached",
        "chosen",
        "class_attributes",
        "clock",
        "crossings",
        "dependencies",
        "done",
        "files",
        "held",
        "independent",
        "kept_states",
        "known_kinds",
        "last_yield",
        "learned",
        "left",
        "lengths",
        "lookups",
        "modules",
        "named_locks",
        "places",
        "positions",
        "project",
        "quiet",
        "relevance",
        "relevant",
        "round",
        "run",
        "selves",
        "sequential",
        "serial",
        "set_around",
        "set_in",
        "set_somewhere",
        "somes",
        "told",
        "trace",
        "turns",
        "visits",
        "way",
        "ways",
    )

    def __init__(self, project: Project) -> None:
        self.project = project
        self.lookups = Lookups(project)
        self.relevance = Relevance(project)
        self.relevant = self.relevance.modules
        self.files = frozenset(str(module.path) for module in self.relevant)
        self.trace = Trace()
        self.held: tuple[Thing, ...] = ()
        self.way: tuple[Step, ...] = ()
        self.arms: Arms = NOWHERE
        self.round: int | None = None
        self.active: list[int] = []
        self.selves: list[Self] = []
        self.sequential = 0
        self.left = STEPS
        self.serial = 0
        self.visits = 0
        self.clock = 0
        self.somes = 0
        self.age: int | None = None
        self.beginning = Beginning(node=None, place=Place(file="", line=1), work=lambda: None)
        self.modules: dict[Module, Environment] = {}
        self.dependencies: dict[object, Values] = {}
        self.after: list[Event] = []
        self.agents: list[Thing] = []
        self.run: set[Thing] = set()
        self.cached: dict[int, Values] = {}
        self.set_somewhere: dict[Thing, Values] = {}
        self.set_around: dict[Thing, Values] = {}
        self.places: dict[ast.AST, Place] = {}
        self.lengths: dict[Thing, object] = {}
        self.positions: dict[Thing, int] = {}
        self.turns: dict[str, int] = {}
        self.chosen: dict[ast.expr, int] = {}
        self.crossings: list[End] = []
        self.ways = 0
        self.set_in: dict[tuple[Thing, str], Arms] = {}
        self.learned: set[object] = set()
        self.independent: set[int] = set()
        self.told: dict[Function, Sequence[tuple[str, frozenset[Kind] | set[Kind]]]] = {}
        self.known_kinds: dict[int, set[Kind]] = {}
        self.done = 0
        self.quiet: dict[int, int] = {}
        self.named_locks: dict[str, Thing] = {}
        self.last_yield: Yield | None = None
        self.class_attributes: dict[tuple[str, str], Values] = {}
        self.kept_states: dict[tuple[str, str], Values] = {}

    def release(self) -> None:
        """Let go of all that was learned; nothing can be followed after that.

        What is known holds what made it, in circles that would keep everything until somebody looks for them.
        """
        for scope in self.modules.values():
            scope.names.clear()
        for name in State.__slots__:
            delattr(self, name)

    @abstractmethod
    def evaluate(self, node: ast.expr | None, scope: Environment) -> Values:
        """What the expression gives."""

    @abstractmethod
    def execute(self, body: Sequence[ast.stmt], scope: Environment) -> bool:
        """Follow the statements; whether the last one is never left to what comes after."""

    @abstractmethod
    def call(self, callee: Value, given: Arguments) -> Values:
        """What a call gives."""

    @abstractmethod
    def attribute(self, value: Value, name: str, place: Place) -> Values:
        """What an attribute of a value is."""

    @abstractmethod
    def symbolic(self, annotation: ast.expr | None, scope: Environment, made: Step, born: int) -> Values:
        """What something with this annotation is, if nobody knows which one."""

    @abstractmethod
    def settle(self, values: Values, place: Place) -> Values:
        """What `await` gives."""

    def place(self, node: ast.AST, scope: Environment) -> Place:
        """Where a node stands."""
        known = self.places.get(node)
        if known is None:
            line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
            known = self.places[node] = Place(file=str(scope.module.path), line=line, column=column + 1)
        return known

    def next_serial(self) -> int:
        """A number that is higher than those before; inside of something that was there before, the number of that."""
        self.serial += 1
        return self.serial if self.age is None else self.age

    def make(self, kind: Kind, made: Step, *, name: str = "") -> Thing:
        """A thing that is made now."""
        self.done += kind in _TELLING
        return Thing(kind=kind, made=made, born=self.next_serial(), name=name or kind.value)

    def sequence(self, place: Place, items: Sequence[Values]) -> Thing:
        """A list, a tuple, or anything else that gives items one by one."""
        thing = self.make(Kind.SEQUENCE, Step(place=place, words="it is put together here"))
        thing.items = list(items)[:24]
        return thing

    def use(self, thing: Thing, operation: str, nature: Nature, place: Place) -> None:
        """A session is used now."""
        self.done += 1
        self.trace.events.append(
            Event(
                thing=thing,
                operation=operation,
                nature=nature,
                place=place,
                way=self.way,
                locks=frozenset(id(lock) for lock in self.held),
                writer=self._writer(thing),
                arms=self.arms,
            )
        )

    def _writer(self, session: Thing) -> Thing | None:
        """The nearest object with this session among those whose methods are being followed, if it bills."""
        for each in reversed(self.selves):
            if any(session in values for values in each.thing.attributes.values()):
                return each.thing if each.billing or bills(each.thing.name) or bills(each.method) else None
        return None

    @contextmanager
    def under_arms(self, arms: Arms) -> Iterator[None]:
        """What is followed meanwhile is done only where these sides are taken, too."""
        before, self.arms = self.arms, self.arms | arms
        try:
            yield
        finally:
            self.arms = before

    @contextmanager
    def anywhere(self, *, once: bool) -> Iterator[None]:
        """What is followed meanwhile, if it is once, is so for whatever branch and round asks for it later."""
        before = self.arms, self.round
        if once:
            self.arms, self.round = NOWHERE, None
        try:
            yield
        finally:
            self.arms, self.round = before

    @contextmanager
    def in_round(self, number: int | None) -> Iterator[None]:
        """What is followed meanwhile is one round of a loop; what the round ends with is forgotten."""
        before = self.round, self.arms
        self.round = number
        try:
            yield
        finally:
            self.round, self.arms = before

    def from_here(self, run: Callable[[], Values]) -> Callable[[], Values]:
        """The same, carried out later: where it was asked for still says in which branch and round it is."""
        arms, number = self.arms, self.round

        def carried_out() -> Values:
            before = self.round, self.arms
            self.round, self.arms = number, self.arms | arms
            try:
                return run()
            finally:
                self.round, self.arms = before

        return carried_out

    def visit(self, test: ast.expr | None, scope: Environment) -> tuple[int, bool]:
        """The number of a test that is met now, and whether its sides are turned round."""
        fresh = self.next_visit()
        if test is None:
            return fresh, False
        asked = asked_by(test)
        if asked.names is None or not all(name in scope.names and name not in scope.elsewhere for name in asked.names):
            return fresh, asked.turned
        if asked.name and any(isinstance(each, Thing) for each in scope.names[asked.name]):
            return fresh, asked.turned  # a list may be empty at first, and not later
        return scope.tests.visit(asked.text, asked.names, fresh), asked.turned

    def unknown_key(self) -> str:
        """The name for a key that is not known, but is the same in one round of a loop."""
        return UNKNOWN_KEY if self.round is None else f"{UNKNOWN_KEY} {self.round}"

    def next_visit(self) -> int:
        """A number that no test had."""
        self.visits += 1
        return self.visits

    def spend(self) -> None:
        """Count one step.

        Raises:
            OutOfSteps: there are none left.
        """
        self.left -= 1
        if self.left < 0:
            raise OutOfSteps

    @contextmanager
    def aside(self, trace: Trace) -> Iterator[None]:
        """What is followed meanwhile is done by another task."""
        before = self.trace, self.held, self.way
        self.trace, self.held, self.way = trace, (), ()
        try:
            yield
        finally:
            self.trace, self.held, self.way = before

    def carry_out(self, work: Callable[[], object]) -> Trace:
        """What a task does that is started now: its trace, in which meetings have been looked for."""
        trace = Trace(context=dict(self.trace.context))
        with self.aside(trace):
            work()
            self.conclude(trace)
        return trace

    def start(self, label: str, spawn: Spawn, place: Place, work: Callable[[], object], *, group: int = 0) -> Child:
        """Start something beside the present task."""
        born = self.next_serial()
        place = self._answerable(place)
        start = len(self.trace.events)
        events = self.carry_out(work).everything()
        child = Child(label=label, spawn=spawn, place=place, born=born, start=start, events=events, group=group)
        child.held = frozenset(id(lock) for lock in self.held)
        child.started = self.tick()
        self.trace.children.append(child)
        return child

    def around_requests(self) -> None:
        """A middleware goes on to what is inside of it: requests are answered with its context variables."""
        for variable, values in self.trace.context.items():
            if variable not in self.set_around:
                self.set_around[variable] = values
                self.learned.add(variable)

    def _answerable(self, place: Place) -> Place:
        """The nearest caller in a module that has to do with sessions: a helper of others is not what is wrong."""
        places = [place, *(step.place for step in reversed(self.way))]
        return next((each for each in places if each.file in self.files), place)

    def join(self, child: Child) -> None:
        """The child is awaited now, if it was not before."""
        if child.end is None:
            child.end, child.ended = len(self.trace.events), self.tick()

    def tick(self) -> int:
        """The next number of a start or an end."""
        self.clock += 1
        self.done += 1
        return self.clock

    @abstractmethod
    def conclude(self, trace: Trace) -> None:
        """Look for meetings in a trace that is over."""

    @abstractmethod
    def function_value(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Environment) -> FunctionValue:
        """A function that is defined now, without its decorators."""
