"""Tasks that were started, stopped, or given up, and of whose end nobody made sure."""

import asyncio
import contextlib

from sqlalchemy import select, text

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import consequences, release, shared_session, together
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.racy("overlap")
async def gathered(world: World) -> None:
    """The plainest of all: both at once."""
    hold = world.hold()

    async def quick() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.execute(select(Note))  # second

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async with shared_session(world) as session:
        await asyncio.gather(slow(), quick(), release(world, hold))


@CORPUS.racy("overlap")
async def siblings_in_a_task_group(world: World) -> None:
    """A task group waits for its tasks; it does not keep them apart."""
    hold = world.hold()

    async def query(sql: str, *, begun: bool) -> None:
        if begun:
            await hold.in_flight()
            world.steps.reach("begun")
        await session.execute(text(sql))  # both

    async with shared_session(world) as session, asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(query(hold.sql, begun=False))
        group.create_task(query("SELECT 1", begun=True))
        group.create_task(release(world, hold))


@CORPUS.racy("unordered")
async def siblings_in_a_task_group_by_luck(world: World) -> None:
    """The second was created when the first had ended, but nobody had looked."""

    async def read() -> None:
        await session.execute(select(Note))  # first
        world.steps.reach("read")

    async def save() -> None:
        await session.commit()  # second

    async with shared_session(world) as session, asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(read())
        await world.steps.until("read")
        group.create_task(save())


@CORPUS.racy("overlap")
async def a_shielded_task_outlives_its_timeout(world: World) -> None:
    """`wait_for` gives up waiting, the shield keeps the query going, and the caller takes the session again."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def caller() -> None:
        query = asyncio.create_task(slow())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(query), 0.01)
        await hold.in_flight()
        world.steps.reach("begun")
        await session.execute(text("SELECT 'fallback'"))  # second
        await query

    async with shared_session(world) as session:
        await together(caller(), release(world, hold))


@CORPUS.racy("overlap")
async def a_cancelled_caller_of_a_shielded_task(world: World) -> None:
    """The caller is cancelled and rolls back, while what it shielded is still at it."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def caller() -> None:
        try:
            await asyncio.shield(query)
        except asyncio.CancelledError:
            world.steps.reach("begun")
            with consequences():
                await session.rollback()  # second
            raise

    async with shared_session(world) as session:
        query = asyncio.create_task(slow())
        calling = asyncio.create_task(caller())
        await hold.in_flight()
        calling.cancel()
        await together(query, calling_off(calling), release(world, hold))


async def calling_off(task: "asyncio.Task[None]") -> None:
    """Wait for a task that is being cancelled."""
    with contextlib.suppress(asyncio.CancelledError):
        await task


@CORPUS.racy("overlap")
async def cancelled_and_not_awaited(world: World) -> None:
    """`cancel` is a request; the query is still in flight when the caller goes on."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async with shared_session(world) as session:
        query = asyncio.create_task(slow())
        await hold.in_flight()
        query.cancel()
        with consequences():
            await session.execute(text("SELECT 'next'"))  # second
        await together(calling_off(query))


@CORPUS.racy("unordered")
async def cancelled_and_given_a_moment(world: World) -> None:
    """The caller leaves the loop a few rounds to unwind what it cancelled, and does not ask."""

    async def steady() -> None:
        try:
            await session.execute(select(Note))  # first
            world.steps.reach("read")
            await asyncio.sleep(3600)
        finally:
            world.steps.reach("unwound")

    async with shared_session(world) as session:
        task = asyncio.create_task(steady())
        await world.steps.until("read")
        task.cancel()
        await world.steps.until("unwound")
        await session.execute(text("SELECT 'next'"))  # second
        await calling_off(task)


@CORPUS.racy("overlap")
async def the_first_of_two_results(world: World) -> None:
    """`FIRST_COMPLETED` leaves the other one pending, and in flight."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def caller() -> None:
        query = asyncio.create_task(slow())
        answer = asyncio.create_task(hold.in_flight())
        await asyncio.wait({query, answer}, return_when=asyncio.FIRST_COMPLETED)
        world.steps.reach("begun")
        await session.execute(select(Note))  # second
        await query

    async with shared_session(world) as session:
        await together(caller(), release(world, hold))


@CORPUS.racy("overlap")
async def waiting_with_a_timeout(world: World) -> None:
    """`asyncio.wait` comes back after its timeout, and cancels nobody."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def caller() -> None:
        query = asyncio.create_task(slow())
        await asyncio.wait([query], timeout=0.01)
        await hold.in_flight()
        world.steps.reach("begun")
        with consequences():
            await session.commit()  # second
        await query

    async with shared_session(world) as session:
        await together(caller(), release(world, hold))


@CORPUS.racy("overlap")
async def a_gather_that_failed_early(world: World) -> None:
    """`gather` raises the first failure, and its other tasks go on."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def failing() -> None:
        await hold.in_flight()
        raise LookupError

    async def caller() -> None:
        query = asyncio.create_task(slow())
        try:
            await asyncio.gather(query, failing())
        except LookupError:
            world.steps.reach("begun")
            with consequences():
                await session.rollback()  # second
        await asyncio.wait([query])
        with consequences():
            query.result()

    async with shared_session(world) as session:
        await together(caller(), release(world, hold))


@CORPUS.racy("unordered")
async def results_as_they_complete(world: World) -> None:
    """The loop body uses the session when the first result is there; the others ended, by luck, before."""

    async def title(number: int) -> str:
        if number == 1:
            return "from the cache"
        body = await session.scalar(select(Note.body).where(Note.id == number))  # first
        world.steps.reach("loaded")
        return str(body)

    async with shared_session(world) as session:
        tasks = [asyncio.ensure_future(title(number)) for number in (1, 2)]
        for position, result in enumerate(asyncio.as_completed(tasks)):
            await result
            if position == 0:
                await world.steps.until("loaded")
                await session.execute(text("SELECT 1"))  # second


@CORPUS.racy("overlap")
async def fire_and_forget(world: World) -> None:
    """An audit is sent off in the background, and its creator goes on with the same session."""
    hold = world.hold()
    audits: list[asyncio.Task[None]] = []

    async def audit() -> None:
        await session.execute(hold.statement)  # first

    async def handle() -> None:
        audits.append(asyncio.create_task(audit()))
        await hold.in_flight()
        world.steps.reach("begun")
        await session.scalars(select(Note))  # second

    async with shared_session(world) as session:
        await together(handle(), release(world, hold))
        await together(*audits)


@CORPUS.racy("unordered")
async def used_before_the_child_is_awaited(world: World) -> None:
    """The child had, by luck, ended when its creator used the session, and was awaited after that."""

    async def child() -> None:
        await session.execute(select(Note))  # first
        world.steps.reach("done")

    async with shared_session(world) as session:
        task = asyncio.create_task(child())
        await world.steps.until("done")
        await session.execute(text("SELECT 1"))  # second
        await task
