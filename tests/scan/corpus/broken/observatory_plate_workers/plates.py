"""Broken: the workers of one queue write the plates that they measure by one session."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE plates (number int PRIMARY KEY, stars int)"
WORKERS = 3


async def measure(plates: asyncio.Queue[int], session: AsyncSession) -> None:
    statement = text("INSERT INTO plates (number, stars) VALUES (:number, :stars)")
    while True:
        number = await plates.get()
        await session.execute(statement, {"number": number, "stars": number * 11})  # expect-any: shared_by_tasks
        plates.task_done()


async def main(url: str) -> str:
    engine = create_async_engine(url)
    plates: asyncio.Queue[int] = asyncio.Queue()
    async with async_sessionmaker(engine)() as session, asyncio.TaskGroup() as group:
        workers = [group.create_task(measure(plates, session)) for _ in range(WORKERS)]  # expect-any: shared_by_tasks
        for number in range(1, 8):
            plates.put_nowait(number)
        await plates.join()
        for worker in workers:
            worker.cancel()
        await session.commit()
    await engine.dispose()
    return "measured"
