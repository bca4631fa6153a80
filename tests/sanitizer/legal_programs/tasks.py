"""A session that goes from a parent to a child and back, by whatever the parent waits for the child with."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.legal
async def parent_awaits_its_child(world: World) -> None:
    """A parent that awaits its child may go on with the session."""
    async with world.session() as session:
        await write(session, "before")
        await asyncio.create_task(write(session, "meanwhile"))
        await write(session, "after")
        await session.commit()


@CORPUS.legal
async def children_in_turn(world: World) -> None:
    """Children that are awaited one by one may share a session."""
    async with world.session() as session:
        for number in range(5):
            await asyncio.ensure_future(write(session, f"note {number}"))
        assert await count(session) == 25
        await session.commit()


@CORPUS.legal
async def child_done_before_it_is_awaited(world: World) -> None:
    """A child that has ended when its parent awaits it has still ended before."""
    async with world.session() as session:
        child = asyncio.create_task(write(session, "early"))
        child.add_done_callback(lambda _: world.steps.reach("ended"))
        await world.steps.until("ended")
        await child
        await session.commit()


@CORPUS.legal
async def child_fails(world: World) -> None:
    """A child's exception reaches the parent, which rolls back."""

    async def fail(session: AsyncSession) -> None:
        await write(session, "in vain")
        raise LookupError

    async with world.session() as session:
        with suppress(LookupError):
            await asyncio.create_task(fail(session))
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def gathered_child_fails_while_another_works(world: World) -> None:
    """`gather` gives the first exception; the sibling that is still at work has a session of its own."""

    async def fail(session: AsyncSession) -> None:
        await write(session, "in vain")
        raise LookupError

    async def succeed() -> None:
        async with world.session() as session:
            await session.execute(hold.statement)
            await write(session, "kept")
            await session.commit()

    hold = world.hold()
    async with world.session() as session:
        sibling = asyncio.create_task(succeed())
        await hold.in_flight()
        with suppress(LookupError):
            await asyncio.gather(fail(session), sibling)
        await session.rollback()
        hold.release()
        await sibling
        assert await count(session) == 21


@CORPUS.legal
async def gathered_with_one_session_user(world: World) -> None:
    """Of several gathered children one uses the session; the parent goes on when all are there."""
    async with world.session() as session:
        written, *_ = await asyncio.gather(write(session, "one"), asyncio.sleep(0), asyncio.sleep(0.001))
        assert await session.get(Note, written) is not None
        await session.commit()


@CORPUS.legal
async def first_completed_used_the_session(world: World) -> None:
    """`wait` returns with the child that used the session; another one waits on."""
    async with world.session() as session:
        child, other = asyncio.create_task(write(session, "first")), asyncio.create_task(asyncio.sleep(60))
        done, pending = await asyncio.wait([child, other], return_when=asyncio.FIRST_COMPLETED)
        assert done == {child}
        await write(session, "second")
        await session.commit()
        for task in pending:
            task.cancel()
        await asyncio.wait(pending)


@CORPUS.legal
async def task_group_of_one(world: World) -> None:
    """The end of a task group is the end of its children."""
    async with world.session() as session:
        async with asyncio.TaskGroup() as group:
            group.create_task(write(session, "in the group"))
        await session.commit()


@CORPUS.legal
async def task_group_whose_children_ended_early(world: World) -> None:
    """A task group whose child has ended before its block does still waits for it."""
    async with world.session() as session:
        async with asyncio.TaskGroup() as group:
            child = group.create_task(write(session, "in the group"))
            child.add_done_callback(lambda _: world.steps.reach("ended"))
            await world.steps.until("ended")
        await write(session, "after the group")
        await session.commit()


@CORPUS.legal
async def task_group_with_a_failing_child(world: World) -> None:
    """A failing child ends the group, and the parent rolls back what the other had written."""

    async def write_and_wait(session: AsyncSession) -> None:
        await write(session, "in vain")
        written.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        await written.wait()
        raise LookupError

    written = asyncio.Event()
    async with world.session() as session:
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(write_and_wait(session))
                group.create_task(fail())
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def nested_task_groups(world: World) -> None:
    """A group within a group's child passes the session down and up."""

    async def middle(session: AsyncSession) -> None:
        await write(session, "middle")
        async with asyncio.TaskGroup() as group:
            group.create_task(write(session, "inner"))
        await write(session, "middle again")

    async with world.session() as session, asyncio.TaskGroup() as outer:
        outer.create_task(middle(session))
    async with world.session() as session:
        assert await count(session) == 20


@CORPUS.legal
async def wait_for_that_ends_in_time(world: World) -> None:
    """`wait_for` runs its coroutine, in a task or not, and the caller goes on."""
    async with world.session() as session:
        await asyncio.wait_for(write(session, "in time"), timeout=10)
        await asyncio.wait_for(asyncio.shield(write(session, "shielded")), timeout=10)
        await session.commit()


async def end_by(session: AsyncSession, waiter: Coroutine[Any, Any, object]) -> None:
    """Roll back after the time is up."""
    with suppress(TimeoutError):
        await waiter
    await session.rollback()
    await write(session, "after all")
    await session.commit()


@CORPUS.legal
async def wait_for_that_runs_out(world: World) -> None:
    """`wait_for` ends when the coroutine that it cancels has ended; the session is the caller's again."""
    hold = world.hold()
    async with world.session() as session:
        await end_by(session, asyncio.wait_for(session.execute(hold.statement), timeout=0.05))


@CORPUS.legal
async def wait_for_a_task_that_runs_out(world: World) -> None:
    """The same, of a task that was there before."""
    hold = world.hold()
    async with world.session() as session:
        child = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        await end_by(session, asyncio.wait_for(child, timeout=0.02))


@CORPUS.legal
async def timeout_that_runs_out(world: World) -> None:
    """A timeout cancels the statement in the same task, which then rolls back."""

    async def run_out() -> None:
        async with asyncio.timeout(None) as limit:
            statement = asyncio.create_task(hold.in_flight())
            statement.add_done_callback(lambda _: limit.reschedule(asyncio.get_running_loop().time()))
            await session.execute(hold.statement)

    hold = world.hold()
    async with world.session() as session:
        await end_by(session, run_out())


@CORPUS.legal
async def shielded_child_outlives_its_awaiter(world: World) -> None:
    """A shielded child goes on when its awaiter is cancelled; whoever awaits it then may use the session."""
    hold = world.hold()
    async with world.session() as session:
        child = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        awaiter = asyncio.ensure_future(asyncio.shield(child))
        awaiter.cancel()
        with suppress(asyncio.CancelledError):
            await awaiter
        hold.release()
        await child
        await write(session, "after it")
        await session.commit()


@CORPUS.legal
async def cancelled_child_is_awaited(world: World) -> None:
    """A child cancelled in the middle of a statement has ended once it is awaited."""
    hold = world.hold()
    async with world.session() as session:
        child = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        child.cancel()
        with suppress(asyncio.CancelledError):
            await child
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def cancelled_before_it_began(world: World) -> None:
    """A child cancelled before its first step never used the session."""
    async with world.session() as session:
        child = asyncio.create_task(write(session, "never"))
        child.cancel()
        await asyncio.gather(child, return_exceptions=True)
        assert await count(session) == 20


@CORPUS.legal
async def cancelled_child_cleans_up(world: World) -> None:
    """A cancelled child rolls back by itself before it ends, and the parent, which waited, goes on."""

    async def work(session: AsyncSession) -> None:
        try:
            await write(session, "in vain")
            written.set()
            await asyncio.Event().wait()
        finally:
            await session.rollback()

    written = asyncio.Event()
    async with world.session() as session:
        child = asyncio.create_task(work(session))
        await written.wait()
        child.cancel()
        await asyncio.wait([child])
        assert await count(session) == 20
