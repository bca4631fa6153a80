"""Where one connection stands: its prepared statements, its transaction, and what a batch would do to them.

Problem: a driver that has prepared a statement sends only its name, and whether a `COMMIT` commits ledger rows
depends on what went before it.

Mechanism: `look` says what a batch would do and changes nothing; `sent` makes it so, when the batch has been forwarded.
Whenever the server has answered everything, its `ReadyForQuery` overrules what was worked out from SQL text.

What is counted: statements that neither begin nor end a transaction or a savepoint, for each caller by itself, from
the beginning of the transaction. Statements that a failed transaction would refuse are not looked at. A batch outside
of a transaction is a transaction by itself: it begins, runs and commits in one.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from harness.fault import Moment
from harness.postgres.proxy.batches import Batch
from harness.postgres.proxy.messages import Kind, Message
from harness.postgres.proxy.statements import Effect, Table, Text, statements

__all__ = ["Caller", "Look", "Session", "State", "Step"]

Caller = tuple[str | None, str | None]
"""The turn and the tool call that a connection works for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a batch does.

    `nth` counts the caller's statements in the transaction from 1, `writes` those of them all that write the ledger
    table; it is 0 for one that does not. `ledger` says of a commit that its transaction wrote the ledger table, and of
    an implicit begin that it will in this batch.
    """

    moment: Moment
    nth: int = 0
    writes: int = 0
    ledger: bool = False
    implicit: bool = False


@dataclass(slots=True)
class State:
    """What is known of a connection between two batches."""

    prepared: dict[str, str] = field(default_factory=dict)
    portals: dict[str, str | None] = field(default_factory=dict)
    explicit: bool = False
    failed: bool = False
    counts: dict[Caller | None, int] = field(default_factory=dict)
    writes: int = 0

    def copy(self) -> "State":
        """One that can be changed by itself."""
        return replace(self, prepared=dict(self.prepared), portals=dict(self.portals), counts=dict(self.counts))

    def end(self, *, explicit: bool = False) -> None:
        """The transaction has ended; the next one is open already if `explicit`."""
        self.explicit, self.failed, self.writes, self.counts = explicit, False, 0, {}


@dataclass(frozen=True, slots=True)
class Look:
    """What a batch would do, and where the connection would stand after it."""

    steps: tuple[Step, ...]
    after: State


class Session:
    """One connection; `table` is the ledger's."""

    def __init__(self, table: Table | None) -> None:
        self._table = table
        self._state = State()
        self._pending: deque[Kind] = deque([Kind.STARTUP])
        self.pid: int | None = None

    @property
    def quiet(self) -> bool:
        """Whether the server has answered everything that it must answer."""
        return not self._pending

    def look(self, batch: Batch, caller: Caller | None) -> Look:
        """What the batch would do, were it forwarded now."""
        state = self._state.copy()
        steps: list[Step] = []
        for message in batch.messages:
            for text in _executed(state, message):
                steps += self._run(state, text, caller)
        if batch.syncs and not state.explicit and state.counts:
            steps.append(Step(Moment.COMMIT, ledger=state.writes > 0, implicit=True))
            state.end()
        ledger = any(step.writes for step in steps)
        return Look(tuple(replace(step, ledger=ledger) if _begins(step) else step for step in steps), state)

    def sent(self, batch: Batch, look: Look) -> None:
        """The batch has been forwarded."""
        self._state = look.after
        if batch.syncs:
            self._pending.append(batch.last)

    def asked(self) -> None:
        """A `Query` of the proxy's own has been sent."""
        self._pending.append(Kind.QUERY)

    def heard(self, message: Message) -> None:
        """The server has sent a message."""
        if message.kind is Kind.READY_FOR_QUERY:
            if self._pending:
                self._pending.popleft()
            if not self._pending:
                self._follow(message.status)
        elif message.kind is Kind.COPY_IN and self._pending and self._pending[0] is Kind.SYNC:
            self._pending.popleft()  # a server that copies in ignores the Sync; the client sends another
        elif message.kind is Kind.BACKEND_KEY_DATA:
            self.pid = message.number

    def _follow(self, status: str) -> None:
        if status == "I":
            self._state.end()
        else:
            self._state.explicit, self._state.failed = True, status == "E"

    def _run(self, state: State, text: Text, caller: Caller | None) -> list[Step]:
        match text.effect:
            case Effect.BEGIN:
                begun, state.explicit = state.explicit, True
                return [] if begun else [Step(Moment.BEGIN)]
            case Effect.COMMIT | Effect.ROLLBACK:
                commits = text.effect is Effect.COMMIT and not state.failed and (state.explicit or bool(state.counts))
                step = Step(Moment.COMMIT, ledger=state.writes > 0)
                state.end(explicit=state.explicit and text.chained)
                return [step] if commits else []
            case Effect.NONE if not state.failed:
                return self._count(state, text, caller)
            case _:
                return []

    def _count(self, state: State, text: Text, caller: Caller | None) -> list[Step]:
        begin = [] if state.explicit or state.counts else [Step(Moment.BEGIN, implicit=True)]
        state.counts[caller] = state.counts.get(caller, 0) + 1
        writes = self._table is not None and text.writes(self._table)
        state.writes += writes
        step = Step(Moment.STATEMENT, nth=state.counts[caller], writes=state.writes if writes else 0)
        return [*begin, step]


def _begins(step: Step) -> bool:
    return step.implicit and step.moment is Moment.BEGIN


def _executed(state: State, message: Message) -> tuple[Text, ...]:
    """The statements that the message runs; what it prepares, binds or closes is kept in the state."""
    match message.kind:
        case Kind.QUERY:
            return statements(message.texts(1)[0])
        case Kind.PARSE:
            name, prepared = message.texts(2)
            state.prepared[name] = prepared
        case Kind.BIND:
            portal, name = message.texts(2)
            state.portals[portal] = state.prepared.get(name)
        case Kind.EXECUTE:
            portal = message.texts(1)[0]
            sql = state.portals.get(portal)
            state.portals[portal] = None  # another Execute fetches more rows of the same statement
            return statements(sql)[:1] if sql is not None else ()
        case Kind.CLOSE:
            of, name = state.prepared if message.status == "S" else state.portals, message.texts(1, skip=1)[0]
            of.pop(name, None)
        case _:
            pass
    return ()
