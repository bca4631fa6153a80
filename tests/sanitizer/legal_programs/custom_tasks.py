"""Tasks of an application's own kind: subclasses, task factories, chains, and futures passed around."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from contextvars import Context
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


class NumberedTask(asyncio.Task[Any]):
    """A task with a number; the class is older than the watch."""

    numbers = iter(range(1, 1_000_000))

    def __init__(self, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:
        super().__init__(coroutine, **options)
        self.number = next(self.numbers)


class Promise:
    """An awaitable of an application's own, around a future."""

    def __init__(self) -> None:
        self._future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def keep(self, value: int) -> None:
        """Give the value."""
        if not self._future.done():
            self._future.set_result(value)

    def __await__(self) -> Generator[Any, None, int]:
        return self._future.__await__()


@CORPUS.legal
async def task_made_by_its_class(world: World) -> None:
    """A task that is made without `create_task` is ordered like any other."""
    async with world.session() as session:
        await asyncio.Task(write(session, "by the class"))
        await NumberedTask(write(session, "by a subclass"), name="numbered")
        await session.commit()


@CORPUS.legal
async def task_factory_of_a_subclass(world: World) -> None:
    """A loop that makes tasks of a subclass orders them like any others, also when they end before they are awaited."""

    def make(
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        *,
        context: Context | None = None,
        **options: Any,
    ) -> NumberedTask:
        return NumberedTask(coroutine, loop=loop, context=context, **options)

    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    loop.set_task_factory(make)  # type: ignore[arg-type]  # the stub knows only plain tasks
    try:
        async with world.session() as session:
            child = asyncio.create_task(write(session, "by the factory"))
            assert isinstance(child, NumberedTask)
            while not child.done():  # noqa: ASYNC110  # the fact is learnt by polling
                await asyncio.sleep(0)
            await write(session, "after it")
            await session.commit()
    finally:
        loop.set_task_factory(factory)


@CORPUS.legal
async def awaitable_of_its_own(world: World) -> None:
    """An awaitable that wraps a future orders as the future does."""

    async def work(session: AsyncSession) -> None:
        promise.keep(await write(session, "promised"))
        await world.steps.until("committed")

    async with world.session() as session:
        promise = Promise()
        child = asyncio.create_task(work(session))
        assert await promise > 0
        await session.commit()
        world.steps.reach("committed")
        await child


@CORPUS.legal
async def chain_of_tasks(world: World) -> None:
    """Each task of a chain awaits the one before, so that all can share the session."""

    async def after(previous: Awaitable[object] | None, session: AsyncSession, body: str) -> None:
        if previous is not None:
            await previous
        await write(session, body)

    async with world.session() as session:
        last: asyncio.Task[None] | None = None
        for number in range(5):
            last = asyncio.create_task(after(last, session, f"link {number}"))
        assert last is not None
        await last
        await session.commit()


@CORPUS.legal
async def grandchild_hands_back_to_the_grandparent(world: World) -> None:
    """A grandchild gives the session back by a future, while the child between lives on."""

    async def grandchild(session: AsyncSession) -> None:
        await write(session, "by the grandchild")
        through.set_result(None)

    async def child(session: AsyncSession) -> None:
        task = asyncio.create_task(grandchild(session))
        await world.steps.until("committed")
        await task

    async with world.session() as session:
        through: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        between = asyncio.create_task(child(session))
        await through
        await session.commit()
        world.steps.reach("committed")
        await between


@CORPUS.legal
async def sibling_awaits_sibling(world: World) -> None:
    """A child may await its sibling, and then go on with the session that both have."""

    async def second(session: AsyncSession, first: asyncio.Task[int]) -> None:
        note = await session.get(Note, await first)
        assert note is not None
        note.body = "changed by the second"
        await session.flush()

    async with world.session() as session, asyncio.TaskGroup() as group:
        first = group.create_task(write(session, "by the first"))
        group.create_task(second(session, first))


@CORPUS.legal
async def gather_within_gather(world: World) -> None:
    """A gathering below a gathering ends before it."""
    async with world.session() as session:
        inner = asyncio.gather(write(session, "inner"), asyncio.sleep(0))
        await asyncio.gather(inner, asyncio.sleep(0))
        count = (await session.execute(select(func.count()).select_from(Note))).scalar_one()
        assert count == 21


@CORPUS.legal
async def coroutine_runs_without_a_task(world: World) -> None:
    """Coroutines that are awaited directly, however deep, are the same task."""

    async def deep(session: AsyncSession, depth: int) -> None:
        await write(session, f"depth {depth}")
        if depth:
            await deep(session, depth - 1)

    async with world.session() as session:
        await deep(session, 5)
        await session.commit()
