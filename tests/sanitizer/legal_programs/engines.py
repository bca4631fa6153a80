"""Engines, connections and their pools: what is below the sessions."""

import asyncio
from contextlib import suppress

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.world import Base, Note, World

CORPUS = Corpus()

NOTES = Note.__table__
HOW_MANY = select(func.count()).select_from(NOTES)


async def add(connection: AsyncConnection, body: str) -> None:
    """Insert a note."""
    await connection.execute(insert(Note).values(body=body))


@CORPUS.legal
async def engine_begin_and_connect(world: World) -> None:
    """`begin` commits at its end, `connect` by `commit`."""
    async with world.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await add(connection, "by begin")
        await connection.execute(insert(Note), [{"body": "one"}, {"body": "two"}])
    async with world.engine.connect() as connection:
        await add(connection, "by connect")
        await connection.commit()
        assert await connection.scalar(HOW_MANY) == 24


@CORPUS.legal
async def connection_handed_to_a_child(world: World) -> None:
    """A connection goes to an awaited child and back, within one transaction."""
    async with world.engine.begin() as connection:
        await add(connection, "by the parent")
        await asyncio.create_task(add(connection, "by the child"))
        await asyncio.wait_for(add(connection, "in time"), timeout=10)
        assert await connection.scalar(HOW_MANY) == 23


@CORPUS.legal
async def connection_behind_a_lock(world: World) -> None:
    """A connection that many share is used by one at a time, each in its own transaction."""

    async def work(number: int) -> None:
        async with lock, connection.begin():
            await add(connection, f"by task {number}")

    lock = asyncio.Lock()
    async with world.engine.connect() as connection:
        await asyncio.gather(*map(work, range(4)))
        assert await connection.scalar(HOW_MANY) == 24


@CORPUS.legal
async def connection_streams(world: World) -> None:
    """Rows that come by a server-side cursor."""
    async with world.engine.connect() as connection:
        async with connection.stream(select(NOTES.c.id).order_by(NOTES.c.id)) as result:
            assert [row.id async for row in result] == list(range(1, 21))
        result = await connection.stream(select(NOTES), execution_options={"yield_per": 3})
        async for partition in result.mappings().partitions():
            assert {"id", "body"} <= set(partition[0])


@CORPUS.legal
async def core_with_options(world: World) -> None:
    """Isolation levels, autocommit, and other options of one connection."""
    serial = world.engine.execution_options(isolation_level="SERIALIZABLE")
    async with serial.begin() as connection:
        statement = update(Note).where(NOTES.c.id == bindparam("number")).values(body=bindparam("text"))
        await connection.execute(statement, [{"number": 1, "text": "one"}, {"number": 2, "text": "two"}])
    async with world.engine.connect() as connection:
        automatic = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await add(automatic, "at once")
        result = await automatic.execute(text("SELECT count(*) FROM notes"), execution_options={"compiled_cache": None})
        assert result.scalar_one() == 21


@CORPUS.legal
async def savepoint_of_a_connection(world: World) -> None:
    """A savepoint that is rolled back, within a transaction that a child goes on with."""
    async with world.engine.connect() as connection, connection.begin() as transaction:
        await add(connection, "kept")
        with suppress(DBAPIError):
            async with connection.begin_nested():
                await connection.execute(text("SELECT no_such_column"))
        await asyncio.create_task(add(connection, "kept, too"))
        await transaction.commit()


@CORPUS.legal
async def session_of_a_connection(world: World) -> None:
    """A session that joins a connection's outer transaction, as test suites have it; the test rolls back."""
    async with world.engine.connect() as connection:
        outer = await connection.begin()
        async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
            await asyncio.create_task(unit(session, "by the application"))
            assert await count(session) == 21
        await outer.rollback()
        assert await connection.scalar(HOW_MANY) == 20


async def crowd(engine: AsyncEngine, size: int = 6) -> None:
    """More tasks than connections, each with a session of its own."""

    async def work(number: int) -> None:
        async with AsyncSession(engine) as session:
            await write(session, f"by task {number}")
            await session.commit()

    await asyncio.gather(*map(work, range(size)))
    async with engine.connect() as connection:
        assert await connection.scalar(HOW_MANY) == 20 + size


@CORPUS.legal
async def pool_of_one(world: World) -> None:
    """Tasks that wait for the only connection have it one after the other."""
    async with world.engine_with(pool_size=1, max_overflow=0) as engine:
        await crowd(engine)


@CORPUS.legal
async def pool_that_pings(world: World) -> None:
    """A pool that pings each connection that it gives out."""
    async with world.engine_with(pool_size=2, max_overflow=0, pool_pre_ping=True) as engine:
        await crowd(engine)


@CORPUS.legal
async def no_pool(world: World) -> None:
    """Each session opens a connection of its own."""
    async with world.engine_with(poolclass=NullPool) as engine:
        await crowd(engine, 4)


@CORPUS.legal
async def warm_pool(world: World) -> None:
    """The connections that one crowd has left serve the next."""
    async with world.engine_with(pool_size=2, max_overflow=0) as engine:
        await crowd(engine, 2)
        await asyncio.gather(*(asyncio.create_task(read_once(engine)) for _ in range(6)))


async def read_once(engine: AsyncEngine) -> int:
    """How many notes there are, by a session of its own."""
    async with AsyncSession(engine) as session:
        return await count(session)


@CORPUS.legal
async def pool_that_is_exhausted(world: World) -> None:
    """A task that gets no connection in time has done nothing; the one that holds it goes on."""
    async with world.engine_with(pool_size=1, max_overflow=0, pool_timeout=0.02) as engine:
        async with AsyncSession(engine) as holder:
            await write(holder, "by the holder")
            with suppress(PoolTimeoutError):
                await asyncio.create_task(read_once(engine))
            await holder.commit()
        assert await read_once(engine) == 21


@CORPUS.legal
async def invalidated_connection(world: World) -> None:
    """A connection that is given up is replaced when the session goes on."""
    async with world.session() as session:
        await count(session)
        await session.invalidate()
        await asyncio.create_task(unit(session, "by another connection"))
    async with world.engine.connect() as connection:
        await connection.scalar(HOW_MANY)
        await connection.invalidate()
        await connection.rollback()
        assert await connection.scalar(HOW_MANY) == 21


@CORPUS.legal
async def cancelled_query_then_rollback(world: World) -> None:
    """A query that is cancelled is followed by a rollback, and by work of the same session."""
    hold = world.hold()
    async with world.session() as session:
        query = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        query.cancel()
        await asyncio.wait([query])
        await session.rollback()
        await unit(session, "after it")
    await asyncio.gather(*(read_once(world.engine) for _ in range(4)))


@CORPUS.legal
async def engine_disposed_and_used_again(world: World) -> None:
    """A disposed engine opens new connections, in whichever task it is used next."""
    assert await read_once(world.engine) == 20
    await asyncio.create_task(world.engine.dispose())
    assert await asyncio.create_task(read_once(world.engine)) == 20
