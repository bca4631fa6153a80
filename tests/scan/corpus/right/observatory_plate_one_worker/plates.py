"""Right: one worker writes the plates, and who has put them into the queue waits for it before using the session."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE plates (number int PRIMARY KEY, stars int)"


async def measure(plates: asyncio.Queue[int], session: AsyncSession) -> None:
    statement = text("INSERT INTO plates (number, stars) VALUES (:number, :stars)")
    while True:
        number = await plates.get()
        await session.execute(statement, {"number": number, "stars": number * 11})
        plates.task_done()


async def main(url: str) -> str:
    engine = create_async_engine(url)
    plates: asyncio.Queue[int] = asyncio.Queue()
    async with async_sessionmaker(engine)() as session, asyncio.TaskGroup() as group:
        worker = group.create_task(measure(plates, session))
        for number in range(1, 8):
            plates.put_nowait(number)
        await plates.join()
        stars = await session.scalar(text("SELECT sum(stars) FROM plates"))
        await session.commit()
        worker.cancel()
    await engine.dispose()
    return f"{stars} stars"
