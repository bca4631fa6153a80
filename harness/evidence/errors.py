"""Errors and spans, from each source that tells of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.evidence.record import Interval

__all__ = ["ErrorRecord", "ErrorSource", "SpanRecord"]


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
