"""Drivers without SQLAlchemy, below it, and in other make."""

import asyncio
from contextlib import suppress

import asyncpg
import psycopg
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

INSERT = "INSERT INTO notes (body) VALUES ($1)"
COUNT = "SELECT count(*) FROM notes"


def plain(url: str) -> str:
    """The URL as the drivers themselves take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@CORPUS.legal
async def asyncpg_pool(world: World) -> None:
    """Tasks that acquire connections from a pool have each one for themselves."""

    async def work(number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(INSERT, f"by task {number}")

    async with asyncpg.create_pool(plain(world.url), min_size=1, max_size=2) as pool:
        await asyncio.gather(*map(work, range(6)))
        assert await pool.fetchval(COUNT) == 26
        assert await asyncio.gather(*(pool.fetchval(COUNT) for _ in range(4))) == [26] * 4


@CORPUS.legal
async def asyncpg_cursor_and_prepared_statement(world: World) -> None:
    """Cursors and prepared statements of a connection, by the task that has acquired it."""
    async with asyncpg.create_pool(plain(world.url), min_size=1, max_size=1) as pool, pool.acquire() as connection:
        async with connection.transaction():
            bodies = [row["body"] async for row in connection.cursor("SELECT body FROM notes ORDER BY id", prefetch=7)]
            cursor = await connection.cursor("SELECT id FROM notes ORDER BY id")
            await cursor.forward(3)
            assert [row["id"] for row in await cursor.fetch(2)] == [4, 5]
        statement = await connection.prepare("SELECT body FROM notes WHERE id = $1")
        assert await statement.fetchval(3) == bodies[2]
        await connection.executemany(INSERT, [("one",), ("two",)])


@CORPUS.legal
async def asyncpg_connection_handed_over(world: World) -> None:
    """A connection goes through a queue to a task that goes on within its transaction, and commits it."""

    async def finish() -> None:
        connection, transaction = await handed.get()
        await connection.execute(INSERT, "by the second")
        await transaction.commit()
        await connection.close()
        world.steps.reach("finished")

    handed: asyncio.Queue[tuple[asyncpg.Connection, asyncpg.transaction.Transaction]] = asyncio.Queue()
    finisher = asyncio.create_task(finish())
    connection = await asyncpg.connect(plain(world.url))
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(INSERT, "by the first")
    handed.put_nowait((connection, transaction))
    await world.steps.until("finished")
    await finisher


@CORPUS.legal
async def asyncpg_connection_behind_a_lock(world: World) -> None:
    """One connection for all, behind a lock, with a transaction for each."""

    async def work(number: int) -> None:
        async with lock, connection.transaction():
            await connection.execute(INSERT, f"by task {number}")
            assert await connection.fetchval(COUNT) > 20

    lock = asyncio.Lock()
    connection = await asyncpg.connect(plain(world.url))
    await asyncio.gather(*map(work, range(4)))
    await connection.close()


@CORPUS.legal
async def asyncpg_query_cancelled(world: World) -> None:
    """A query that is cancelled has ended when its task is awaited, and the connection is used again."""
    hold = world.hold()
    connection = await asyncpg.connect(plain(world.url))
    query = asyncio.create_task(connection.fetchval(hold.sql))
    await hold.in_flight()
    query.cancel()
    with suppress(asyncio.CancelledError):
        await query
    assert await connection.fetchval(COUNT) == 20
    with suppress(TimeoutError):
        await connection.fetchval(hold.sql, timeout=0.02)
    assert await connection.fetchval(COUNT) == 20
    await connection.close()


@CORPUS.legal
async def driver_connection_of_a_session(world: World) -> None:
    """The driver's connection, got from a session, is used between the session's operations by the same task."""
    async with world.session() as session:
        await write(session, "by the session")
        raw = await (await session.connection()).get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        assert await driver.fetchval(COUNT) == 21
        await driver.copy_records_to_table("notes", records=[("copied",)], columns=["body"])
        assert await count(session) == 22
        await session.commit()


@CORPUS.legal
async def psycopg_engine(world: World) -> None:
    """SQLAlchemy's asynchronous psycopg: hand-over to a child, sessions of their own, a stream."""

    async def work(number: int) -> None:
        async with AsyncSession(engine) as session:
            await unit(session, f"by task {number}")

    async with world.engine_with(drivername="postgresql+psycopg") as engine, AsyncSession(engine) as session:
        await write(session, "by the parent")
        await asyncio.create_task(write(session, "by the child"))
        await session.commit()
        await asyncio.gather(*map(work, range(4)))
        result = await session.stream_scalars(select(Note.body))
        assert len([body async for body in result]) == 26


@CORPUS.legal
async def psycopg_query_cancelled(world: World) -> None:
    """A query by psycopg that is cancelled is followed by a rollback."""
    hold = world.hold()
    async with world.engine_with(drivername="postgresql+psycopg") as engine, AsyncSession(engine) as session:
        query = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        query.cancel()
        await asyncio.wait([query])
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def psycopg_pool(world: World) -> None:
    """The pool of psycopg, with tasks that wait for a connection."""

    async def work(number: int) -> None:
        async with pool.connection() as connection, connection.cursor() as cursor:
            await cursor.execute("INSERT INTO notes (body) VALUES (%s)", (f"by task {number}",))

    async with AsyncConnectionPool(plain(world.url), min_size=1, max_size=2, open=False) as pool:
        await asyncio.gather(*map(work, range(6)))
        async with pool.connection() as connection:
            row = await (await connection.execute(COUNT)).fetchone()
            assert row == (26,)


@CORPUS.legal
async def psycopg_connection_shared_in_turn(world: World) -> None:
    """A psycopg connection that an awaited child goes on with, in a pipeline and in a transaction."""

    async def insert(body: str) -> None:
        async with connection.transaction():
            await connection.execute("INSERT INTO notes (body) VALUES (%s)", (body,))

    async with await psycopg.AsyncConnection.connect(plain(world.url)) as connection:
        await insert("by the parent")
        await asyncio.create_task(insert("by the child"))
        async with connection.pipeline():
            await insert("in a pipeline")
        cursor = await connection.execute(COUNT)
        assert await cursor.fetchone() == (23,)
