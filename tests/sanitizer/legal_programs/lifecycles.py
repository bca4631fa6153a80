"""Where sessions come from and where they end: fixtures, context variables, generators, and stacks."""

import asyncio
import unittest
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar, copy_context

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

current_session: ContextVar[AsyncSession] = ContextVar("current_session")


@CORPUS.legal
async def fixture_test_and_teardown_in_tasks_of_their_own(world: World) -> None:
    """A test framework makes the session in one task, tests in a second, and closes it in a third."""

    async def set_up() -> AsyncGenerator[AsyncSession]:
        async with world.session() as session:
            await write(session, "by the fixture")
            yield session
            await session.rollback()

    async def test(session: AsyncSession) -> None:
        await unit(session, "by the test")
        assert await count(session) == 22

    async def tear_down() -> None:
        await anext(fixture, None)

    async def provide() -> AsyncSession:
        return await anext(fixture)

    fixture = set_up()
    session = await asyncio.create_task(provide())
    await asyncio.create_task(test(session))
    await asyncio.create_task(tear_down())


@CORPUS.legal
async def case_of_unittest_in_a_thread(world: World) -> None:
    """`IsolatedAsyncioTestCase` sets up, tests, cleans up and tears down in one loop of its own."""

    class NotesCase(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self) -> None:
            self.engine = create_async_engine(world.url)
            self.session = AsyncSession(self.engine)
            self.addAsyncCleanup(self.engine.dispose)
            await write(self.session, "by the set-up")

        async def test_counts(self) -> None:
            await asyncio.create_task(write(self.session, "by a child"))
            assert await count(self.session) == 22

        async def asyncTearDown(self) -> None:
            await self.session.close()

    result = await asyncio.to_thread(NotesCase("test_counts").run)
    assert result is not None
    assert result.wasSuccessful(), result.errors


@CORPUS.legal
async def session_in_a_context_variable(world: World) -> None:
    """An awaited child inherits the session by its context, and its parent goes on afterwards."""

    async def service(body: str) -> None:
        await write(current_session.get(), body)

    async with world.session() as session:
        token = current_session.set(session)
        await service("by the parent")
        await asyncio.create_task(service("by a child"))
        await asyncio.create_task(service("by a child with a copy"), context=copy_context())
        await asyncio.gather(service("gathered alone"))
        await session.commit()
        current_session.reset(token)


@CORPUS.legal
async def context_variable_set_anew_in_each_task(world: World) -> None:
    """Tasks that inherit a session by their context, but set their own, never meet."""

    async def request(number: int) -> None:
        async with world.session() as own:
            current_session.set(own)
            await work(number)

    async def work(number: int) -> None:
        await unit(current_session.get(), f"by task {number}")

    async with world.session() as session:
        current_session.set(session)
        await asyncio.gather(*map(request, range(5)))
        assert await count(current_session.get()) == 25


@CORPUS.legal
async def tasks_that_nobody_waits_for(world: World) -> None:
    """Tasks of the background have their own sessions, and are remembered until they have ended."""

    async def log(body: str) -> None:
        async with world.session() as own, own.begin():
            own.add(Note(body=body))

    background: set[asyncio.Task[None]] = set()
    async with world.session() as session:
        for number in range(3):
            task = asyncio.create_task(log(f"event {number}"))
            background.add(task)
            task.add_done_callback(background.discard)
            await write(session, f"work {number}")
        await session.commit()
    while background:  # noqa: ASYNC110  # a plain variable: it orders nothing
        await asyncio.sleep(0)


@CORPUS.legal
async def generator_that_holds_a_session(world: World) -> None:
    """A generator keeps its session open between its items, and closes it when it is closed early."""

    async def bodies() -> AsyncGenerator[str]:
        async with world.session() as session:
            async for body in await session.stream_scalars(select(Note.body).order_by(Note.id)):
                yield body

    assert len([body async for body in bodies()]) == 20
    async with aclosing(bodies()) as stream:
        async for body in stream:
            if body == "note 3":
                break


@CORPUS.legal
async def generator_consumed_by_task_after_task(world: World) -> None:
    """Each item is asked for by another task, which is awaited before the next."""

    async def numbers() -> AsyncGenerator[int]:
        async with world.session() as session:
            for number in range(1, 6):
                yield (await session.get_one(Note, number)).id

    async def ask() -> int:
        return await anext(stream)

    async with aclosing(numbers()) as stream:
        assert [await asyncio.create_task(ask()) for _ in range(3)] == [1, 2, 3]


@CORPUS.legal
async def sessions_on_a_stack(world: World) -> None:
    """A stack closes its sessions in the reverse order, in the task that leaves it."""
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(world.session()) for _ in range(3)]
        for session in sessions:
            await stack.enter_async_context(session.begin())
            await asyncio.create_task(write(session, "on the stack"))
        closing = stack.pop_all()
    await asyncio.create_task(closing.aclose())
    async with world.session() as session:
        assert await count(session) == 23


@asynccontextmanager
async def service(world: World) -> AsyncIterator[list[str]]:
    """A service whose worker has its session as long as the service lives."""

    async def work() -> None:
        async with world.session() as session:
            while not stopped.is_set():
                await write(session, "heartbeat")
                beats.append("beat")
                await asyncio.sleep(0)
            await session.commit()

    beats: list[str] = []
    stopped = asyncio.Event()
    worker = asyncio.create_task(work())
    try:
        yield beats
    finally:
        stopped.set()
        await worker


@contextmanager
def session_of_context(session: AsyncSession) -> Iterator[None]:
    """While it lasts, the context's session is this one."""
    token = current_session.set(session)
    yield
    current_session.reset(token)


@CORPUS.legal
async def service_with_a_session_of_its_own(world: World) -> None:
    """A worker that writes all the time, beside an application with another session."""
    async with service(world) as beats, world.session() as session:
        with session_of_context(session):
            while len(beats) < 3:
                await count(current_session.get())
    async with world.session() as session:
        assert await count(session) >= 23
