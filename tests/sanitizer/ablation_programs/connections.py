"""Methods of SQLAlchemy's connection, each beside a use that does not get to the driver's connection."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult, AsyncSession
from sqlalchemy.pool import StaticPool

from tests.sanitizer.ablation_programs.pairs import behind_a_lock, by_luck, during
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import shared_connection
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import World

CORPUS = Corpus()

Operation = Callable[[AsyncConnection], Awaitable[object]]

INSERT = "INSERT INTO notes (body) VALUES ('by the one')"


async def begin(connection: AsyncConnection) -> None:
    await connection.begin()


async def begin_nested(connection: AsyncConnection) -> None:
    await connection.begin_nested()


async def begin_twophase(connection: AsyncConnection) -> None:
    await connection.run_sync(lambda core: core.begin_twophase())


async def close(connection: AsyncConnection) -> None:
    await connection.close()


async def commit(connection: AsyncConnection) -> None:
    await connection.commit()


async def commit_below(connection: AsyncConnection) -> None:
    await connection.run_sync(lambda core: core.connection.commit())


async def detach(connection: AsyncConnection) -> None:
    await connection.run_sync(lambda core: core.detach())


async def exec_driver_sql(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql("SELECT 1")


async def execute(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


async def invalidate(connection: AsyncConnection) -> None:
    await connection.invalidate()


async def rollback(connection: AsyncConnection) -> None:
    await connection.rollback()


async def rollback_below(connection: AsyncConnection) -> None:
    await connection.run_sync(lambda core: core.connection.rollback())


async def scalar(connection: AsyncConnection) -> None:
    await connection.run_sync(lambda core: core.scalar(text("SELECT 1")))


async def scalars(connection: AsyncConnection) -> None:
    await connection.run_sync(lambda core: core.scalars(text("SELECT 1")))


async def insert(connection: AsyncConnection) -> None:
    await connection.execute(text(INSERT))


async def lucky(world: World, *, one: Operation, other: Operation, idle: bool) -> None:
    """The other begins when the one has, by luck, ended; a connection that is not idle has a transaction."""
    connection = await world.engine.connect()
    if not idle:
        await connection.begin()
    await by_luck(world, partial(one, connection), partial(other, connection))
    await connection.close()


BUSY: tuple[tuple[Operation, Operation], ...] = (
    (exec_driver_sql, begin),
    (execute, begin),
    (execute, begin_nested),
    (execute, commit_below),
    (execute, rollback_below),
    (scalar, begin),
    (scalars, begin),
)
IDLE: tuple[tuple[Operation, Operation], ...] = (
    (commit, begin_twophase),
    (commit, close),
    (commit, detach),
    (commit, invalidate),
    (commit, rollback),
)

for pairs, is_idle in ((BUSY, False), (IDLE, True)):
    for first, second in pairs:
        CORPUS.add(
            f"{second.__name__} by luck after {first.__name__}",
            partial(lucky, one=first, other=second, idle=is_idle),
            kinds=("unordered",),
            lines=frozenset({last_line(first), last_line(second)}),
        )


@dataclass(frozen=True)
class Rows:
    """A connection, and rows that it has yet to send."""

    connection: AsyncConnection
    result: AsyncResult[Any]


async def execute_beside_rows(rows: Rows) -> None:
    await rows.connection.execute(text("SELECT 1"))


async def fetch_many_rows(rows: Rows) -> None:
    await rows.result.fetchmany(3)


async def fetch_all_rows(rows: Rows) -> None:
    await rows.result.fetchall()


async def streaming(world: World, *, fetch: Callable[[Rows], Awaitable[object]]) -> None:
    """Rows are fetched when a statement of another task has, by luck, returned."""
    async with shared_connection(world) as connection:
        rows = Rows(connection, await connection.stream(text("SELECT * FROM notes")))
        await by_luck(world, partial(execute_beside_rows, rows), partial(fetch, rows))


for fetch in (fetch_many_rows, fetch_all_rows):
    CORPUS.add(
        f"{fetch.__name__} by luck after execute",
        partial(streaming, fetch=fetch),
        kinds=("unordered",),
        lines=frozenset({last_line(execute_beside_rows), last_line(fetch)}),
    )


# -- writes that somebody else decides about --------------------------------------------------------------------


async def end_of_two_phases(world: World, *, end: Operation) -> None:
    """The one's row is decided about by the other, who ends the transaction of two phases."""
    async with shared_connection(world) as connection:
        await begin_twophase(connection)
        await behind_a_lock(world, partial(insert, connection), partial(end, connection))


for each in (commit, rollback):
    CORPUS.add(
        f"{each.__name__} of two phases behind a lock",
        partial(end_of_two_phases, end=each),
        kinds=("bleed",),
        lines=frozenset({last_line(insert), last_line(each)}),
    )


@CORPUS.racy("bleed")
async def anothers_row_in_a_savepoint_that_is_given_up(world: World) -> None:
    """The one's row is lost with the other's savepoint."""
    async with shared_connection(world) as connection:
        savepoint = await connection.begin_nested()

        async def write() -> None:
            await connection.execute(text(INSERT))  # first

        async def give_up() -> None:
            await savepoint.rollback()  # second

        await behind_a_lock(world, write, give_up)


@CORPUS.legal
async def anothers_row_before_a_savepoint_that_is_given_up(world: World) -> None:
    """The one's row stays."""

    async def try_something() -> None:
        savepoint = await connection.begin_nested()
        await connection.execute(text(INSERT))
        await savepoint.rollback()

    async with world.engine.begin() as connection:
        await behind_a_lock(world, partial(insert, connection), try_something)
        assert await connection.scalar(text("SELECT count(*) FROM notes")) == 21


@CORPUS.racy("unordered")
async def a_savepoint_released_by_luck(world: World) -> None:
    """The savepoint that one task made is released by another, which has begun to use the connection, too."""
    async with shared_connection(world) as connection:
        savepoint = await connection.begin_nested()

        async def one() -> None:
            await connection.execute(text("SELECT 1"))  # first

        async def other() -> None:
            await savepoint.commit()  # second

        await by_luck(world, one, other)


# -- one connection of the driver below several of SQLAlchemy's --------------------------------------------------


async def execute_above(session: AsyncSession, statement: Any) -> None:
    await session.execute(statement)


async def execute_many_above(session: AsyncSession) -> None:
    await session.execute(text("UPDATE notes SET body = :body"), [{"body": "one"}, {"body": "two"}])


async def one_connection_for_all(world: World, *, quick: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """Two sessions of an engine whose pool has one connection, and gives it to both."""
    hold = world.hold()
    async with (
        world.engine_with(poolclass=StaticPool) as engine,
        AsyncSession(engine) as one,
        AsyncSession(engine) as other,
    ):
        await during(world, hold, partial(execute_above, one, hold.statement), partial(quick, other))


async def execute_beside(session: AsyncSession) -> None:
    await session.execute(text("SELECT 1"))


for beside in (execute_beside, execute_many_above):
    CORPUS.add(
        f"{beside.__name__} on one connection for all",
        partial(one_connection_for_all, quick=beside),
        kinds=("overlap",),
        lines=frozenset({last_line(execute_above), last_line(beside)}),
    )


@CORPUS.racy("unordered")
async def ping_on_one_connection_for_all(world: World) -> None:
    """A pool that pings what it gives out does so while another task has it, too."""
    taken: list[AsyncConnection] = []
    async with world.engine_with(poolclass=StaticPool, pool_pre_ping=True) as engine, engine.connect() as connection:

        async def one() -> None:
            await connection.execute(text("SELECT 1"))  # first

        async def other() -> None:
            taken.append(await engine.connect())  # second

        await by_luck(world, one, other)
        for each in taken:
            await each.close()
