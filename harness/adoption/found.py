"""What was found in a project, as values: where its agents, sessions, ledger and application are.

Every candidate has a `name` by which it can be chosen (`shop.agents.support`) and a `place` that a reader can open
(`shop/agents.py:12`). `module` and `path` are how it is reached at run time: the module's dotted name, and the
attributes from there (`db.engine` for an attribute of a module-level object).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Agent",
    "App",
    "BodyPart",
    "Candidate",
    "Deeds",
    "Dependency",
    "EngineSource",
    "Entry",
    "Field",
    "Kind",
    "Ledger",
    "Metadata",
    "Migrations",
    "Parameter",
    "Placeholder",
    "Returned",
    "Route",
    "SessionSource",
    "Survey",
    "Tool",
    "Unreadable",
    "Way",
]


class Way(StrEnum):
    """When something comes to be: as its module is imported, or when a function is called."""

    GLOBAL = "global"
    FUNCTION = "function"
    INSIDE = "inside"
    """By a function that does more, and does not give it to whoever calls it."""


class Kind(StrEnum):
    """What a value is for, as far as its type or its name tells; it decides what the adapter gives for it."""

    MESSAGE = "message"
    CONVERSATION = "conversation"
    ACCOUNT = "account"
    AGENT_NAME = "agent_name"
    SESSIONS = "sessions"
    SESSION = "session"
    ENGINE = "engine"
    DATABASE_URL = "database_url"
    DEPENDENCIES = "dependencies"
    SETTINGS = "settings"
    EXAMPLE = "example"
    """Anything else that can be made up from its type: `Parameter.example`."""
    WHOLE = "whole"
    """Whether an answer comes in pieces: `Parameter.example` is what asks for a whole one."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a function, or one field of a class.

    `annotation` is as it is written. `example` is a value of its type, where one can be made (`has_example`).
    `is_uuid` if it must be a `uuid.UUID`. `owner` is the qualified name of the project's class that it takes.
    """

    name: str
    kind: Kind
    annotation: str = ""
    required: bool = True
    example: object = None
    has_example: bool = False
    is_uuid: bool = False
    owner: str = ""
    positional: bool = False
    sent_as: str = ""
    """How a request names it, where that is not its own name."""


Field = Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that can be chosen."""

    module: str
    path: str
    place: str
    key: str = ""
    """How it is named where its own module says what it is called, which need not be how it is imported."""

    @property
    def name(self) -> str:
        """By which it is chosen."""
        return f"{self.module}.{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """What a function does to the database, by what it and the project's functions below it call."""

    selects: bool = False
    adds: bool = False
    flushes: bool = False
    commits: bool = False
    rolls_back: bool = False
    retries: bool = False
    asks: tuple[str, ...] = ()
    """The agents that it runs."""

    @property
    def writes(self) -> bool:
        """Whether it changes rows."""
        return self.adds or self.flushes

    def __or__(self, other: "Deeds") -> "Deeds":
        return Deeds(
            selects=self.selects or other.selects,
            adds=self.adds or other.adds,
            flushes=self.flushes or other.flushes,
            commits=self.commits or other.commits,
            rolls_back=self.rolls_back or other.rolls_back,
            retries=self.retries or other.retries,
            asks=tuple(dict.fromkeys((*self.asks, *other.asks))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool of an agent: the name that the model knows it by, and the function behind it."""

    name: str
    place: str
    parameters: tuple[Parameter, ...]
    deeds: Deeds
    unclear: str = ""
    """Why it cannot be called with made-up arguments; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Candidate):
    """A Pydantic AI agent: made as its module is imported, or by a function that is called without arguments."""

    way: Way = Way.GLOBAL
    deps: str = ""
    """The qualified name of its deps_type."""
    tools: tuple[Tool, ...] = ()
    unclear: tuple[str, ...] = ()
    """What could not be followed to its tools."""
    holders: tuple[str, ...] = ()
    """Every name that the project has for the function that makes it."""
    maker: str = ""
    """`INSIDE`: what its function calls for it (`shop.chat.Agent`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(Candidate):
    """The class of an agent's deps."""

    fields: tuple[Parameter, ...] = ()
    abstract: bool = False
    """Whether it is a protocol or an abstract class, so that nothing can be made of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSource(Candidate):
    """Where an engine is made.

    `GLOBAL`: `path` is what holds it, and `holders` are all names that the project has for it
    (`shop.db.engine`).
    `FUNCTION`: `path` is the function; `maker` is what it calls (`shop.db.create_async_engine`), `caches` are the
    functions that keep what they return, and `globals` the module's names that it is kept in.
    """

    way: Way
    holders: tuple[str, ...] = ()
    maker: str = ""
    caches: tuple[str, ...] = ()
    globals: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    """Arguments that are not the pool's, as they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSource(Candidate):
    """Where sessions come from: a sessionmaker that is there when its module is, or a function that makes one.

    `parameters` are those of the function. `bound_to` is the engine's name, where that is known.
    """

    way: Way
    parameters: tuple[Parameter, ...] = ()
    bound_to: str = ""
    scoped: bool = False
    returns: bool = False
    """Whether the function returns it, so that it can be asked for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App(Candidate):
    """An ASGI application: the object, or the function that makes it."""

    way: Way
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """How an answer is read: the names of its fields; all empty if it is the text itself."""

    text: str = ""
    bill: str = ""
    conversation: str = ""
    by_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart:
    """One argument that comes from a route's JSON body: a model with fields, or a single value."""

    value: Parameter
    fields: tuple[Parameter, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Candidate):
    """A route that reaches an agent: `url` with `{parameters}`, the fields of its JSON body, and what else it wants."""

    url: str
    agents: tuple[str, ...]
    method: str = "post"
    path_parameters: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    body: tuple[BodyPart, ...] = ()
    embedded: bool = False
    """Whether a body of one part has that part's name around it."""
    headers: tuple[Parameter, ...] = ()
    returned: Returned = field(default_factory=Returned)
    streams: bool = False
    """Whether it answers in pieces, whatever it is asked."""
    session_dependencies: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """What it asks of a request that nobody can make up."""
    lost: tuple[str, ...] = ()
    """The dependencies that were not found, so that what they ask is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Candidate):
    """A function of the project that runs an agent for one message, or a method of one of its classes.

    A method's `path` begins with a name that is bound to an object of the class; if there is none, with the class, and
    `owner` is the class that an object is to be made of.
    """

    agents: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    returned: Returned = field(default_factory=Returned)
    is_async: bool = True
    bills: bool = False
    """Whether it, or what it calls, writes the ledger."""
    called: bool = False
    """Whether another one calls it."""
    owner: str = ""
    is_method: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger(Candidate):
    """A table that looks like a bill of requests: `columns` are by the name of the `LedgerRow` field they fill."""

    table: str
    columns: Mapping[str, str]
    scale: int = 0
    """The costs' power of ten: 2 if they are cents."""
    core: bool = False
    score: int = 0
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Columns that have a field's name, but a type that it cannot be read from, each with that type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata(Candidate):
    """A `MetaData` that has the project's tables, once the `modules` are imported."""

    modules: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    vectors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """Where alembic is configured: the file, from the root, and what it says of its scripts."""

    file: str
    scripts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """An environment variable that the project reads while it is imported; `forced` if it may name a real database.

    `is_url` if it then is the whole address of one, as SQLAlchemy takes it.
    """

    name: str
    value: str
    place: str
    forced: bool = False
    is_url: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file that could not be read, and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that was found. `files` is how many were read, `root` what was looked at."""

    root: str
    files: int
    agents: Sequence[Agent] = ()
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    engines: Sequence[EngineSource] = ()
    sessions: Sequence[SessionSource] = ()
    apps: Sequence[App] = ()
    routes: Sequence[Route] = ()
    entries: Sequence[Entry] = ()
    ledgers: Sequence[Ledger] = ()
    metadata: Sequence[Metadata] = ()
    migrations: Migrations | None = None
    settings: Mapping[str, Sequence[Parameter]] = field(default_factory=dict)
    """Fields of the classes that hold settings, by qualified name."""
    placeholders: Sequence[Placeholder] = ()
    synchronous: Sequence[str] = ()
    """Where synchronous engines are made."""
    unreadable: Sequence[Unreadable] = ()
