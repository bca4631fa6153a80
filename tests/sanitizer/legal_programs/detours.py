"""Order that is made by a detour."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, settle, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.legal
async def lock_that_is_waited_for_with_a_limit(world: World) -> None:
    """The lock is taken by a task of its own in Python 3.11, and kept by who waited for it."""
    lock = asyncio.Lock()

    async def plain() -> None:
        async with lock:
            await write(session, "plain")

    async def limited() -> None:
        await asyncio.wait_for(lock.acquire(), 10)
        try:
            await write(session, "limited")
        finally:
            lock.release()

    async def by_a_task() -> None:
        await asyncio.create_task(lock.acquire())
        try:
            await write(session, "by a task")
        finally:
            lock.release()

    async with world.session() as session:
        for _ in range(2):
            await asyncio.gather(plain(), limited(), by_a_task(), settle())
        assert await count(session) == 26


@CORPUS.legal
async def executor_that_is_left(world: World) -> None:
    """Leaving an executor waits for its jobs, whether or not somebody asks for their results."""

    def work() -> int:
        engine = create_engine(f"postgresql+psycopg://{world.dsn.partition('://')[2]}")
        with Session(engine) as session:
            session.add(Note(body="by a job"))
            session.rollback()
            with ThreadPoolExecutor(1) as executor:
                executor.submit(session.add, Note(body="by a job"))
                executor.submit(session.add, Note(body="by a job"))
            session.commit()
            found = session.query(Note).count()
        engine.dispose()
        return found

    assert await asyncio.to_thread(work) == 22
