"""Races whose objects are reached by a detour, or whose locks and pools only look as if they ordered something."""

import asyncio

import asyncpg
import psycopg
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import insert, text

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import shared_session, together
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.racy("bleed")
async def session_commits_what_its_connection_wrote(world: World) -> None:
    """One task writes through the session's connection; another one commits the session."""
    lock = asyncio.Lock()

    async def writer() -> None:
        async with lock:
            connection = await session.connection()
            await connection.execute(insert(Note).values(body="not yet"))  # first
        world.steps.reach("written")
        await world.steps.until("committed")

    async def committer() -> None:
        await world.steps.until("written")
        async with lock:
            await session.commit()  # second
        world.steps.reach("committed")

    async with shared_session(world) as session:
        await together(writer(), committer())


@CORPUS.racy("bleed")
async def psycopg_commits_what_another_wrote(world: World) -> None:
    """Two tasks have one connection of psycopg's, behind a lock."""
    lock = asyncio.Lock()

    async def writer() -> None:
        async with lock:
            await connection.execute("INSERT INTO notes (body) VALUES ('not yet')")  # first
        world.steps.reach("written")
        await world.steps.until("committed")

    async def committer() -> None:
        await world.steps.until("written")
        async with lock:
            await connection.commit()  # second
        world.steps.reach("committed")

    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await together(writer(), committer())


@CORPUS.racy("bleed")
async def asyncpg_commits_what_another_copied(world: World) -> None:
    """Records that are copied to a table are written."""
    lock = asyncio.Lock()

    async def writer() -> None:
        async with lock:
            await connection.copy_records_to_table("notes", records=[("not yet",)], columns=["body"])  # first
        world.steps.reach("written")
        await world.steps.until("committed")

    async def committer() -> None:
        await world.steps.until("written")
        async with lock:
            await transaction.commit()  # second
        world.steps.reach("committed")

    connection = await asyncpg.connect(world.dsn)
    transaction = connection.transaction()
    await transaction.start()
    await together(writer(), committer())
    await connection.close()


@CORPUS.racy("unordered")
async def a_pool_of_one_of_psycopg(world: World) -> None:
    """Whoever waits for a connection of the pool goes on when another puts it back, which orders nothing else."""

    async def early() -> None:
        async with pool.connection():
            world.steps.reach("taken")
            await session.execute(text("SELECT 1"))  # first
            for _ in range(10):
                await asyncio.sleep(0)

    async def late() -> None:
        await world.steps.until("taken")
        async with pool.connection():
            await session.execute(text("SELECT 2"))  # second

    opened = AsyncConnectionPool(world.dsn, min_size=1, max_size=1, open=False)
    async with opened as pool, shared_session(world) as session:
        await pool.wait()
        await together(early(), late())


@CORPUS.racy("unordered")
async def a_lock_that_a_task_takes(world: World) -> None:
    """A lock is a lock also if it is taken by a task of its own, as `wait_for` does it in Python 3.11."""
    lock = asyncio.Lock()

    async def early() -> None:
        await session.execute(text("SELECT 1"))  # first
        await asyncio.create_task(lock.acquire())
        lock.release()
        world.steps.reach("released")

    async def late() -> None:
        await world.steps.until("released")
        await asyncio.create_task(lock.acquire())
        lock.release()
        await session.execute(text("SELECT 2"))  # second

    async with shared_session(world) as session:
        await together(early(), late())


@CORPUS.racy("unordered")
async def the_last_of_many_is_awaited(world: World) -> None:
    """The others have ended too, but by luck."""

    async def stage(number: int) -> None:
        session.add(Note(body=f"by task {number}"))  # first

    async def flush() -> None:
        tasks = [asyncio.create_task(stage(number)) for number in range(17)]
        for _ in range(3):
            await asyncio.sleep(0)
        for task in tasks[-3:]:
            await task
        await session.flush()  # second

    async with shared_session(world) as session:
        await together(flush())
