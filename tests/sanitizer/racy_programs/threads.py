"""Sessions that are used in a thread, or in an event loop, that they do not belong to."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import anyio.to_thread
import httpx2
from fastapi import Depends, FastAPI
from pydantic_ai import Agent, RunContext
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.agents import Deps, model
from tests.sanitizer.racy_programs.consequences import nothing_lost, shared_session, together
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.racy("foreign_thread")
async def a_function_in_a_thread_adds(world: World) -> None:
    """A function that was too slow for the loop adds its result to the loop's session."""

    def compute() -> None:
        session.add(Note(body="computed"))  # second

    async with shared_session(world) as session:
        await session.execute(select(Note))  # first
        await asyncio.to_thread(compute)


@CORPUS.racy("foreign_thread")
async def a_method_in_a_thread(world: World) -> None:
    """The session's own method is what the thread is given: no other frame of the application is there."""
    async with shared_session(world) as session:
        await session.get(Note, 1)  # first
        await asyncio.to_thread(session.add, Note(body="added"))  # second


@CORPUS.racy("foreign_thread")
async def a_synchronous_session_in_an_executor(world: World) -> None:
    """`sync_session` is the same session."""
    loop = asyncio.get_running_loop()

    def store(body: str) -> None:
        session.sync_session.add(Note(body=body))  # second

    with ThreadPoolExecutor(1) as executor:
        async with shared_session(world) as session:
            await session.scalars(select(Note))  # first
            await loop.run_in_executor(executor, store, "stored")


@CORPUS.racy("foreign_thread")
async def a_thread_of_anyio(world: World) -> None:
    """The worker threads of anyio are threads, too."""

    def expire() -> None:
        session.expire_all()  # second

    async with shared_session(world) as session:
        await session.execute(text("SELECT 1"))  # first
        await anyio.to_thread.run_sync(expire)


@CORPUS.racy("foreign_thread")
async def an_attribute_changed_in_a_thread(world: World) -> None:
    """Objects belong to the loop of their session."""

    def shout(note: Note) -> None:
        note.body = note.body.upper()  # second

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)  # first
        await asyncio.to_thread(shout, note)


@CORPUS.racy("foreign_thread")
async def a_thread_of_ones_own(world: World) -> None:
    """The thread is joined, so that nothing overlaps; it is the wrong one all the same."""

    def forget() -> None:
        session.expunge_all()  # second

    async with shared_session(world) as session:
        await session.execute(select(Note))  # first
        thread = threading.Thread(target=forget)
        thread.start()
        thread.join()


@CORPUS.racy("foreign_thread")
async def a_synchronous_tool(world: World) -> None:
    """Pydantic AI runs tools that are plain functions in threads."""
    agent = Agent(model("remember"), deps_type=Deps)

    @agent.tool
    def remember(context: RunContext[Deps]) -> str:
        context.deps.session.add(Note(body="remembered"))  # second
        return "remembered"

    async with shared_session(world) as session:
        await session.execute(text("SELECT 'history'"))  # first
        await agent.run("Remember", deps=Deps(session))


@CORPUS.racy("foreign_thread")
async def a_synchronous_endpoint(world: World) -> None:
    """FastAPI runs endpoints that are plain functions in threads."""
    app = FastAPI()

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with world.session() as session:
            await session.execute(text("SELECT 'user'"))  # first
            yield session

    @app.post("/")
    def create(session: Annotated[AsyncSession, Depends(get_session)]) -> str:
        session.add(Note(body="posted"))  # second
        return "created"

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notes") as browser:
        await browser.post("/")


def in_a_loop_of_its_own(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it in a second event loop in a thread, which may fail; the first loop stands still until it is done.

    It has to: asyncpg does not survive that two threads read from one socket.
    """

    def run() -> None:
        with contextlib.suppress(Exception):
            asyncio.run(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@CORPUS.racy("foreign_loop", also=("foreign_thread",))
async def a_session_in_a_second_loop(world: World) -> None:
    """A session that was used in one loop is used in another, which runs in a thread."""

    async def count() -> None:
        await session.execute(select(Note))  # second

    async with shared_session(world) as session:
        await session.execute(text("SELECT 1"))  # first
        in_a_loop_of_its_own(count)


@CORPUS.racy("foreign_loop", also=("foreign_thread",))
async def a_session_staged_in_a_second_loop(world: World) -> None:
    """Nothing is sent, so that nothing fails; the session is somebody else's nevertheless."""

    async def stage() -> None:
        session.add(Note(body="staged"))  # second

    async with shared_session(world) as session:
        await session.execute(text("SELECT 1"))  # first
        in_a_loop_of_its_own(stage)


@CORPUS.racy("foreign_loop", also=("foreign_thread",), warm=1)
async def a_pooled_connection_in_a_second_loop(world: World) -> None:
    """Each loop has its session, but the engine gives both the same connection."""

    async def use() -> None:
        async with AsyncSession(world.engine) as session:
            await session.execute(text("SELECT 2"))  # second

    with nothing_lost(world.engine):
        async with AsyncSession(world.engine) as session:
            await session.execute(text("SELECT 1"))  # first
        in_a_loop_of_its_own(use)


@CORPUS.racy("foreign_loop", also=("foreign_thread",))
async def two_loops_one_after_the_other(world: World) -> None:
    """A script uses one engine in two loops, in turns."""
    async with world.engine_with() as engine:

        async def one() -> None:
            async with AsyncSession(engine) as session:
                await session.execute(text("SELECT 1"))  # first

        async def other() -> None:
            async with AsyncSession(engine) as session:
                await session.execute(text("SELECT 2"))  # second

        def script() -> None:
            with asyncio.Runner() as first, asyncio.Runner() as second:
                first.run(one())
                with contextlib.suppress(Exception):
                    second.run(other())
                first.run(engine.dispose())

        with nothing_lost(engine):
            await asyncio.to_thread(script)


@CORPUS.racy("foreign_loop", also=("foreign_thread",))
async def a_coroutine_sent_to_another_loop(world: World) -> None:
    """`run_coroutine_threadsafe` sends the work to the loop of another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def expire() -> None:
        session.expire_all()  # second

    async with shared_session(world) as session:
        await session.scalars(select(Note))  # first
        await together(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(expire(), loop)))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
