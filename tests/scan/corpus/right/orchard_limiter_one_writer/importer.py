"""Right: tasks of a group read in sessions of their own, and what they found is written after the group in one."""

import anyio
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

metadata = MetaData()
trees = Table(
    "trees",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("row", Integer, nullable=False),
    Column("kind", String, nullable=False),
)


class Importer:
    def __init__(self, engine: AsyncEngine, *, at_once: int = 4) -> None:
        self._engine = engine
        self._limiter = anyio.CapacityLimiter(at_once)
        self._known: dict[int, set[str]] = {}

    async def _look_up(self, row: int) -> None:
        async with self._limiter, AsyncSession(self._engine) as session:
            found = await session.scalars(select(trees.c.kind).where(trees.c.row == row))
            self._known[row] = set(found)

    async def run(self, orchard: dict[int, list[str]]) -> int:
        async with anyio.create_task_group() as group:
            for row in orchard:
                group.start_soon(self._look_up, row)
        async with AsyncSession(self._engine) as session, session.begin():
            for row, kinds in orchard.items():
                for kind in set(kinds) - self._known[row]:
                    await session.execute(insert(trees).values(row=row, kind=kind))
            return await session.scalar(select(func.count()).select_from(trees))


async def main(url: str) -> int:
    engine = create_async_engine(url)
    try:
        return await Importer(engine).run({1: ["apple", "pear"], 2: ["plum"], 3: ["quince", "apple"]})
    finally:
        await engine.dispose()
