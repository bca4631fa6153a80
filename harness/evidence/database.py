"""What was asked of the database: statements, operations of sessions, and what became of connections."""

from dataclasses import dataclass
from enum import StrEnum

from harness.evidence.record import Interval

__all__ = [
    "IdleTransaction",
    "OperationKind",
    "PoolEvent",
    "PoolEventKind",
    "PoolWait",
    "SessionOperation",
    "Statement",
]


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
