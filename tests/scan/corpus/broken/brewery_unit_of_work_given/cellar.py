"""Broken: a unit of work, which whatever the cellar was given makes, is asked by two repositories at once."""

import asyncio
from collections.abc import Callable
from typing import Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE kegs (litres int); CREATE TABLE bottles (litres int)"


class Stock:
    def __init__(self, session: AsyncSession, table: str) -> None:
        self._session = session
        self._table = table

    async def litres(self) -> int:
        statement = text(f"SELECT coalesce(sum(litres), 0) FROM {self._table}")
        return await self._session.scalar(statement)  # expect-any: shared_by_tasks


class UnitOfWork:
    def __init__(self, factory: async_sessionmaker[AsyncSession]) -> None:
        self._factory = factory

    async def __aenter__(self) -> Self:
        self._session = self._factory()
        self.kegs = Stock(self._session, "kegs")
        self.bottles = Stock(self._session, "bottles")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()


class Cellar:
    def __init__(self, begin: Callable[[], UnitOfWork]) -> None:
        self._begin = begin

    async def litres(self) -> int:
        async with self._begin() as work:
            parts = await asyncio.gather(work.kegs.litres(), work.bottles.litres())  # expect-any: shared_by_tasks
        return sum(parts)


def cellar(factory: async_sessionmaker[AsyncSession]) -> Cellar:
    return Cellar(lambda: UnitOfWork(factory))


async def main(url: str) -> int:
    engine = create_async_engine(url)
    found = await cellar(async_sessionmaker(engine)).litres()
    await engine.dispose()
    return found
