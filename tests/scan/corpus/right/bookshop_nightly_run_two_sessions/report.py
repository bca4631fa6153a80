"""Right: a report, which is run by a method `run`, asks two repositories at once that have a session each."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE sold (title text, copies int); CREATE TABLE returned (title text, copies int)"


class Books:
    def __init__(self, session: AsyncSession, table: str) -> None:
        self._session = session
        self._table = table

    async def copies(self) -> int:
        return await self._session.scalar(text(f"SELECT coalesce(sum(copies), 0) FROM {self._table}"))


class NightlyReport:
    def __init__(self, sold: Books, returned: Books) -> None:
        self.sold, self.returned = sold, returned

    async def run(self) -> int:
        async with asyncio.TaskGroup() as group:
            sold = group.create_task(self.sold.copies())
            returned = group.create_task(self.returned.copies())
        return sold.result() - returned.result()


async def main(url: str) -> int:
    engine = create_async_engine(url)
    factory = async_sessionmaker(engine)
    async with factory() as first, factory() as second:
        left = await NightlyReport(Books(first, "sold"), Books(second, "returned")).run()
    await engine.dispose()
    return left
