"""Eager tasks and callbacks of the event loop: what runs at once, or in nobody's task."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, text

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@contextlib.contextmanager
def eager_tasks() -> Iterator[None]:
    """Let tasks begin when they are created."""
    loop = asyncio.get_running_loop()
    factory: Any = getattr(asyncio, "eager_task_factory", None)  # since Python 3.12
    before = loop.get_task_factory()
    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(before)


@CORPUS.racy("overlap", min_python=(3, 12))
async def an_eager_child_in_flight(world: World) -> None:
    """The child has begun its query when `create_task` returns."""
    hold = world.hold()

    async def child() -> None:
        await session.execute(hold.statement)  # first

    async with shared_session(world) as session:
        with eager_tasks():
            task = asyncio.create_task(child())
        releasing = asyncio.create_task(release(world, hold))
        world.steps.reach("begun")
        await session.execute(text("SELECT 1"))  # second
        await together(task, releasing)


@CORPUS.racy("overlap", min_python=(3, 12))
async def eager_siblings(world: World) -> None:
    """Each of them begins at once, and waits at the same place."""
    hold = world.hold()

    async def query(sql: str) -> None:
        await session.execute(text(sql))  # both

    async with shared_session(world) as session:
        with eager_tasks():
            tasks = [asyncio.create_task(query(sql)) for sql in (hold.sql, "SELECT 1")]
        hold.release()
        await together(*tasks)


@CORPUS.racy("unordered", min_python=(3, 12))
async def an_eager_child_by_luck(world: World) -> None:
    """The child ended before its creator went on, which did not look."""

    async def child() -> None:
        await session.execute(select(Note))  # first
        world.steps.reach("done")

    async with shared_session(world) as session:
        with eager_tasks():
            task = asyncio.create_task(child())
        await world.steps.until("done")
        session.expire_all()  # second
        await task


@CORPUS.racy("overlap", min_python=(3, 12))
async def an_eager_task_group(world: World) -> None:
    """The group's body uses the session that its eager task is using."""
    hold = world.hold()

    async def child() -> None:
        await session.scalar(hold.statement)  # first

    async with shared_session(world) as session:
        with eager_tasks():
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                group.create_task(release(world, hold))
                world.steps.reach("begun")
                await session.flush()  # second


@CORPUS.racy("overlap")
async def a_callback_that_adds(world: World) -> None:
    """A callback of the loop has no task, and adds while a query is in flight."""
    hold = world.hold()
    noted = asyncio.Event()

    def note_it() -> None:
        session.add(Note(body="noted"))  # second
        noted.set()

    async def query() -> None:
        await session.execute(hold.statement)  # first

    async def schedule() -> None:
        await hold.in_flight()
        asyncio.get_running_loop().call_soon(note_it)
        await noted.wait()
        hold.release()

    async with shared_session(world) as session:
        await together(query(), schedule())


@CORPUS.racy("overlap")
async def a_timer_that_forgets(world: World) -> None:
    """A timer that was set before the query goes off during it."""
    hold = world.hold()
    forgotten = asyncio.Event()

    def forget(note: Note) -> None:
        session.expunge(note)  # second
        forgotten.set()

    async def query() -> None:
        await session.execute(hold.statement)  # first

    async def schedule(note: Note) -> None:
        await hold.in_flight()
        asyncio.get_running_loop().call_later(0.001, forget, note)
        await forgotten.wait()
        hold.release()

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        await together(query(), schedule(note))


@CORPUS.racy("overlap")
async def a_callback_of_an_unrelated_task(world: World) -> None:
    """A task's end changes an object whose session another task is using."""
    hold = world.hold()
    marked = asyncio.Event()

    def mark(_: "asyncio.Task[None]") -> None:
        note.body = "marked"  # second
        marked.set()

    async def query() -> None:
        await session.execute(hold.statement)  # first

    async def wait() -> None:
        await marked.wait()
        hold.release()

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        unrelated = asyncio.create_task(hold.in_flight())
        unrelated.add_done_callback(mark)
        await together(query(), unrelated, wait())


@CORPUS.racy("unordered")
async def a_callback_after_a_query_by_luck(world: World) -> None:
    """The callback came when the query was over."""
    noted = asyncio.Event()

    def note_it() -> None:
        session.add(Note(body="noted"))  # second
        noted.set()

    async def query() -> None:
        await session.execute(select(Note))  # first
        world.steps.reach("queried")

    async def schedule() -> None:
        await world.steps.until("queried")
        asyncio.get_running_loop().call_soon(note_it)
        await noted.wait()

    async with shared_session(world) as session:
        await together(query(), schedule())


@CORPUS.racy("overlap")
async def a_callback_of_ones_own(world: World) -> None:
    """A task schedules the callback itself, and is in its query when that runs."""
    hold = world.hold()
    noted = asyncio.Event()

    def note_it() -> None:
        session.add(Note(body="noted"))  # second
        noted.set()

    async def query() -> None:
        asyncio.get_running_loop().call_soon(note_it)
        await session.execute(hold.statement)  # first

    async def wait() -> None:
        await noted.wait()
        hold.release()

    async with shared_session(world) as session:
        await together(query(), wait())
