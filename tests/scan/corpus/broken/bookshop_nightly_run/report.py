"""Broken: a report, which is run by a method `run`, asks two repositories at once that have one session."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE sold (title text, copies int); CREATE TABLE returned (title text, copies int)"


class Books:
    def __init__(self, session: AsyncSession, table: str) -> None:
        self._session = session
        self._table = table

    async def copies(self) -> int:
        statement = text(f"SELECT coalesce(sum(copies), 0) FROM {self._table}")
        return await self._session.scalar(statement)  # expect-any: shared_by_tasks


class NightlyReport:
    def __init__(self, sold: Books, returned: Books) -> None:
        self.sold, self.returned = sold, returned

    async def run(self) -> int:
        sold, returned = await asyncio.gather(self.sold.copies(), self.returned.copies())  # expect-any: shared_by_tasks
        return sold - returned


async def main(url: str) -> int:
    engine = create_async_engine(url)
    async with async_sessionmaker(engine)() as session:
        left = await NightlyReport(Books(session, "sold"), Books(session, "returned")).run()
    await engine.dispose()
    return left
