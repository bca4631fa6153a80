"""asyncpg's own connections in two tasks, by themselves or below a session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import consequences, release, shared_session, together
from tests.sanitizer.world import World

CORPUS = Corpus()


@asynccontextmanager
async def connect(world: World) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection that is closed at the end, in whatever state the race left it."""
    connection = await asyncpg.connect(world.dsn)
    try:
        yield connection
    finally:
        connection.terminate()


@CORPUS.racy("overlap")
async def fetch_during_fetch(world: World) -> None:
    """The driver raises in the second, and would not have, had the first been quicker."""
    hold = world.hold()

    async def slow() -> None:
        await connection.fetch(hold.sql)  # first

    async def quick() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await connection.fetch("SELECT 1")  # second

    async with connect(world) as connection:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def fetch_after_fetch(world: World) -> None:
    """The first was quick enough."""

    async def one() -> None:
        await connection.fetchrow("SELECT 1")  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await connection.fetchval("SELECT 2")  # second

    async with connect(world) as connection:
        await together(one(), other())


@CORPUS.racy("overlap")
async def a_transaction_begun_during_execute(world: World) -> None:
    """A transaction cannot begin while a statement runs."""
    hold = world.hold()

    async def slow() -> None:
        await connection.execute(hold.sql)  # first

    async def block() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        async with connection.transaction():  # second
            await connection.execute("SELECT 1")

    async with connect(world) as connection:
        await together(slow(), block(), release(world, hold))


@CORPUS.racy("unordered")
async def a_transaction_of_another_task(world: World) -> None:
    """The statement came after the transaction's end, and could have been in it."""

    async def block() -> None:
        async with connection.transaction():  # first
            await connection.execute("INSERT INTO notes (body) VALUES ('raw')")
        world.steps.reach("committed")

    async def other() -> None:
        await world.steps.until("committed")
        await connection.execute("DELETE FROM notes WHERE id = 1")  # second

    async with connect(world) as connection:
        await together(block(), other())


@CORPUS.racy("unordered")
async def a_statement_within_anothers_transaction(world: World) -> None:
    """The statement came into the middle of a transaction that it knows nothing of."""

    async def block() -> None:
        transaction = connection.transaction()
        await transaction.start()  # first
        world.steps.reach("started")
        await world.steps.until("selected")

    async def other() -> None:
        await world.steps.until("started")
        await connection.fetch("SELECT * FROM notes")  # second
        world.steps.reach("selected")

    async with connect(world) as connection:
        await together(block(), other())


@CORPUS.racy("overlap")
async def a_cursor_during_fetch(world: World) -> None:
    """A cursor fetches its rows over the same wire."""
    hold = world.hold()

    async with connect(world) as connection, connection.transaction():
        cursor = await connection.cursor(hold.sql)

        async def consume() -> None:
            await cursor.fetch(1)  # first

        async def other() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await connection.fetch("SELECT 1")  # second

        await together(consume(), other(), release(world, hold))


@CORPUS.racy("unordered")
async def a_cursor_between_fetches(world: World) -> None:
    """The cursor had its rows already."""
    async with connect(world) as connection, connection.transaction():
        cursor = await connection.cursor("SELECT * FROM notes")

        async def consume() -> None:
            await cursor.fetch(5)  # first
            world.steps.reach("fetched")

        async def other() -> None:
            await world.steps.until("fetched")
            await connection.execute("SELECT 1")  # second

        await together(consume(), other())


@CORPUS.racy("overlap")
async def a_prepared_statement_during_fetch(world: World) -> None:
    """A prepared statement belongs to its connection."""
    hold = world.hold()

    async with connect(world) as connection:
        prepared = await connection.prepare(hold.sql)

        async def slow() -> None:
            await prepared.fetch()  # first

        async def other() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await connection.fetch("SELECT 1")  # second

        await together(slow(), other(), release(world, hold))


@CORPUS.racy("unordered")
async def a_prepared_statement_after_another(world: World) -> None:
    """Two statements of one connection, one after the other."""
    async with connect(world) as connection:
        one, two = await connection.prepare("SELECT 1"), await connection.prepare("SELECT $1::int")

        async def first() -> None:
            await one.fetchval()  # first
            world.steps.reach("done")

        async def second() -> None:
            await world.steps.until("done")
            await two.fetchval(2)  # second

        await together(first(), second())


@CORPUS.racy("unordered")
async def many_rows_after_a_copy(world: World) -> None:
    """`executemany` and `copy_records_to_table` are uses, too."""

    async def copy() -> None:
        await connection.copy_records_to_table("notes", records=[("copied",)], columns=["body"])  # first
        world.steps.reach("copied")

    async def insert() -> None:
        await world.steps.until("copied")
        await connection.executemany("INSERT INTO notes (body) VALUES ($1)", [("a",), ("b",)])  # second

    async with connect(world) as connection:
        await together(copy(), insert())


@CORPUS.racy("overlap")
async def a_pool_connection_shared(world: World) -> None:
    """One task took it from the pool for all its children."""
    hold = world.hold()

    async def query(sql: str) -> None:
        if sql != hold.sql:
            await hold.in_flight()
            world.steps.reach("begun")
        await connection.fetch(sql)  # both

    async with asyncpg.create_pool(world.dsn, min_size=1, max_size=2) as pool, pool.acquire() as connection:
        await together(query(hold.sql), query("SELECT 1"), release(world, hold))


async def driver_connection(session: AsyncSession) -> "asyncpg.Connection[asyncpg.Record]":
    """What lies below a session's connection."""
    raw = await (await session.connection()).get_raw_connection()
    return cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection)


@CORPUS.racy("overlap")
async def a_session_beside_its_driver(world: World) -> None:
    """COPY needs the driver's connection; the session is still in use."""
    hold = world.hold()

    async with shared_session(world) as session:
        driver = await driver_connection(session)

        async def above() -> None:
            await session.execute(hold.statement)  # first

        async def below() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await driver.fetch("SELECT 1")  # second

        await together(above(), below(), release(world, hold))


@CORPUS.racy("unordered")
async def a_session_beside_its_driver_by_luck(world: World) -> None:
    """The same, when the session was idle."""
    async with shared_session(world) as session:
        driver = await driver_connection(session)

        async def below() -> None:
            await driver.fetch("SELECT body FROM notes")  # first
            world.steps.reach("fetched")

        async def above() -> None:
            await world.steps.until("fetched")
            await session.execute(text("SELECT 1"))  # second

        await together(below(), above())


@CORPUS.racy("overlap")
async def a_connection_closed_during_fetch(world: World) -> None:
    """The shutdown hook closes what a task still uses."""
    hold = world.hold()

    async def slow() -> None:
        await connection.fetch(hold.sql)  # first

    async def shutdown() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        with consequences():
            await connection.close(timeout=1)  # second

    async with connect(world) as connection:
        await together(slow(), shutdown(), release(world, hold))
