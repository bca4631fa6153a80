"""Right: the sections are written side by side, each on a connection of its own from the shared engine."""

import anyio
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

metadata = MetaData()
shipments = Table(
    "shipments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("carrier", String(40)),
    Column("kilograms", Integer),
)


async def by_carrier(engine: AsyncEngine, sections: dict[str, object]) -> None:
    statement = select(shipments.c.carrier, func.count()).group_by(shipments.c.carrier)
    async with engine.connect() as connection:
        sections["carriers"] = [tuple(row) for row in await connection.execute(statement)]


async def heaviest(engine: AsyncEngine, sections: dict[str, object]) -> None:
    statement = select(shipments.c.id).order_by(shipments.c.kilograms.desc()).limit(3)
    async with engine.connect() as connection:
        sections["heaviest"] = list(await connection.scalars(statement))


async def write_report(engine: AsyncEngine) -> dict[str, object]:
    sections: dict[str, object] = {}
    async with anyio.create_task_group() as group:
        group.start_soon(by_carrier, engine, sections)
        group.start_soon(heaviest, engine, sections)
    return sections


async def main(url: str) -> None:
    engine = create_async_engine(url)
    await write_report(engine)
    await engine.dispose()
