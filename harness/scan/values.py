"""What a name can be bound to while a program is followed without being run.

Problem: whether two tools share a session is a question of identity, which types do not answer: two tools may each have
an `AsyncSession`.

Mechanism: every place that makes an object makes a new `Thing` each time it is passed, so that two things are one
object only if the program made one. A name has a set of values, because branches may bind different ones; the empty set
is what is not known.

Guarantee: a thing's `born` grows with time, and what a symbolic thing has inside is as old as that thing. A thing is
compared by identity.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from harness.project.classes import Class
from harness.project.module import Function, Module
from harness.scan.arms import NOWHERE, Arms

if TYPE_CHECKING:
    from harness.scan.environment import Environment

__all__ = [
    "UNKNOWN",
    "Arguments",
    "ClassValue",
    "Constant",
    "External",
    "FunctionValue",
    "Giving",
    "Kind",
    "Method",
    "ModuleValue",
    "Pending",
    "Place",
    "Some",
    "Step",
    "Super",
    "Thing",
    "Tool",
    "Value",
    "Values",
    "joined",
    "key_in",
]

_MOST = 8


class Kind(StrEnum):
    """What a thing is, as far as it matters."""

    SESSION = "session"
    FACTORY = "session factory"
    ENGINE = "engine"
    POOL = "pool"
    SCOPED = "session of each task"
    LOCK = "lock"
    VARIABLE = "context variable"
    AGENT = "agent"
    TOOLSET = "toolset"
    TOOL = "tool"
    RUN_CONTEXT = "run context"
    SIGNAL = "signal"
    TASK_GROUP = "task group"
    EXECUTOR = "executor"
    LOOP = "event loop"
    BACKGROUND = "background tasks"
    TASK = "task"
    DEPENDS = "dependency"
    SEQUENCE = "sequence"
    MAPPING = "mapping"
    GUARD = "guard"
    LOADED = "what a session has loaded"
    LAZY = "what loads lazily"
    STACK = "exit stack"
    GIVER = "what gives something"
    INSTANCE = "instance"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A place in the source; lines and columns count from 1."""

    file: str
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step on the way from where something is made to where it is used."""

    place: Place
    words: str


@dataclass(eq=False, slots=True, kw_only=True)
class Thing:
    """An object. `attributes` are also the items of a mapping, `items` those of a sequence, or keys that are objects.

    `name` is what it is called in messages; `carried` are sessions and coroutines in something of a library; `arms` are
    the branches in which an agent was made.
    """

    kind: Kind
    made: Step
    born: int
    name: str = ""
    class_: Class | None = None
    symbolic: bool = False
    synchronous: bool = False
    attributes: dict[str, "Values"] = field(default_factory=dict)
    items: list["Values"] = field(default_factory=list)
    carried: list["Value"] = field(default_factory=list)
    tools: list["Tool"] = field(default_factory=list)
    fields: dict[str, Place] = field(default_factory=dict)
    data: Any = None
    arms: Arms = NOWHERE


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Giving:
    """What an annotation says of something that is called: an annotation of what that gives, and where it stands.

    `head` is how it is reached: by `Awaitable`, `AsyncIterator` and the like, by `type` if the class itself is called.
    """

    result: ast.expr
    environment: "Environment"
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value that is written in the source."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """What a constant's value is if it is not known: each has a number of its own."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Something of a library, by its dotted name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleValue:
    """A module of the project."""

    module: Module


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ClassValue:
    """A class of the project, and where its names are looked up."""

    class_: Class
    environment: "Environment"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FunctionValue:
    """A function of the project; `first` are arguments that it has already, as a bound method's `self`.

    `arms` are those in which it was defined, or named.
    """

    node: Function | ast.Lambda
    name: str
    environment: "Environment"
    class_: Class | None = None
    first: Sequence["Values"] = ()
    named: Mapping[str, "Values"] = field(default_factory=dict)
    defaults: Mapping[str, "Values"] = field(default_factory=dict)
    bound: bool = False
    manager: bool = False
    cached: bool = False
    plain: bool = False
    arms: Arms = NOWHERE

    def bound_to(self, thing: Thing) -> "FunctionValue":
        """The function as a bound method."""
        return FunctionValue(
            node=self.node,
            name=self.name,
            environment=self.environment,
            class_=self.class_,
            first=((thing,), *self.first),
            named=self.named,
            defaults=self.defaults,
            bound=True,
            manager=self.manager,
            cached=self.cached,
            plain=self.plain,
            arms=self.arms,
        )

    def under(self, arms: Arms) -> "FunctionValue":
        """The same, also in these arms: as `dataclasses.replace`, in half the time."""
        return FunctionValue(
            node=self.node,
            name=self.name,
            environment=self.environment,
            class_=self.class_,
            first=self.first,
            named=self.named,
            defaults=self.defaults,
            bound=self.bound,
            manager=self.manager,
            cached=self.cached,
            plain=self.plain,
            arms=self.arms | arms,
        )

    @property
    def module(self) -> Module:
        """The module in which it is defined."""
        return self.environment.module

    @property
    def place(self) -> Place:
        """Where it is defined."""
        return Place(file=str(self.module.path), line=self.node.lineno, column=self.node.col_offset + 1)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Method:
    """A method that a library gives a thing."""

    thing: Thing
    name: str


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Super:
    """What `super()` gives in a method of a class."""

    thing: Thing
    after: Class


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Pending:
    """A call that is not carried out yet: a coroutine, a generator, a context manager.

    `run` carries it out, and returns what it gives: by `await`, by the next item, or by entering.
    """

    label: str
    run: Callable[[], "Values"]
    place: Place
    manager: bool = False
    spans: bool = False


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Tool:
    """A tool of an agent: what is called, and how."""

    name: str
    function: "Value"
    place: Place
    takes_context: bool | None
    sequential: bool
    arms: Arms = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What is given in a call."""

    positional: Sequence["Values"] = ()
    named: Mapping[str, "Values"] = field(default_factory=dict)
    place: Place

    def get(self, position: int, name: str = "") -> "Values":
        """The argument with this name or at this position; unknown if it is not given."""
        if name in self.named:
            return self.named[name]
        return self.positional[position] if 0 <= position < len(self.positional) else UNKNOWN

    def all(self) -> "Values":
        """All arguments together."""
        return joined(*self.positional, *self.named.values())


Value = Thing | Constant | External | ModuleValue | ClassValue | FunctionValue | Method | Super | Pending | Giving
Values = tuple[Value, ...]
UNKNOWN: Values = ()


def key_in(constant: object) -> str | None:
    """Under which name a mapping's attributes have what is under a key; `None` if the key is not known."""
    match constant:
        case Some(number=number):
            return f" some {number}"
        case str():
            return constant
        case int():
            return f" ={constant}"
        case _:
            return None


def joined(*several: Values) -> Values:
    """All values once, in their order; of many, the first ones."""
    known = [values for values in several if values]
    if len(known) <= 1:
        return known[0] if known else UNKNOWN
    found: dict[Any, Value] = {}
    for values in known:
        for value in values:
            found.setdefault(value if type(value) is External else id(value), value)
    return tuple(found.values())[:_MOST]
