"""Methods of psycopg's connections and cursors: whoever comes second waits for the connection's own lock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import psycopg
from psycopg.rows import TupleRow

from tests.sanitizer.ablation_programs.pairs import by_luck, during
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import Hold, World

CORPUS = Corpus()


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A connection, a cursor in the server, and another that has not been executed."""

    connection: psycopg.AsyncConnection[TupleRow]
    cursor: psycopg.AsyncServerCursor[TupleRow]
    fresh: psycopg.AsyncServerCursor[TupleRow]


Operation = Callable[[Wire], Awaitable[object]]


@asynccontextmanager
async def connect(world: World) -> AsyncIterator[Wire]:
    """A connection with cursors in the server; all is closed at the end in whatever state the race left it."""
    async with (
        await psycopg.AsyncConnection.connect(world.dsn) as connection,
        connection.cursor("numbers", scrollable=True) as cursor,
        connection.cursor("others") as fresh,
    ):
        await cursor.execute("SELECT id FROM notes ORDER BY id")
        yield Wire(connection=connection, cursor=cursor, fresh=fresh)


async def execute(wire: Wire) -> None:
    await wire.connection.execute("SELECT 1")


async def execute_slowly(wire: Wire, hold: Hold) -> None:
    await wire.connection.execute(hold.sql.encode())


async def commit(wire: Wire) -> None:
    await wire.connection.commit()


async def rollback(wire: Wire) -> None:
    await wire.connection.rollback()


async def set_autocommit(wire: Wire) -> None:
    await wire.connection.set_autocommit(True)


async def set_isolation_level(wire: Wire) -> None:
    await wire.connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)


async def set_read_only(wire: Wire) -> None:
    await wire.connection.set_read_only(True)


async def set_deferrable(wire: Wire) -> None:
    await wire.connection.set_deferrable(True)


async def close(wire: Wire) -> None:
    await wire.connection.close()


async def execute_by_a_cursor(wire: Wire) -> None:
    await wire.connection.cursor().execute("SELECT 1")


async def executemany(wire: Wire) -> None:
    await wire.connection.cursor().executemany("INSERT INTO notes (body) VALUES (%s)", [("one",), ("two",)])


async def stream(wire: Wire) -> None:
    [row async for row in wire.connection.cursor().stream("SELECT id FROM notes")]


async def execute_in_the_server(wire: Wire) -> None:
    await wire.fresh.execute("SELECT id FROM notes")


async def fetchone(wire: Wire) -> None:
    await wire.cursor.fetchone()


async def fetchmany(wire: Wire) -> None:
    await wire.cursor.fetchmany(3)


async def fetchall(wire: Wire) -> None:
    await wire.cursor.fetchall()


async def scroll(wire: Wire) -> None:
    await wire.cursor.scroll(2)


SECOND_IN_LINE: tuple[Operation, ...] = (
    commit, rollback, set_autocommit, set_isolation_level, set_read_only, set_deferrable, execute_by_a_cursor,
    executemany, execute_in_the_server, fetchone, fetchmany, fetchall, scroll,
)  # fmt: skip
AFTERWARDS: tuple[tuple[Operation, Operation], ...] = ((execute, stream), (execute, close), (close, execute))


async def busy(world: World, *, operation: Operation) -> None:
    """The operation begins during a statement of another task."""
    hold = world.hold()
    async with connect(world) as wire:
        await during(world, hold, partial(execute_slowly, wire, hold), partial(operation, wire))


async def lucky(world: World, *, one: Operation, other: Operation) -> None:
    """The other begins when the one has, by luck, ended."""
    async with connect(world) as wire:
        await by_luck(world, partial(one, wire), partial(other, wire))


for each in SECOND_IN_LINE:
    CORPUS.add(
        f"psycopg {each.__name__} during execute",
        partial(busy, operation=each),
        kinds=("overlap",),
        lines=frozenset({last_line(execute_slowly), last_line(each)}),
    )
for first, second in AFTERWARDS:
    CORPUS.add(
        f"psycopg {second.__name__} by luck after {first.__name__}",
        partial(lucky, one=first, other=second),
        kinds=("unordered",),
        lines=frozenset({last_line(first), last_line(second)}),
    )
