"""The seam between the harness and the application under test.

A backend is whatever object satisfies `Backend`: it says what it can do, prepares a database once, and starts the
application against given settings. The harness never looks inside; it sees the application through its engine, its
answers, and the rows it leaves. `harness.backend.load_backend("package.module:attribute")` finds one by name, and
docs/protocol.md is written for those who make one.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.evidence import Answer, LedgerGrain, LedgerRow
from harness.scenario import PoolState, SessionMode, ToolRole

if TYPE_CHECKING:  # seconds, for who only wants to know what a backend is
    from pydantic_ai.models import Model
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = [
    "Application",
    "Backend",
    "BackendSettings",
    "Capability",
    "ChatRequest",
    "PoolSettings",
    "Tenant",
    "ToolUse",
]


class Capability(StrEnum):
    """What a backend may or may not be able to do; a scenario that needs a missing one is *not verified*."""

    STREAMING = "streaming"
    """It can stream its answer."""
    LEDGER = "ledger"
    """It writes a row for each billed turn or request."""
    LEDGER_PER_REQUEST = "ledger_per_request"
    """It can write one row per model response."""
    DISCONNECT = "disconnect"
    """Its `send` can close the connection in the middle of a streamed answer; it then raises `ClientLeft`."""
    FALLBACK = "fallback"
    """It turns to `fallback_model` when `model` fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How the application must configure its connection pool; `null` asks for `NullPool`. `timeout` in seconds."""

    size: int = 10
    max_overflow: int = 10
    timeout: float = 10.0
    pre_ping: bool = False
    null: bool = False

    @classmethod
    def for_state(cls, state: PoolState, *, size: int = 10, max_overflow: int = 10) -> "PoolSettings":
        """The settings that bring a pool into `state`; warming it up is the engine's work."""
        return cls(
            size=size,
            max_overflow=max_overflow,
            pre_ping=state is PoolState.PRE_PING,
            null=state is PoolState.NULL,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSettings:
    """What the application is started with. `model` answers its requests; nothing else may.

    `fallback_model` is the one to turn to when `model` fails, if the application can. `state_directory` is a folder
    that outlives the application: one that is started again with the same database finds there what it kept.
    """

    database_url: str = field(repr=False)
    session_mode: SessionMode
    pool: PoolSettings
    model: "Model"
    ledger_grain: LedgerGrain = LedgerGrain.TURN
    fallback_model: "Model | None" = None
    state_directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """How a tool plays a role: its name, and arguments with which it does what the role says.

    For `ToolRole.DELEGATE`, `question` names the argument that the other agent gets as its user message; for
    `ToolRole.SERIES`, `operations` names the argument that says how many operations there are to be.
    """

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    question: str = ""
    operations: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One customer of the application: whom to address, and which of its agent's tools plays which role.

    `rejected_answer` is a text that the agent does not accept as an answer, so that it asks the model again; empty if
    it accepts any. `questions` are what its users ask where a model decides by itself which tools it calls; by default
    the `message`.
    """

    account: str
    agent: str
    tools: Mapping[ToolRole, ToolUse]
    message: str = "What do you have on cardiology?"
    rejected_answer: str = ""
    questions: Sequence[str] = ()

    def question(self, number: int) -> str:
        """One of its questions, again from the first."""
        asked = self.questions or (self.message,)
        return asked[number % len(asked)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One user message for one tenant's agent; `conversation_id` comes back in the ledger row's `session_id`.

    With `leave_after`, the client closes its connection after so many events of the streamed answer.
    """

    account: str
    agent: str
    message: str
    conversation_id: str
    stream: bool = False
    leave_after: int | None = None


class Application(Protocol):
    """A started application."""

    @property
    def engine(self) -> "AsyncEngine":
        """The engine that its sessions are made from; only observed, never used to run statements."""
        ...

    async def send(self, request: ChatRequest) -> Answer:
        """Send one message and return the whole answer; raise what the user would see as a failure."""
        ...


@runtime_checkable
class Backend(Protocol):
    """The system under test.

    `modes` are the session modes that it can be started in; `capabilities` what else it can do. The first tenant must
    play every role that it can; a scenario with several users takes tenants in order, again from the first.
    A backend may also have `ledger_table`, the name of the table with its ledger rows: faults that strike whoever
    writes them need it.
    """

    name: str
    modes: frozenset[SessionMode]
    capabilities: frozenset[Capability]
    tenants: Sequence[Tenant]

    async def prepare(self, database_url: str) -> None:
        """Make schema and seed data in an empty database; it becomes the template that every cell clones."""
        ...

    def start(self, settings: BackendSettings) -> AbstractAsyncContextManager[Application]:
        """Start the application in this process and event loop, and stop it on leaving, connections included."""
        ...

    async def read_ledger(self, connection: "AsyncConnection") -> Sequence[LedgerRow]:
        """Every ledger row, read through `connection`, which is the harness's own."""
        ...
