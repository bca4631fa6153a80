"""Right: the booking deps inherit a method that opens a session for one operation, and each tool calls it."""

from dataclasses import dataclass
from uuid import uuid4

from base import AgentDependencies
from pydantic_ai import Agent, RunContext
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

metadata = MetaData()
flights = Table("flights", metadata, Column("number", String(8), primary_key=True), Column("destination", String(30)))
holds = Table("holds", metadata, Column("id", Integer, primary_key=True), Column("flight", String(8)))


@dataclass(kw_only=True)
class BookingDeps(AgentDependencies):
    passenger: str


booking = Agent(deps_type=BookingDeps)


@booking.tool
async def list_flights(ctx: RunContext[BookingDeps], destination: str) -> list[str]:
    """Flights to a destination."""
    async with ctx.deps.db() as db:
        return list(await db.scalars(select(flights.c.number).where(flights.c.destination == destination)))


@booking.tool
async def hold_seat(ctx: RunContext[BookingDeps], number: str) -> str:
    """Hold a seat for a quarter of an hour."""
    async with ctx.deps.db() as db:
        await db.execute(insert(holds).values(flight=number))
    return f"a seat on {number} is held for {ctx.deps.passenger}"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    deps = BookingDeps(conversation=uuid4(), _factory=async_sessionmaker(engine), passenger="Ada")
    result = await booking.run("Hold me a seat to LIS", deps=deps, model=model)
    await engine.dispose()
    return result.output
