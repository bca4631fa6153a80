"""What the programs of the corpora work with: a database, an engine, a table, and control over the order of steps.

Control must not order the programs' tasks, or it would hide what the programs are there to show. `Steps` therefore
passes the word in a plain set that the tasks poll, which no happens-before relation sees; and `Hold` keeps a statement
in flight by an advisory lock that a connection outside of the program's process-wide instrumentation holds: a thread
with a synchronous psycopg connection of its own.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from sqlalchemy import TextClause, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.schema import ForeignKey

__all__ = ["SCHEMA", "Author", "Base", "Hold", "LockedNotes", "Note", "Steps", "World"]


class Base(AsyncAttrs, DeclarativeBase):
    """The programs' tables."""


class Author(Base):
    """Who wrote notes; `notes` is loaded lazily."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    notes: Mapped[list["Note"]] = relationship(back_populates="author")


class Note(Base):
    """A note; rows 1 to 20 exist, with the bodies `note 1` and so on, all by author 1."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author | None] = relationship(back_populates="notes")


SCHEMA = (
    "CREATE TABLE authors (id serial PRIMARY KEY, name text NOT NULL)",
    "CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL, author_id int REFERENCES authors)",
    "INSERT INTO authors (name) VALUES ('Ada'), ('Ben')",
    "INSERT INTO notes (body, author_id) SELECT 'note ' || n, 1 FROM generate_series(1, 20) n",
)


class Steps:
    """The order of steps, by plain variables: `await steps.until("a")` goes on when somebody did `steps.reach("a")`."""

    def __init__(self) -> None:
        self._reached: set[str] = set()

    def reach(self, step: str) -> None:
        """Say that a step is reached."""
        self._reached.add(step)

    async def until(self, step: str) -> None:
        """Go on when it is reached; polls, so that nothing orders the two."""
        while step not in self._reached:  # noqa: ASYNC110  # an event would order the two
            await asyncio.sleep(0)


_KEYS = itertools.count(1)


class _Obstacle:
    """What makes statements wait, by a lock that a connection of its own has; `_waiting` counts them."""

    _waiting: LiteralString

    def __init__(self, url: str) -> None:
        conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(conninfo, autocommit=True)

    async def in_flight(self, count: int = 1) -> None:
        """Wait until so many statements wait in the database."""
        while True:
            row = self._connection.execute(self._waiting).fetchone()
            if row is not None and row[0] >= count:
                return
            await asyncio.sleep(0)

    def release(self) -> None:
        """Let the statements go on."""
        self._connection.close()


class Hold(_Obstacle):
    """A statement that does not return before `release`: `await session.execute(hold.statement)`."""

    _waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
        " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        " AND objid = (SELECT objid FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')"
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._key = next(_KEYS)
        self._connection.execute("SELECT pg_advisory_lock(%s)", (self._key,))

    @property
    def sql(self) -> str:
        """The statement's text: it waits until the hold is released, and returns one row."""
        return f"SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared({self._key})) held"

    @property
    def statement(self) -> TextClause:
        """The statement for SQLAlchemy."""
        return text(self.sql)


class LockedNotes(_Obstacle):
    """Whatever reads or writes notes waits until `release`; nobody may have done so in a transaction still open."""

    _waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'notes'::regclass AND NOT granted"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._connection.execute("SET lock_timeout = '5s'")
        self._connection.execute("BEGIN")
        self._connection.execute("LOCK TABLE notes")


@dataclass
class World:
    """One program's surroundings; `engine` has a warm pool of two connections unless the program asks for another."""

    url: str
    engine: AsyncEngine
    steps: Steps = field(default_factory=Steps)
    _obstacles: list[Hold | LockedNotes] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """The database's URL for the drivers themselves."""
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def session(self) -> AsyncSession:
        """A session of the program's own."""
        return AsyncSession(self.engine, expire_on_commit=False)

    def hold(self) -> Hold:
        """A statement that stays in flight until it is released; released at the end in any case."""
        hold = Hold(self.url)
        self._obstacles.append(hold)
        return hold

    def lock_notes(self) -> LockedNotes:
        """Let whatever reads or writes notes wait until it is released; released at the end in any case."""
        locked = LockedNotes(self.url)
        self._obstacles.append(locked)
        return locked

    @asynccontextmanager
    async def engine_with(self, **options: object) -> AsyncIterator[AsyncEngine]:
        """Another engine on the same database, cold; `url` may be among the options' effects through `drivername`."""
        drivername = options.pop("drivername", "postgresql+asyncpg")
        engine = create_async_engine(make_url(self.url).set(drivername=str(drivername)), **options)
        try:
            yield engine
        finally:
            await engine.dispose()

    async def warm(self, count: int = 2) -> None:
        """Open so many connections, and give them back to the pool."""
        connections: list[AsyncConnection] = [await self.engine.connect() for _ in range(count)]
        for connection in connections:
            await connection.close()

    def close(self) -> None:
        """Release what is held."""
        for obstacle in self._obstacles:
            obstacle.release()
