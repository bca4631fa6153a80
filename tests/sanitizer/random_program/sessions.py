"""Sessions without a database, and what a program does with them."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, ORMExecuteState, Session, mapped_column
from sqlalchemy.util import await_only, greenlet_spawn

__all__ = ["Base", "Note", "Sessions", "UnboundSession"]


class Base(DeclarativeBase):
    """The mapped classes."""


class Note(Base):
    """Something to add to a session."""

    __tablename__ = "random_notes"

    id: Mapped[int] = mapped_column(primary_key=True)


class UnboundSession(Session):
    """A session without a database, whose statements do what the option `within` says, and return nothing."""


@event.listens_for(UnboundSession, "do_orm_execute")
def _execute(state: ORMExecuteState) -> IteratorResult[Any]:
    within = state.execution_options.get("within")
    if within is not None:
        within()
    return IteratorResult(SimpleResultMetaData(["nothing"]), iter([]))


_STATEMENT = text("SELECT")

_OPERATIONS: dict[str, Callable[[Session], object]] = {
    "stage": lambda session: session.expire_all(),
    "write": lambda session: session.add(Note()),
    "ask": lambda session: session.execute(_STATEMENT),
    "decide": lambda session: session.rollback(),
}


class Sessions:
    """The sessions of a program: one for each pair of access points, used at both; or one for all."""

    def __init__(self, points: int, *, one_for_all: bool) -> None:
        self.point: int | None = None
        self.first = UnboundSession()
        if one_for_all:
            self._of = [[UnboundSession()]] * points
            return
        self._of = [[] for _ in range(points)]
        for one in range(points):
            for other in range(one):
                session = UnboundSession()
                self._of[one].append(session)
                self._of[other].append(session)

    def touch(self, point: int, kind: str) -> None:
        """An operation that is over at once."""
        self.point = point
        for session in self._of[point]:
            _OPERATIONS[kind](session)
        self.point = None

    async def fly(self, point: int, turns: int) -> None:
        """An operation that is in flight for some turns of the event loop."""
        await greenlet_spawn(self._fly, point, turns)

    def _fly(self, point: int, turns: int) -> None:
        sessions = iter(self._of[point])

        def within() -> None:
            session = next(sessions, None)
            if session is not None:
                session.execute(_STATEMENT, execution_options={"within": within})
                return
            self.point = None
            for _ in range(turns):
                await_only(asyncio.sleep(0))

        self.point = point
        within()
