"""Broken: the lot is locked in a transaction that lasts as long as the answer is streamed to the bidder."""

from collections.abc import AsyncIterator

from pydantic_ai import Agent
from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

metadata = MetaData()
lots = Table(
    "lots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String(80)),
    Column("described", Boolean, default=False),
)

auctioneer = Agent(instructions="You describe what is for sale, in three sentences.")


async def describe(engine: AsyncEngine, lot: int, model: object) -> AsyncIterator[str]:
    async with engine.begin() as connection:  # expect-any: held_across_run
        title = await connection.scalar(  # expect-any: held_across_run
            select(lots.c.title).where(lots.c.id == lot).with_for_update()
        )
        async with auctioneer.run_stream(f"Describe: {title}", model=model) as answer:  # expect-any: held_across_run
            async for piece in answer.stream_text(delta=True):
                yield piece
        await connection.execute(update(lots).where(lots.c.id == lot).values(described=True))


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    pieces = [piece async for piece in describe(engine, 1, model)]
    await engine.dispose()
    return "".join(pieces)
