"""Who used which session or connection of SQLAlchemy's: what is compared to tell whose session a tool has.

Problem: what an application calls its session may be a proxy, or what a factory or a container gave, and two of these
may stand before one session. And a session that is gone leaves its address to the next one.

Mechanism: events of SQLAlchemy's own classes, which are called with the session or connection that a statement goes
through. Objects are numbered by weak reference.

Guarantee: two uses have one number only if they are of one object. A connection that a pool lends again is another one;
a session that was closed and is used again is the same. What nobody's turn or tool does is not noted.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import ORMExecuteState, Session

from harness.observe.attribution import attributed
from harness.observe.listeners import Listeners
from harness.sql import writes_rows
from harness.stacks import capture, format_stack

__all__ = ["SessionUse", "SessionUses", "Used", "watched_uses"]


class Used(StrEnum):
    """What was used; the words are those of messages."""

    SESSION = "session"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUse:
    """One use of the object with this `number` among those that were `used`, from 1.

    `call` is the tool call, `None` for the turn's own code; `turn` is `None` where an application hands a turn to a
    thread that does not know it. `place` is the application's line, `path:line`, and may be empty.
    """

    used: Used
    number: int
    turn: str | None
    call: str | None
    place: str


@dataclass(slots=True)
class SessionUses:
    """All uses so far, in their order."""

    uses: list[SessionUse] = field(default_factory=list)
    _numbers: "weakref.WeakKeyDictionary[object, int]" = field(default_factory=weakref.WeakKeyDictionary)
    _count: Iterator[int] = field(default_factory=lambda: count(1))

    def note(self, used: Used, thing: object) -> None:
        """Note that whoever runs now uses it."""
        who = attributed()
        if who.turn is None and who.tool_call_id is None:
            return
        if (number := self._numbers.get(thing)) is None:
            number = self._numbers[thing] = next(self._count)
        stack = format_stack(capture())
        place = stack[-1].partition(" in ")[0] if stack else ""
        self.uses.append(SessionUse(used=used, number=number, turn=who.turn, call=who.tool_call_id, place=place))

    def executed(self, state: ORMExecuteState) -> None:
        """A session was given a statement; whether it gets as far as to a connection is another matter."""
        self.note(Used.SESSION, state.session)

    def in_session(self, session: Session, *_: object) -> None:
        """A session began, or is about to flush or to commit."""
        self.note(Used.SESSION, session)

    def on_connection(self, *, conn: Connection, statement: str, **_: Any) -> None:
        """A statement went through a connection.

        Of the turn's own code only what writes rows counts: an application may keep a connection of its own to listen
        or to lock on, for all of its turns.
        """
        if attributed().tool_call_id is not None or writes_rows(statement):
            self.note(Used.CONNECTION, conn)


@contextmanager
def watched_uses() -> Iterator[SessionUses]:
    """Note every use in this process; connections that were opened before may be missed."""
    uses, listeners = SessionUses(), Listeners()
    listeners.add(Session, "do_orm_execute", uses.executed)
    for event in ("after_begin", "before_flush", "before_commit"):
        listeners.add(Session, event, uses.in_session)
    listeners.add(Engine, "before_cursor_execute", uses.on_connection, named=True)
    try:
        yield uses
    finally:
        listeners.remove_all()
