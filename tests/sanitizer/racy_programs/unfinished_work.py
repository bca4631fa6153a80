"""More ways in which a transaction's end covers another task's unfinished work, most of them behind a lock."""

import asyncio
from dataclasses import dataclass, field

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import (
    consequences,
    shared_connection,
    shared_session,
    together,
)
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


@CORPUS.racy("bleed")
async def a_repository_that_locks_each_call(world: World) -> None:
    """Every method takes the lock; a unit of work is several of them."""

    @dataclass
    class Repository:
        session: AsyncSession
        lock: asyncio.Lock = field(default_factory=asyncio.Lock)

        async def add(self, body: str) -> None:
            async with self.lock:
                self.session.add(Note(body=body))  # first

        async def read(self, number: int) -> Note | None:
            async with self.lock:
                return await self.session.get(Note, number)

        async def save(self) -> None:
            async with self.lock:
                await self.session.commit()  # second

    async def order() -> None:
        await notes.add("order")
        world.steps.reach("added")
        await world.steps.until("saved")
        await notes.read(1)

    async def visit() -> None:
        await world.steps.until("added")
        await notes.read(2)
        await notes.save()
        world.steps.reach("saved")

    async with shared_session(world) as session:
        notes = Repository(session)
        await together(order(), visit())


@CORPUS.racy("bleed")
async def an_error_handler_that_rolls_back(world: World) -> None:
    """One request fails, and rolls back what the other has flushed."""
    lock = asyncio.Lock()

    async def successful() -> None:
        async with lock:
            await session.execute(insert(Author).values(name="Eve"))  # first
        world.steps.reach("inserted")
        await world.steps.until("failed")

    async def failing() -> None:
        await world.steps.until("inserted")
        try:
            int("not a number")
        except ValueError:
            async with lock:
                await session.rollback()  # second
            world.steps.reach("failed")

    async with shared_session(world) as session:
        await together(successful(), failing())


@CORPUS.racy("bleed")
async def a_savepoint_rolled_back(world: World) -> None:
    """What another flushed since the savepoint goes with it."""
    lock = asyncio.Lock()

    async def cautious() -> None:
        async with lock:
            savepoint = await session.begin_nested()
        world.steps.reach("marked")
        await world.steps.until("inserted")
        async with lock:
            await savepoint.rollback()  # second
        world.steps.reach("undone")

    async def other() -> None:
        await world.steps.until("marked")
        async with lock:
            await session.execute(insert(Note).values(body="between"))  # first
        world.steps.reach("inserted")
        await world.steps.until("undone")

    async with shared_session(world) as session:
        await together(cautious(), other())


@CORPUS.racy("bleed")
async def a_failed_flush(world: World) -> None:
    """A flush that fails rolls everything back, also what others wrote."""
    lock = asyncio.Lock()

    async def writer() -> None:
        async with lock:
            await session.execute(text("INSERT INTO authors (name) VALUES ('Fay')"))  # first
        world.steps.reach("written")
        await world.steps.until("failed")

    async def failing() -> None:
        await world.steps.until("written")
        async with lock:
            session.add(Note(id=1, body="a duplicate"))
            with consequences():
                await session.flush()  # second
        world.steps.reach("failed")

    async with shared_session(world) as session:
        await together(writer(), failing())


@CORPUS.racy("bleed")
async def a_connection_behind_a_lock(world: World) -> None:
    """Core has no session, and the same trouble."""
    lock = asyncio.Lock()

    async def writer() -> None:
        async with lock:
            await connection.execute(insert(Note).values(body="core"))  # first
        world.steps.reach("written")
        await world.steps.until("committed")

    async def committer() -> None:
        await world.steps.until("written")
        async with lock:
            await connection.commit()  # second
        world.steps.reach("committed")

    async with shared_connection(world) as connection:
        await together(writer(), committer())


@CORPUS.racy("bleed")
async def a_connection_rolled_back_behind_a_lock(world: World) -> None:
    """The other end of a connection's transaction."""
    lock = asyncio.Lock()

    async def writer() -> None:
        async with lock:
            await connection.execute(text("UPDATE notes SET body = 'core' WHERE id = 1"))  # first
        world.steps.reach("written")
        await world.steps.until("rolled back")

    async def reader() -> None:
        await world.steps.until("written")
        async with lock:
            await connection.execute(text("SELECT 1"))
            await connection.rollback()  # second
        world.steps.reach("rolled back")

    async with shared_connection(world) as connection:
        await together(writer(), reader())


@CORPUS.racy("bleed")
async def a_done_child_of_a_live_parent(world: World) -> None:
    """The task that wrote is done, but the one that it worked for is not, and another commits."""
    lock = asyncio.Lock()

    async def add_a_line() -> None:
        async with lock:
            session.add(Note(body="a line"))  # first

    async def write_a_page() -> None:
        await asyncio.create_task(add_a_line())
        world.steps.reach("a line")
        await world.steps.until("committed")

    async def another() -> None:
        await world.steps.until("a line")
        async with lock:
            await session.commit()  # second
        world.steps.reach("committed")

    async with shared_session(world) as session:
        await together(write_a_page(), another())


@CORPUS.racy("bleed")
async def a_committer_in_a_child(world: World) -> None:
    """The commit stands in a child of the sibling, which is no nearer to the writer."""
    lock = asyncio.Lock()

    async def save() -> None:
        async with lock:
            await session.commit()  # second

    async def writer() -> None:
        async with lock:
            await session.execute(insert(Note).values(body="mine"))  # first
        world.steps.reach("written")
        await world.steps.until("saved")

    async def saver() -> None:
        await world.steps.until("written")
        await asyncio.create_task(save())
        world.steps.reach("saved")

    async with shared_session(world) as session:
        await together(writer(), saver())


@CORPUS.racy("bleed")
async def a_parent_commits_for_its_child(world: World) -> None:
    """The parent saves behind the lock while its child is in the middle of something."""
    lock = asyncio.Lock()

    async def child() -> None:
        async with lock:
            session.add(Note(body="half"))  # first
        world.steps.reach("half")
        await world.steps.until("saved")
        async with lock:
            await session.execute(select(Note).limit(1))

    async with shared_session(world) as session:
        task = asyncio.create_task(child())
        await world.steps.until("half")
        async with lock:
            await session.commit()  # second
        world.steps.reach("saved")
        await together(task)


@CORPUS.racy("bleed")
async def a_transaction_block_behind_a_lock(world: World) -> None:
    """`async with session.begin()` is one unit of work only for who wrote it."""
    lock = asyncio.Lock()

    async def block() -> None:
        await lock.acquire()
        async with session.begin():  # second
            lock.release()
            world.steps.reach("begun")
            await world.steps.until("written")
            await lock.acquire()
        lock.release()
        world.steps.reach("committed")

    async def intruder() -> None:
        await world.steps.until("begun")
        async with lock:
            session.add(Note(body="within"))  # first
        world.steps.reach("written")
        await world.steps.until("committed")

    async with shared_session(world) as session:
        await together(block(), intruder())
