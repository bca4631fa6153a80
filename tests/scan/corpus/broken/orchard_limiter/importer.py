"""Broken: a limiter lets four tasks of a group in at once, and all of them write in the importer's session."""

import anyio
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

metadata = MetaData()
trees = Table(
    "trees",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("row", Integer, nullable=False),
    Column("kind", String, nullable=False),
)


class Importer:
    def __init__(self, session: AsyncSession, *, at_once: int = 4) -> None:
        self._session = session
        self._limiter = anyio.CapacityLimiter(at_once)

    async def _import(self, row: int, kinds: list[str]) -> None:
        async with self._limiter:
            for kind in kinds:
                await self._session.execute(insert(trees).values(row=row, kind=kind))  # expect-any: shared_by_tasks

    async def run(self, orchard: dict[int, list[str]]) -> int:
        async with anyio.create_task_group() as group:
            for row, kinds in orchard.items():
                group.start_soon(self._import, row, kinds)  # expect-any: shared_by_tasks
        return await self._session.scalar(select(func.count()).select_from(trees))


async def main(url: str) -> int:
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine) as session:
            return await Importer(session).run({1: ["apple", "pear"], 2: ["plum"], 3: ["quince", "apple"]})
    finally:
        await engine.dispose()
