"""Broken: the booking deps inherit a session from the base class, and both booking tools use it side by side."""

from dataclasses import dataclass
from datetime import date

from base import AgentDependencies
from pydantic_ai import Agent, RunContext
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, insert, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

metadata = MetaData()
flights = Table(
    "flights",
    metadata,
    Column("number", String(8), primary_key=True),
    Column("destination", String(3)),
    Column("day", Date),
    Column("seats", Integer),
)
holds = Table("holds", metadata, Column("id", Integer, primary_key=True), Column("flight", String(8)))


@dataclass(kw_only=True)
class BookingDeps(AgentDependencies):
    passenger: str


booking = Agent(deps_type=BookingDeps, instructions="You book flights.")


@booking.tool(retries=2)
async def list_flights(ctx: RunContext[BookingDeps], destination: str, day: date) -> list[str]:
    """Flights to a destination on a day."""
    found = await ctx.deps.db.execute(  # expect-any: shared_by_tools
        select(flights.c.number).where(flights.c.destination == destination, flights.c.day == day)
    )
    return list(found.scalars())


@booking.tool(retries=2)
async def hold_seat(ctx: RunContext[BookingDeps], number: str) -> str:
    """Hold a seat for a quarter of an hour."""
    async with ctx.deps.db.begin_nested():  # expect-any: shared_by_tools
        await ctx.deps.db.execute(insert(holds).values(flight=number))  # expect-any: shared_by_tools
    return f"a seat on {number} is held for {ctx.deps.passenger}"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    factory = async_sessionmaker(engine)
    async with factory.begin() as db:
        deps = BookingDeps.for_conversation(db, passenger="Ada")  # expect-any: shared_by_tools
        result = await booking.run(  # expect-any: shared_by_tools
            "Hold me a seat to LIS tomorrow", deps=deps, model=model
        )
    await engine.dispose()
    return result.output
