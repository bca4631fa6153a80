"""What ORM sessions did to their transactions, and who caused it.

Problem: on a shared session, one tool's commit publishes another's rows, and one tool's rollback discards
them, without any error. Which tool flushed, and which then committed, is the only trace.

Mechanism: class-level `Session` events, kept to sessions that were seen to take a connection of the
observed engine (also through an engine with other execution options). Sessions are numbered by weak
reference.

Guarantee: only a whole transaction's commit and rollback count, no savepoint's; a session that joins its connection's
transaction by savepoints (`join_transaction_mode`) tells of those as of its own, because it knows no other. `CLOSE`
means that a session was closed while its transaction was open, which discards what it wrote. A flush says how many
objects it wrote. Rows that are written by `execute(insert(...))` are statements, not flushes.
"""

import weakref
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, SessionTransaction

from harness.evidence import OperationKind, Record, SessionOperation
from harness.observe.attribution import attributed
from harness.observe.listeners import Listeners
from harness.observe.recorder import Context
from harness.stacks import capture, format_stack

__all__ = ["OperationsRecorder"]


class OperationsRecorder:
    """Records `operations`."""

    name = "operations"
    fields = ("operations",)

    def __init__(self) -> None:
        self._context: Context | None = None
        self._listeners = Listeners()
        self._sessions: weakref.WeakKeyDictionary[Session, int] = weakref.WeakKeyDictionary()
        self._open: weakref.WeakSet[Session] = weakref.WeakSet()
        self._count = 0
        self._operations: list[SessionOperation] = []

    def start(self, context: Context) -> None:
        """Listen to all sessions."""
        self._context = context
        self._listeners.add(Session, "after_begin", self._begun, named=True)
        self._listeners.add(Session, "after_flush", self._flushed, named=True)
        self._listeners.add(Session, "after_commit", self._committed)
        self._listeners.add(Session, "after_rollback", self._rolled_back)
        self._listeners.add(Session, "after_transaction_end", self._ended)

    def stop(self) -> None:
        """Listen no more."""
        self._listeners.remove_all()

    def records(self) -> Mapping[str, Record[Any]]:
        """The `operations`, in their order."""
        return {"operations": Record.of("operations", self._operations)}

    def _begun(self, *, session: Session, connection: Connection, **_: Any) -> None:
        if self._context is None or connection.engine.dialect is not self._context.engine.sync_engine.dialect:
            return
        if session not in self._sessions:
            self._count += 1
            self._sessions[session] = self._count
        if session not in self._open:
            self._open.add(session)
            self._add(OperationKind.BEGIN, session)

    def _flushed(self, *, session: Session, **_: Any) -> None:
        changed = sum(1 for instance in session.dirty if session.is_modified(instance))
        self._add(OperationKind.FLUSH, session, rows=len(session.new) + len(session.deleted) + changed)

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._finish(OperationKind.COMMIT, session)

    def _rolled_back(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._finish(OperationKind.ROLLBACK, session)

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            self._finish(OperationKind.CLOSE, session)

    def _finish(self, kind: OperationKind, session: Session) -> None:
        """The first of commit, rollback and close tells how a transaction ended."""
        if session in self._open:
            self._open.discard(session)
            self._add(kind, session)

    def _add(self, kind: OperationKind, session: Session, *, rows: int = 0) -> None:
        number = self._sessions.get(session)
        if number is None or self._context is None:
            return
        who = attributed()
        self._operations.append(
            SessionOperation(
                kind=kind,
                session=number,
                at=self._context.clock(),
                turn=who.turn,
                tool_call_id=who.tool_call_id,
                task=who.task,
                rows=rows,
                stack=format_stack(capture()),
            )
        )
