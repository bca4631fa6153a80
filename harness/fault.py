"""What is to go wrong, as data: at the model provider, and between the application and its database.

A fault names where it strikes, and nothing of how: the wire provider carries out a `WireFault`, the proxy in front of
PostgreSQL (`harness.postgres.proxy`) a `DatabaseFault`. Both tell what they carried out, because an experiment whose
fault never came has shown nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DatabaseFault", "DatabaseFaultKind", "Moment", "Target", "WireFault", "WireFaultKind"]


class WireFaultKind(StrEnum):
    """What the provider does to a request instead of answering it."""

    RATE_LIMITED = "rate_limited"
    """HTTP 429, with `Retry-After`."""
    SERVER_ERROR = "server_error"
    """HTTP 500."""
    UNAVAILABLE = "unavailable"
    """HTTP 503."""
    RESET_BEFORE_ANSWER = "reset_before_answer"
    """The model has answered, and the connection is reset before the first byte of it."""
    RESET_IN_ANSWER = "reset_in_answer"
    """The connection is reset in the middle of the body, or between two events of a stream."""
    STALL = "stall"
    """The answer stops in the middle for `seconds`, and then goes on."""
    MALFORMED = "malformed"
    """HTTP 200 with a body, or an event, that is no JSON."""
    WITHOUT_USAGE = "without_usage"
    """The answer is whole, and does not say how many tokens it took."""


NOT_SERVED = frozenset({WireFaultKind.RATE_LIMITED, WireFaultKind.SERVER_ERROR, WireFaultKind.UNAVAILABLE})
"""The faults in which no model was at work, so that no provider bills anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault:
    """Something that happens to the first `times` requests for one response of a turn; later ones are answered.

    `response` is its position in the plan, from 0. `seconds` is for how long a `STALL` lasts. `billed` says whether
    the provider puts the request on its invoice: what providers do when a connection breaks is not the same
    everywhere, and a ledger must be right either way. It has no meaning for `NOT_SERVED`.
    """

    kind: WireFaultKind
    response: int = 0
    times: int = 1
    seconds: float = 0.0
    billed: bool = True

    @property
    def charges(self) -> bool:
        """Whether a request that it strikes is on the invoice."""
        return self.billed and self.kind not in NOT_SERVED

    @property
    def label(self) -> str:
        """How it is called in records and reports: `rate_limited at response 0`."""
        return f"{self.kind.value} at response {self.response}"


class DatabaseFaultKind(StrEnum):
    """What happens to a connection, or to the whole server."""

    CUT_BEFORE = "cut_before"
    """The connection breaks before the message reaches the server."""
    CUT_AFTER = "cut_after"
    """The server carries the message out, and the connection breaks before its answer reaches the client."""
    DELAY = "delay"
    """The answer comes `seconds` later."""
    HALF_OPEN = "half_open"
    """Nothing goes through any more in either direction, and neither side is told."""
    AWAY = "away"
    """Every connection breaks, and new ones are refused, until the fault is healed."""
    TOO_MANY_CONNECTIONS = "too_many_connections"
    """Every connection breaks, and new ones are answered with SQLSTATE 53300, until the fault is healed."""
    TERMINATE = "terminate"
    """The server ends the connection's process: `pg_terminate_backend`."""
    CANCEL = "cancel"
    """The server cancels the running statement: `pg_cancel_backend`."""
    RESTART = "restart"
    """The server is stopped, and started again."""
    SERIALIZATION_FAILURE = "serialization_failure"
    """The message is answered with SQLSTATE 40001, and the transaction is aborted."""


class Moment(StrEnum):
    """At which message of the target's connection it strikes."""

    BEGIN = "begin"
    """The one that begins a transaction."""
    STATEMENT = "statement"
    """The `nth` statement, from 1, that begins or ends no transaction."""
    COMMIT = "commit"
    """The one that commits."""


class Target(StrEnum):
    """Whose connection it strikes."""

    TOOL = "tool"
    """The planned tool call at position `call` of the turn."""
    LEDGER = "ledger"
    """Whoever writes ledger rows: the transaction with a statement that writes the backend's ledger table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFault:
    """Something that happens the first `times` times when `target` sends a message of the kind `moment`.

    `nth` counts statements within a transaction from 1; for the ledger it counts those that write the ledger table.
    `call` is the position of a planned tool call in its turn, from 0. `seconds` is for `DELAY`.
    """

    kind: DatabaseFaultKind
    target: Target
    moment: Moment
    nth: int = 1
    call: int = 0
    times: int = 1
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """How it is called in records and reports: `cut_after at commit of ledger`."""
        return f"{self.kind.value} at {self.moment.value} of {self.target.value}"
