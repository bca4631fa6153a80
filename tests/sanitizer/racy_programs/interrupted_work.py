"""Work that another task ends in the middle: while it is in flight, between two steps, or through a detour."""

import asyncio

import anyio
from sqlalchemy import text
from sqlalchemy.orm import selectinload

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


@CORPUS.racy("overlap", also=("bleed", "unordered"))
async def a_commit_during_more_work(world: World) -> None:
    """The writer has added, and asks for more, when the other commits into it."""
    hold = world.hold()

    async def writer() -> None:
        session.add(Note(body="added"))
        await session.execute(hold.statement)  # first

    async def committer() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.commit()  # second

    async with shared_session(world) as session:
        await together(writer(), committer(), release(world, hold))


@CORPUS.racy("overlap", also=("bleed",))
async def an_insert_in_flight(world: World) -> None:
    """The row is on its way when the other rolls back."""
    hold = world.hold()

    async def writer() -> None:
        await session.execute(text(f"INSERT INTO notes (body) SELECT 'slow' FROM ({hold.sql}) waited"))  # first

    async def other() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.rollback()  # second

    async with shared_session(world) as session:
        await together(writer(), other(), release(world, hold))


@CORPUS.racy("bleed", "unordered")
async def a_cost_row_and_an_error_handler(world: World) -> None:
    """The tracker adds its row, and a tool that failed rolls back before the tracker commits."""

    async def tracker() -> None:
        session.add(Note(body="0.02 USD"))  # first
        world.steps.reach("tracked")
        await world.steps.until("rolled back")

    async def tool() -> None:
        await world.steps.until("tracked")
        try:
            int("not a number")
        except ValueError:
            await session.rollback()  # second
            world.steps.reach("rolled back")

    async with shared_session(world) as session:
        await together(tracker(), tool())


@CORPUS.racy("bleed")
async def a_row_appended_to_a_collection(world: World) -> None:
    """Nothing was added, but the author is attached, and so is the note."""
    lock = asyncio.Lock()

    async def write(author: Author) -> None:
        async with lock:
            author.notes.append(Note(body="appended"))  # first
        world.steps.reach("appended")
        await world.steps.until("committed")

    async def save() -> None:
        await world.steps.until("appended")
        async with lock:
            await session.commit()  # second
        world.steps.reach("committed")

    async with shared_session(world) as session:
        ada = await session.get_one(Author, 1, options=[selectinload(Author.notes)])
        await together(write(ada), save())


@CORPUS.racy("bleed")
async def a_row_added_in_a_function(world: World) -> None:
    """Synchronous code adds, and another task's rollback forgets it."""
    limit = anyio.Semaphore(1)

    async def write() -> None:
        async with limit:
            await session.run_sync(lambda inner: inner.add(Note(body="added")))  # first
        world.steps.reach("added")
        await world.steps.until("rolled back")

    async def other() -> None:
        await world.steps.until("added")
        async with limit:
            await session.rollback()  # second
        world.steps.reach("rolled back")

    async with shared_session(world) as session:
        await together(write(), other())


@CORPUS.racy("bleed")
async def a_session_reset_between_two_steps(world: World) -> None:
    """`reset` prepares the session for the next request, whose predecessor is not done."""
    lock = asyncio.Lock()

    async def request() -> None:
        async with lock:
            await session.execute(text("DELETE FROM notes WHERE id = 20"))  # first
        world.steps.reach("deleted")
        await world.steps.until("reset")

    async def next_request() -> None:
        await world.steps.until("deleted")
        async with lock:
            await session.reset()  # second
        world.steps.reach("reset")

    async with shared_session(world) as session:
        await together(request(), next_request())


@CORPUS.racy("bleed")
async def a_child_that_commits_for_its_uncle(world: World) -> None:
    """The committer's parent knows nothing of the writer, who was there before both."""
    lock = asyncio.Lock()

    async def save() -> None:
        async with lock:
            await session.commit()  # second

    async def writer() -> None:
        async with lock:
            await session.merge(Note(id=8, body="merged"))  # first
        world.steps.reach("merged")
        await world.steps.until("saved")

    async def housekeeping() -> None:
        await world.steps.until("merged")
        async with asyncio.TaskGroup() as group:
            group.create_task(save())
        world.steps.reach("saved")

    async with shared_session(world) as session:
        await together(writer(), housekeeping())
