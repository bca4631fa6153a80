"""Threads: computing between operations, asking the loop to work, loops of their own, and synchronous sessions."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import anyio
import uvloop
from anyio import from_thread, to_thread
from anyio.from_thread import BlockingPortal
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.world import Base, Note, World

CORPUS = Corpus()


def compute(number: int) -> str:
    """Something that blocks."""
    time.sleep(0.001)
    return f"computed {number}"


@contextmanager
def memory_engine() -> Iterator[Engine]:
    """SQLite in memory, one connection for all threads."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@CORPUS.legal
async def computing_in_a_thread_between_operations(world: World) -> None:
    """A thread that computes does not touch the session, and the task goes on when it has ended."""
    loop = asyncio.get_running_loop()
    async with world.session() as session:
        await write(session, await asyncio.to_thread(compute, await count(session)))
        await write(session, await loop.run_in_executor(None, compute, await count(session)))
        with ThreadPoolExecutor(1) as executor:
            await write(session, await loop.run_in_executor(executor, compute, await count(session)))
        await write(session, await to_thread.run_sync(compute, await count(session)))
        await session.commit()


@CORPUS.legal
async def thread_wakes_a_task_up(world: World) -> None:
    """A thread that was started after one task's work wakes another task up, which goes on with the session."""

    async def second() -> None:
        await woken.wait()
        await unit(session, "second")
        world.steps.reach("committed")

    async def first() -> None:
        await write(session, "first")
        await asyncio.to_thread(loop.call_soon_threadsafe, woken.set)
        await world.steps.until("committed")

    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    async with world.session() as session, asyncio.TaskGroup() as group:
        group.create_task(second())
        group.create_task(first())


@CORPUS.legal
async def thread_asks_the_loop_to_work(world: World) -> None:
    """A thread lets the loop run coroutines that use the session, one by one, while the task awaits the thread."""

    def work() -> int:
        for number in range(3):
            asyncio.run_coroutine_threadsafe(write(session, f"order {number}"), loop).result()
        return asyncio.run_coroutine_threadsafe(count(session), loop).result()

    loop = asyncio.get_running_loop()
    async with world.session() as session:
        await write(session, "before")
        assert await asyncio.to_thread(work) == 24
        await session.commit()


@CORPUS.legal
async def thread_posts_results_to_a_future(world: World) -> None:
    """A plain thread gives a future its result through the loop; the task that awaits it goes on."""

    def work() -> None:
        loop.call_soon_threadsafe(result.set_result, compute(1))

    loop = asyncio.get_running_loop()
    result: asyncio.Future[str] = loop.create_future()
    async with world.session() as session:
        await count(session)
        thread = threading.Thread(target=work)
        thread.start()
        await write(session, await result)
        await session.commit()
        thread.join()


@CORPUS.legal
async def thread_stages_through_the_loop(world: World) -> None:
    """A thread may let the loop add to a session, which then happens in the loop's own thread."""

    def work() -> None:
        from_thread.run_sync(session.add, Note(body="by the thread"))
        from_thread.run(session.flush)

    async with world.session() as session:
        await write(session, "before")
        await to_thread.run_sync(work)
        await session.commit()
        assert await count(session) == 22


@CORPUS.legal
async def portal_into_the_loop(world: World) -> None:
    """A thread calls into the loop by a portal while the task awaits the thread."""
    async with world.session() as session, BlockingPortal() as portal:
        await to_thread.run_sync(portal.call, write, session, "by the portal")
        assert await to_thread.run_sync(portal.call, count, session) == 21
        await session.commit()


@CORPUS.legal
async def concurrent_future_wrapped(world: World) -> None:
    """The future of an executor, wrapped for the loop, orders what came before its submission and after its end."""

    def work() -> str:
        ended.wait()
        return "from the executor"

    ended = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        async with world.session() as session:
            submitted = executor.submit(work)
            await count(session)
            ended.set()
            await write(session, await asyncio.wrap_future(submitted))
            await session.commit()


async def work_in_a_loop_of_its_own(url: str) -> int:
    """What a thread's own loop does, with an engine of its own."""
    engine = create_async_engine(url)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        await asyncio.create_task(write(session, "by a child"))
        await asyncio.gather(unit(session, "by the parent"), asyncio.sleep(0))
        result = await count(session)
    await engine.dispose()
    return result


@CORPUS.legal
async def loop_of_its_own_in_a_thread(world: World) -> None:
    """A loop in a thread has its own engine, while this loop has another."""
    async with world.session() as session:
        other = asyncio.create_task(asyncio.to_thread(asyncio.run, work_in_a_loop_of_its_own(world.url)))
        assert await count(session) >= 20
        assert await other == 22


@CORPUS.legal
async def uvloop_of_its_own_in_a_thread(world: World) -> None:
    """The loop in a thread may be of another make."""
    assert await asyncio.to_thread(uvloop.run, work_in_a_loop_of_its_own(world.url)) == 22


@CORPUS.legal
async def runner_called_again(world: World) -> None:
    """A runner's calls follow each other, and may share a session although each is a task of its own."""

    def work() -> int:
        with asyncio.Runner() as runner:
            engine = create_async_engine(world.url)
            session = AsyncSession(engine, expire_on_commit=False)
            runner.run(write(session, "by the first call"))
            runner.run(unit(session, "by the second call"))
            result = runner.run(count(session))
            runner.run(session.close())
            runner.run(engine.dispose())
            return result

    assert await asyncio.to_thread(work) == 22


@CORPUS.legal
async def portal_with_a_loop_of_its_own(world: World) -> None:
    """A thread that starts a portal calls the same session by it, one call after the other."""

    def work() -> int:
        with from_thread.start_blocking_portal() as portal:
            engine = create_async_engine(world.url)
            with portal.wrap_async_context_manager(AsyncSession(engine)) as session:
                portal.call(unit, session, "by the portal")
                result = portal.call(count, session)
            portal.call(engine.dispose)
            return result

    assert await to_thread.run_sync(work) == 21


@CORPUS.legal
async def synchronous_session_goes_through_threads(world: World) -> None:
    """A synchronous session may be used in thread after thread, each of which is awaited."""

    def add(session: Session, body: str) -> None:
        session.add(Note(body=body))
        session.flush()

    with memory_engine() as engine, Session(engine) as session:
        for number in range(3):
            await asyncio.to_thread(add, session, f"note {number}")
        await asyncio.get_running_loop().run_in_executor(None, session.commit)
        assert await to_thread.run_sync(session.scalar, select(func.count()).select_from(Note)) == 3


@CORPUS.legal
async def synchronous_session_of_an_executor(world: World) -> None:
    """So it may by an executor whose results are fetched before the next step."""

    def read(session: Session) -> int:
        return len(session.scalars(select(Note)).all())

    engine = create_engine(make_url(world.url).set(drivername="postgresql+psycopg"))
    with ThreadPoolExecutor(2) as executor, Session(engine) as session:
        session.add(Note(body="by the main thread"))
        assert executor.submit(read, session).result() == 21
        session.add(Note(body="by the main thread again"))
        assert await asyncio.wrap_future(executor.submit(read, session)) == 22
        executor.submit(session.commit).result()
    engine.dispose()


@CORPUS.legal
async def synchronous_session_in_each_thread(world: World) -> None:
    """Threads with sessions of their own run side by side."""

    def work(number: int) -> int:
        with Session(engine) as session, session.begin():
            note = Note(body=f"by thread {number}")
            session.add(note)
            session.flush()
            return note.id

    engine = create_engine(make_url(world.url).set(drivername="postgresql+psycopg"))
    async with world.session() as session:
        assert len(set(await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(4))))) == 4
        assert await count(session) == 24
    engine.dispose()


@CORPUS.legal
async def synchronous_session_through_a_queue(world: World) -> None:
    """A thread that gets a synchronous session from a queue of threads goes on with it."""

    def serve() -> None:
        session = orders.get()
        session.add(Note(body="by the thread"))
        session.commit()
        answers.put(session)

    orders: SimpleQueue[Session] = SimpleQueue()
    answers: SimpleQueue[Session] = SimpleQueue()
    with memory_engine() as engine, Session(engine) as session:
        session.add(Note(body="by the task"))
        session.flush()
        server = asyncio.create_task(asyncio.to_thread(serve))
        orders.put(session)
        returned = await asyncio.to_thread(answers.get)
        await server
        assert returned.scalar(select(func.count()).select_from(Note)) == 2


@CORPUS.legal
async def answers_by_the_current_thread(world: World) -> None:
    """A function that finds out by itself how to come back to the loop uses the session there."""

    def back_in_the_loop(function: Callable[[], None]) -> None:
        from_thread.run_sync(function)

    async with world.session() as session:
        await count(session)
        async with anyio.create_task_group() as group:
            group.start_soon(to_thread.run_sync, back_in_the_loop, lambda: session.add(Note(body="back")))
        await session.commit()
