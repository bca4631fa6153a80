"""Broken: the sections of a report are written in an anyio task group, all on one connection of the engine."""

import anyio
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

metadata = MetaData()
shipments = Table(
    "shipments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("carrier", String(40)),
    Column("sent", Date),
    Column("kilograms", Integer),
)


class Report:
    def __init__(self) -> None:
        self.sections: dict[str, object] = {}


async def by_carrier(connection: AsyncConnection, report: Report) -> None:
    result = await connection.execute(  # expect-any: shared_by_tasks
        select(shipments.c.carrier, func.count()).group_by(shipments.c.carrier)
    )
    report.sections["carriers"] = [tuple(row) for row in result]


async def heaviest(connection: AsyncConnection, report: Report) -> None:
    statement = select(shipments.c.id).order_by(shipments.c.kilograms.desc()).limit(3)
    report.sections["heaviest"] = list(await connection.scalars(statement))  # expect-any: shared_by_tasks


async def write_report(connection: AsyncConnection) -> Report:
    report = Report()
    async with anyio.create_task_group() as group:
        group.start_soon(by_carrier, connection, report)  # expect-any: shared_by_tasks
        group.start_soon(heaviest, connection, report)  # expect-any: shared_by_tasks
    return report


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await write_report(connection)
    await engine.dispose()
