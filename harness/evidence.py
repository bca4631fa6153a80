"""What was seen in one cell, frozen.

Every recorder gives one `Record`: its items, or the reason why it could not record, which is raised when a check
asks for the items. Times are seconds of `time.perf_counter` in the process under test; moments that leave the
process (ledger, invoice) are aware datetimes. Money is `Decimal`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Self, TypeVar
from uuid import UUID

from harness.errors import MissingEvidence

__all__ = [
    "AccessSeen",
    "Answer",
    "Arrival",
    "Charge",
    "ErrorRecord",
    "ErrorSource",
    "Evidence",
    "FaultSeen",
    "IdleTransaction",
    "Interval",
    "LedgerGrain",
    "LedgerRow",
    "LoopStall",
    "ModelRequestSeen",
    "ModelResponseSeen",
    "OperationKind",
    "PlaceSeen",
    "PlannedCall",
    "PoolEvent",
    "PoolEventKind",
    "PoolWait",
    "RaceKind",
    "Record",
    "ReplayDifference",
    "SessionOperation",
    "SessionRace",
    "SpanRecord",
    "Statement",
    "StuckTask",
    "TimingPair",
    "ToolOutcome",
    "ToolRun",
    "Turn",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """What one recorder saw, or the reason why it saw nothing.

    Iterating a record that could not be made raises `MissingEvidence` with that reason: absence is never emptiness.
    """

    recorder: str
    entries: tuple[T, ...] = ()
    missing: str | None = None

    @classmethod
    def of(cls, recorder: str, entries: "tuple[T, ...] | list[T]") -> "Record[T]":
        """A record that was made."""
        return cls(recorder, tuple(entries))

    @classmethod
    def absent(cls, recorder: str, reason: str) -> "Record[T]":
        """A record that could not be made."""
        return cls(recorder, (), reason)

    @property
    def items(self) -> tuple[T, ...]:
        """What was recorded; raises `MissingEvidence` if nothing could be."""
        if self.missing is not None:
            raise MissingEvidence(f"recorder {self.recorder!r}: {self.missing}")
        return self.entries

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `start` to `end`, in seconds of one monotonic clock."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    def overlap(self, other: Self) -> float:
        """For how many seconds both lasted; 0.0 if they do not meet."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))


class LedgerGrain(StrEnum):
    """How many ledger rows a turn leaves: one in all, or one per model response."""

    TURN = "turn"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A tool call that the scripted model makes: `round` counts from 0; `may_fail` if its error is intended.

    Its first statement takes `database_seconds` longer, and the model takes `provider_seconds` for the answer that it
    asks for. It is to do so many `operations`, one after the other.
    """

    tool_call_id: str
    tool: str
    role: str
    round: int
    database_seconds: float = 0.0
    may_fail: bool = False
    provider_seconds: float = 0.0
    operations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the backend answered: `llm_request_id` is `None` if it says that no row bills the turn."""

    text: str
    llm_request_id: UUID | None
    session_id: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckTask:
    """A task that was still running when a turn timed out, with its stack, innermost frame last."""

    name: str
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One user message and what came of it.

    Exactly one of `answer`, `error` and `timed_out` is set. `tenant` and `agent` are the slugs it was sent to.
    `parallel` is false for the sequential half of a timing pair. `interrupted` says how the harness itself ended the
    turn, if it did: a client that went away, a task that was cancelled; its `error` is then no finding.
    `to_be_answered` says whether the experiment needs an answer, or that there is none; `None` if it does not care.
    If it is `chosen`, the `planned` calls are those that the model made by itself, but for those whose ids are
    `refused`: these name no tool that there is, or give arguments that it does not take, and so did not run.
    """

    id: str
    tenant: str
    agent: str
    message: str
    interval: Interval
    planned: tuple[PlannedCall, ...]
    planned_responses: int
    stream: bool = False
    parallel: bool = True
    answer: Answer | None = None
    error: str | None = None
    error_type: str | None = None
    timed_out: bool = False
    stuck: tuple[StuckTask, ...] = ()
    interrupted: str | None = None
    to_be_answered: bool | None = None
    chosen: bool = False
    refused: tuple[str, ...] = ()


class ErrorSource(StrEnum):
    """Where an error was seen."""

    RAISED = "raised"
    """An exception inside a tool, seen where the tool ended, or one that the turn raised."""
    LOGGED = "logged"
    """A log record at ERROR or above, of any logger, or a warning of the pool's that a connection was lost."""
    SPAN = "span"
    """A span with ERROR status, or a logfire message at error level."""
    LOOP = "loop"
    """A call of the event loop's exception handler."""
    SERVER = "server"
    """A line in the PostgreSQL server's log, for this database."""
    DATABASE = "database"
    """An error that the driver gave to SQLAlchemy, whoever caught it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One error from one source. The same error is usually seen by several sources.

    `type` is the exception's qualified class name where there is one (`sqlalchemy.exc.InvalidRequestError`), `code`
    SQLAlchemy's code (`isce`), `sqlstate` PostgreSQL's. `chain` has the type names of its causes, outermost first.
    `stack` has application frames, innermost last.
    """

    source: ErrorSource
    type: str
    message: str
    at: float
    code: str | None = None
    sqlstate: str | None = None
    chain: tuple[str, ...] = ()
    logger: str | None = None
    turn: str | None = None
    tool_call_id: str | None = None
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """One finished span; identifiers are lower-case hexadecimal. `tool_call_id` says in which tool call it began."""

    name: str
    interval: Interval
    trace_id: str
    span_id: str
    parent_id: str | None
    error: bool
    attributes: Mapping[str, object]
    turn: str | None = None
    tool_call_id: str | None = None


class ToolOutcome(StrEnum):
    """How a tool call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """One run of one tool: the time from its start to its end in its own task."""

    tool: str
    tool_call_id: str
    turn: str | None
    task: str
    interval: Interval
    outcome: ToolOutcome
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement, from when it was handed to the driver to when the driver had its answer.

    `connection` numbers the driver connections of the run from 1; `backend_pid` is the server's process.
    """

    sql: str
    interval: Interval
    connection: int
    backend_pid: int | None
    turn: str | None
    tool_call_id: str | None
    task: str
    failed: bool = False
    injected: bool = False


class OperationKind(StrEnum):
    """What a session did."""

    BEGIN = "begin"
    FLUSH = "flush"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOperation:
    """One transactional event of one ORM session, and who caused it.

    `session` numbers the sessions of the run from 1; `rows` says how many objects a flush wrote.
    """

    kind: OperationKind
    session: int
    at: float
    turn: str | None
    tool_call_id: str | None
    task: str
    rows: int = 0
    stack: tuple[str, ...] = ()


class RaceKind(StrEnum):
    """How two accesses to one session, or to one connection, are wrong together."""

    OVERLAP = "overlap"
    """The second began while the first was in flight: a proof."""
    UNORDERED = "unordered"
    """They did not overlap, but nothing orders them, and no lock keeps them apart: in another run they can."""
    BLEED = "bleed"
    """A commit or rollback covered unfinished writes of another task that is still at work."""
    FOREIGN_THREAD = "foreign_thread"
    """A session that belongs to an event loop was used in a thread that does not run it."""
    FOREIGN_LOOP = "foreign_loop"
    """A session that belongs to one event loop was used in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSeen:
    """A line of the application: the file as Python names it, the line from 1, and the function's qualified name."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSeen:
    """One use of a session or connection: what was called, by which task, and from where.

    `stack` has the application's frames, innermost last, across greenlets; the library's own, if there are no others.
    `task_created` has the frames in which the task was created, where that was seen. `tool` and `tool_call_id` are set
    if the task runs a tool of a Pydantic AI agent.
    """

    operation: str
    task: str
    stack: tuple[PlaceSeen, ...] = ()
    task_created: tuple[PlaceSeen, ...] = ()
    turn: str | None = None
    tool: str | None = None
    tool_call_id: str | None = None

    @property
    def place(self) -> PlaceSeen | None:
        """Where it was called; `None` if no frame of it is known."""
        return self.stack[-1] if self.stack else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRace:
    """Two accesses to one object that may not meet; `count` says how often the same two places did.

    `subject` names the object (`Session 3`, `asyncpg.Connection 1`), `subject_created` has the frames in which it was
    made, where that was seen. For `BLEED` the first access is the write, and the second the commit or rollback.
    """

    kind: RaceKind
    subject: str
    first: AccessSeen
    second: AccessSeen
    at: float
    subject_created: tuple[PlaceSeen, ...] = ()
    count: int = 1


class PoolEventKind(StrEnum):
    """What happened to a pooled connection."""

    CONNECT = "connect"
    CHECKOUT = "checkout"
    CHECKIN = "checkin"
    INVALIDATE = "invalidate"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEvent:
    """One event of the connection pool, with the application frames that caused it, innermost last."""

    kind: PoolEventKind
    connection: int
    backend_pid: int | None
    at: float
    turn: str | None
    tool_call_id: str | None
    task: str
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolWait:
    """From when somebody asked the pool for a connection to when they had it, or were refused."""

    interval: Interval
    turn: str | None
    tool_call_id: str | None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleTransaction:
    """A server process that held a transaction open after the turn, as `pg_stat_activity` shows it."""

    backend_pid: int
    state: str
    query: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStall:
    """A time in which the event loop ran nothing else, with the stack that was seen most often in it.

    `share` is the part of the samples (0…1) in which exactly that innermost frame held the loop.
    """

    interval: Interval
    stack: tuple[str, ...]
    samples: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One tool's arrival at the barrier before its first database operation.

    `released` tells by what it went on: `together` (all planned tools were there) or `timeout`.
    """

    tool_call_id: str
    turn: str | None
    at: float
    released: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of the provider's invoice: what it served, to which turn, and the tokens that it counted.

    `cached_tokens`, which a cache had, and `cache_write_tokens`, which went into one, are parts of the prompt's, at
    prices of their own; `reasoning_tokens` are a part of the completion's. `delivered` is false for what the provider
    knows not to have reached the client whole. `untold` is the reason why it is not known what the provider counted, if
    it is not: the tokens are then 0, and mean nothing.
    """

    response_id: str
    turn: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    served_at: datetime
    stream: bool = False
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    delivered: bool = True
    cache_write_tokens: int = 0
    untold: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSeen:
    """A fault that was carried out: its label (`harness.fault`), and the turn that it struck, where that is known."""

    label: str
    turn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResponseSeen:
    """One model response as the agent saw it."""

    turn: str | None
    response_id: str | None
    model: str | None
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequestSeen:
    """One request of the agent's to a model that decides by itself which tools it calls.

    `start` and `end` are seconds of the run's clock; without an `end` nobody waited for it any more, or it had not
    ended with the turn. `status` is the HTTP status by which the provider refused it. `tool_call_id` names the tool
    call that made it, if a tool did.
    """

    turn: str | None
    start: float
    end: float | None = None
    error_type: str | None = None
    status: int | None = None
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDifference:
    """Where a recorded model was not asked what it was asked when it was recorded, in a sentence.

    A request was `sent` that was not recorded, in the turn, if it is known; or one that was recorded was not sent.
    """

    message: str
    sent: bool
    turn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One `llm_requests` row, read through a connection of the harness's own. Unpriced costs are `None`."""

    id: UUID
    session_id: str | None
    account_slug: str | None
    agent_instance_slug: str | None
    provider: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_cost: Decimal | None
    completion_cost: Decimal | None
    total_cost: Decimal | None
    completion_status: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingPair:
    """The seconds of one parallel turn and of the sequential turn next to it."""

    parallel: float
    sequential: float

    @property
    def speedup(self) -> float:
        """How many times faster the parallel turn was."""
        return self.sequential / self.parallel


def _absent(recorder: str) -> Record[T]:
    return Record.absent(recorder, "it was not installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything seen in one cell; a record that nobody made is absent, and says so.

    `notes` says what could not be looked at without making a record absent. `refusals` has a sentence for each
    request to another machine that was not let through. `planned_faults` has the label of each fault that the scenario
    asks for, as often as it is to strike.
    """

    turns: tuple[Turn, ...] = ()
    ledger_grain: LedgerGrain = LedgerGrain.TURN
    notes: tuple[str, ...] = ()
    planned_faults: tuple[str, ...] = ()
    errors: Record[ErrorRecord] = field(default_factory=lambda: _absent("errors"))
    spans: Record[SpanRecord] = field(default_factory=lambda: _absent("spans"))
    tools: Record[ToolRun] = field(default_factory=lambda: _absent("tools"))
    statements: Record[Statement] = field(default_factory=lambda: _absent("statements"))
    operations: Record[SessionOperation] = field(default_factory=lambda: _absent("operations"))
    races: Record[SessionRace] = field(default_factory=lambda: _absent("races"))
    pool: Record[PoolEvent] = field(default_factory=lambda: _absent("pool"))
    waits: Record[PoolWait] = field(default_factory=lambda: _absent("waits"))
    idle_transactions: Record[IdleTransaction] = field(default_factory=lambda: _absent("idle_transactions"))
    stalls: Record[LoopStall] = field(default_factory=lambda: _absent("stalls"))
    arrivals: Record[Arrival] = field(default_factory=lambda: _absent("arrivals"))
    refusals: Record[str] = field(default_factory=lambda: _absent("refusals"))
    invoice: Record[Charge] = field(default_factory=lambda: _absent("invoice"))
    responses: Record[ModelResponseSeen] = field(default_factory=lambda: _absent("responses"))
    ledger: Record[LedgerRow] = field(default_factory=lambda: _absent("ledger"))
    faults: Record[FaultSeen] = field(default_factory=lambda: _absent("faults"))
    pairs: Record[TimingPair] = field(default_factory=lambda: _absent("pairs"))
    requests: Record[ModelRequestSeen] = field(default_factory=lambda: _absent("requests"))
    replay: Record[ReplayDifference] = field(default_factory=lambda: _absent("replay"))
