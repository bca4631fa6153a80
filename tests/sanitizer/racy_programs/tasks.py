"""Tasks of all kinds: siblings, children and grandchildren, anyio's, eager ones, and callbacks."""

import asyncio

import anyio
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import consequences, release, shared_session, together
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


@CORPUS.racy("overlap")
async def siblings_in_a_group_of_anyio(world: World) -> None:
    """A task group of anyio keeps them together, not apart."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def quick(number: int) -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.get(Note, number)  # second

    async with shared_session(world) as session, anyio.create_task_group() as group:
        group.start_soon(slow)
        group.start_soon(quick, 4)
        group.start_soon(release, world, hold)


@CORPUS.racy("unordered")
async def a_task_that_was_started(world: World) -> None:
    """`start` waits for `started`, which is said before the session is used."""

    async def serve(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        task_status.started()
        await session.execute(text("SELECT 'serving'"))  # first
        world.steps.reach("served")

    async with shared_session(world) as session, anyio.create_task_group() as group:
        await group.start(serve)
        await world.steps.until("served")
        await session.execute(select(Note))  # second


@CORPUS.racy("overlap")
async def results_as_they_complete_at_once(world: World) -> None:
    """`as_completed` is a gather in disguise."""
    hold = world.hold()

    async def query(sql: str) -> None:
        if sql != hold.sql:
            await hold.in_flight()
            world.steps.reach("begun")
        await session.execute(text(sql))  # both

    async with shared_session(world) as session:
        for result in asyncio.as_completed([query(hold.sql), query("SELECT 1"), release(world, hold)], timeout=10):
            await result


@CORPUS.racy("overlap")
async def lazy_loading_in_two_tasks(world: World) -> None:
    """Nobody mentions a session, and both use it."""
    locked = world.lock_notes()

    async def first(author: Author) -> None:
        await author.awaitable_attrs.notes  # first

    async def second(author: Author) -> None:
        await locked.in_flight()
        world.steps.reach("begun")
        await author.awaitable_attrs.notes  # second

    async with shared_session(world) as session:
        ada, ben = await session.scalars(select(Author).order_by(Author.id))
        await together(first(ada), second(ben), release(world, locked))


@CORPUS.racy("overlap")
async def functions_run_in_two_tasks(world: World) -> None:
    """Synchronous code within `run_sync` gives way at each statement."""
    hold = world.hold()

    async def slow() -> None:
        await session.run_sync(lambda inner: inner.execute(hold.statement))  # first

    async def quick() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.run_sync(lambda inner: inner.execute(text("SELECT 1")))  # second

    async with shared_session(world) as session:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("overlap")
async def a_change_during_a_refresh(world: World) -> None:
    """The refresh overwrites what was changed meanwhile."""

    async def reload(note: Note) -> None:
        await session.refresh(note)  # first

    async def change(note: Note) -> None:
        await locked.in_flight()
        world.steps.reach("begun")
        note.body = "changed"  # second

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        await session.commit()
        locked = world.lock_notes()
        await together(reload(note), change(note), release(world, locked))


@CORPUS.racy("unordered")
async def a_change_during_a_flush_by_luck(world: World) -> None:
    """The flush was over when the attribute was set."""

    async def save() -> None:
        await session.flush()  # first
        world.steps.reach("flushed")

    async def change() -> None:
        await world.steps.until("flushed")
        note.body = "changed"  # second

    async with shared_session(world) as session:
        note = Note(body="new")
        session.add(note)
        await together(save(), change())


@CORPUS.racy("overlap")
async def a_change_during_a_flush(world: World) -> None:
    """The flush takes a part of what was changed for the whole."""

    async def save() -> None:
        await session.flush()  # first

    async def change() -> None:
        await locked.in_flight()
        world.steps.reach("begun")
        note.body = "changed"  # second

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        await session.commit()
        session.add(Note(body="new"))
        locked = world.lock_notes()
        await together(save(), change(), release(world, locked))


@CORPUS.racy("overlap")
async def expired_during_a_query(world: World) -> None:
    """What the query has just loaded is expired by the other."""
    hold = world.hold()

    async def load() -> None:
        statement = select(Note).where(Note.id < 4, text(f"EXISTS ({hold.sql})"))
        await session.scalars(statement)  # first

    async def forget() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        session.expire(note)  # second

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        await together(load(), forget(), release(world, hold))


@CORPUS.racy("unordered")
async def nested_transactions_of_two_tasks(world: World) -> None:
    """Savepoints nest; those of two tasks are released in whatever order."""

    async def step(name: str, after: str) -> None:
        await world.steps.until(after)
        async with session.begin_nested():  # both
            session.add(Note(body=name))
        world.steps.reach(name)

    world.steps.reach("start")
    async with shared_session(world) as session:
        await together(step("one", "start"), step("two", "one"))


@CORPUS.racy("overlap", also=("unordered",))
async def a_savepoint_around_anothers_query(world: World) -> None:
    """One rolls back to its savepoint while the other's statement is in flight within it."""
    hold = world.hold()

    async def cautious() -> None:
        savepoint = await session.begin_nested()
        world.steps.reach("marked")
        await hold.in_flight()
        world.steps.reach("begun")
        with consequences():
            await savepoint.rollback()  # second

    async def other() -> None:
        await world.steps.until("marked")
        with consequences():
            await session.execute(hold.statement)  # first

    async with shared_session(world) as session:
        await together(cautious(), other(), release(world, hold))


@CORPUS.racy("overlap")
async def a_grandchild_and_its_uncle(world: World) -> None:
    """One sibling lets a child of its own do it."""
    hold = world.hold()

    async def grandchild() -> None:
        await session.execute(hold.statement)  # first

    async def child() -> None:
        await asyncio.create_task(grandchild())

    async def uncle() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.execute(text("SELECT 1"))  # second

    async with shared_session(world) as session:
        await together(child(), uncle(), release(world, hold))


@CORPUS.racy("overlap")
async def a_parent_that_goes_on(world: World) -> None:
    """The parent uses the session while its child does; it gave it away only for a while."""
    hold = world.hold()

    async def child() -> None:
        await session.execute(hold.statement)  # first

    async with shared_session(world) as session:
        task = asyncio.create_task(child())
        releasing = asyncio.create_task(release(world, hold))
        await hold.in_flight()
        world.steps.reach("begun")
        session.add(Note(body="of the parent"))  # second
        await together(task, releasing)


@CORPUS.racy("overlap", warm=0)
async def a_cold_pool(world: World) -> None:
    """The first connection is still being made when the second asks for it: SQLAlchemy raises, for once."""

    async def query() -> None:
        await session.execute(text("SELECT 1"))  # both

    async with shared_session(world) as session:
        await together(query(), query())


@CORPUS.racy("overlap", also=("unordered",), warm=0)
async def a_commit_on_a_cold_pool(world: World) -> None:
    """A commit while the first connection is being made."""

    async def query() -> None:
        await session.execute(text("SELECT 1"))  # first

    async def save() -> None:
        await session.commit()  # second

    async with shared_session(world) as session:
        await together(query(), save())


@CORPUS.racy("overlap", warm=0)
async def a_cold_pool_in_a_loop(world: World) -> None:
    """Ten lookups gathered, as a list comprehension invites to."""

    async def find(session: AsyncSession, number: int) -> None:
        await session.get(Note, number)  # both

    async with shared_session(world) as session:
        await together(*[find(session, number) for number in range(1, 11)])
