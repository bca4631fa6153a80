"""Eager tasks, which run until their first suspension while they are created."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, settle, unit, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


class ApplicationTask(asyncio.Task[Any]):
    """A task of the application's own."""


@contextmanager
def eager_tasks(*, custom: bool = False) -> Iterator[None]:
    """While it lasts, the running loop makes eager tasks."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(
        asyncio.create_eager_task_factory(ApplicationTask)  # type: ignore[attr-defined]  # since Python 3.12
        if custom
        else asyncio.eager_task_factory  # type: ignore[attr-defined]  # since Python 3.12
    )
    try:
        yield
    finally:
        loop.set_task_factory(before)


def since_312(run: Callable[[World], Awaitable[None]]) -> Callable[[World], Awaitable[None]]:
    """Add a legal program that needs Python 3.12."""
    CORPUS.add(run.__name__, run, min_python=(3, 12))
    return run


async def stage(session: AsyncSession, body: str) -> Note:
    """Add a note; never suspends."""
    note = Note(body=body)
    session.add(note)
    return note


@since_312
async def eager_task_that_completes_at_once(world: World) -> None:
    """A task that ended while it was created has ended before its creator goes on."""
    with eager_tasks():
        async with world.session() as session:
            child = asyncio.create_task(stage(session, "staged"))
            assert child.done()
            assert (await child).body == "staged"
            await session.commit()


@since_312
async def eager_task_that_completes_unwatched(world: World) -> None:
    """This holds although nobody asks it: it ran like a function that was called."""

    async def look_up(session: AsyncSession) -> None:
        assert await session.get(Note, 1) is known

    with eager_tasks():
        async with world.session() as session:
            known = await session.get_one(Note, 1)
            first = asyncio.create_task(look_up(session))
            await write(session, "after the first")
            second = asyncio.create_task(look_up(session))
            await session.commit()
            await asyncio.gather(first, second)


@since_312
async def eager_task_that_suspends(world: World) -> None:
    """A task that began while it was created has the session until it is awaited."""
    with eager_tasks():
        async with world.session() as session:
            child = asyncio.create_task(write(session, "by the child"))
            assert not child.done()
            await child
            await unit(session, "by the parent")


@since_312
async def eager_task_with_two_parts(world: World) -> None:
    """What a task does before it first suspends precedes its creator; what it does later follows its event."""

    async def work(session: AsyncSession) -> None:
        session.add(Note(body="before it suspends"))
        await go_on.wait()
        await write(session, "after the event")

    go_on = asyncio.Event()
    with eager_tasks():
        async with world.session() as session:
            child = asyncio.create_task(work(session))
            await write(session, "by the parent")
            go_on.set()
            await child
            await session.commit()
            assert await count(session) == 23


@since_312
async def eager_task_done_before_it_is_awaited(world: World) -> None:
    """A task that suspended, and has ended when it is awaited."""

    async def work(session: AsyncSession) -> None:
        await write(session, "by the child")
        world.steps.reach("written")

    with eager_tasks():
        async with world.session() as session:
            child = asyncio.create_task(work(session))
            await world.steps.until("written")
            await settle()
            await child
            await session.commit()


@since_312
async def eager_siblings_hand_over(world: World) -> None:
    """Siblings that pass the session on by an event, which the second waits for before it first suspends, or not."""

    async def first(session: AsyncSession) -> None:
        await write(session, "first")
        done.set()

    async def second(session: AsyncSession) -> None:
        await done.wait()
        await unit(session, "second")

    with eager_tasks():
        for early in (True, False):
            done = asyncio.Event()
            async with world.session() as session, asyncio.TaskGroup() as group:
                if early:
                    group.create_task(second(session))
                group.create_task(first(session))
                if not early:
                    await done.wait()
                    group.create_task(second(session))


@since_312
async def eager_tasks_with_sessions_of_their_own(world: World) -> None:
    """Gathered, in a group, and in a queue: each has its own session."""

    async def work(number: int) -> None:
        async with world.session() as session:
            await unit(session, f"by task {number}")

    with eager_tasks():
        await asyncio.gather(*map(work, range(4)))
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(work(number))
        async with world.session() as session:
            assert await count(session) == 28


@since_312
async def eager_children_behind_a_lock(world: World) -> None:
    """The first eager task has the lock at once; the others wait for it."""

    async def work(number: int) -> None:
        async with lock:
            await unit(session, f"by task {number}")

    lock = asyncio.Lock()
    with eager_tasks():
        async with world.session() as session:
            await asyncio.gather(*map(work, range(4)))


@since_312
async def eager_tasks_of_a_class_of_their_own(world: World) -> None:
    """A factory of eager tasks of another class."""
    with eager_tasks(custom=True):
        async with world.session() as session:
            staged = asyncio.create_task(stage(session, "at once"))
            assert isinstance(staged, ApplicationTask)
            await asyncio.wait([staged])
            written = asyncio.create_task(write(session, "later"))
            async with asyncio.timeout(10):
                await asyncio.shield(written)
            await asyncio.wait_for(unit(session, "in time"), timeout=10)
            assert await count(session) == 23


@since_312
async def eager_task_within_an_eager_task(world: World) -> None:
    """A task that is created in the first step of another, and so on, before the first parent goes on."""

    async def nest(session: AsyncSession, depth: int) -> None:
        session.add(Note(body=f"depth {depth}"))
        if depth:
            await asyncio.create_task(nest(session, depth - 1))

    with eager_tasks():
        async with world.session() as session:
            outermost = asyncio.create_task(nest(session, 3))
            await outermost
            assert await count(session) == 24
            await session.commit()


@since_312
async def eager_task_that_fails_at_once(world: World) -> None:
    """A task that fails while it is created tells it when it is awaited, and the parent rolls back."""

    async def fail(session: AsyncSession) -> None:
        await stage(session, "in vain")
        raise LookupError

    with eager_tasks():
        async with world.session() as session:
            child = asyncio.create_task(fail(session))
            results = await asyncio.gather(child, return_exceptions=True)
            assert isinstance(results[0], LookupError)
            await session.rollback()
            assert await count(session) == 20
