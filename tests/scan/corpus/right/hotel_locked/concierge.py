"""Right: whoever uses the shared session holds the lock of the deps from the first statement to the commit."""

import asyncio
from dataclasses import dataclass, field

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE rooms (number int PRIMARY KEY, beds int, is_free boolean);
CREATE TABLE orders (id serial PRIMARY KEY, room int, what text);
"""


@dataclass
class HotelDeps:
    session: AsyncSession
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


concierge = Agent(deps_type=HotelDeps)


@concierge.tool
async def free_rooms(ctx: RunContext[HotelDeps], beds: int) -> int:
    """How many rooms with so many beds are free."""
    async with ctx.deps.lock, ctx.deps.session.begin():
        statement = text("SELECT count(*) FROM rooms WHERE is_free AND beds >= :beds")
        return await ctx.deps.session.scalar(statement, {"beds": beds})


@concierge.tool
async def room_service(ctx: RunContext[HotelDeps], room: int, what: str) -> str:
    """Order something to a room."""
    async with ctx.deps.lock:
        async with ctx.deps.session.begin():
            values = {"room": room, "what": what}
            await ctx.deps.session.execute(text("INSERT INTO orders (room, what) VALUES (:room, :what)"), values)
    return "on its way"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with async_sessionmaker(engine)() as session:
        result = await concierge.run("A double, and tea to room 12", deps=HotelDeps(session), model=model)
    await engine.dispose()
    return result.output
