"""Right: the deps have the engine, which may be shared; each tool has a connection of its own."""

from typing import NamedTuple

from pydantic_ai import Agent, RunContext, Tool
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

metadata = MetaData()
works = Table(
    "works",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String),
    Column("artist", String),
    Column("room", Integer),
)


class GuideDeps(NamedTuple):
    db: AsyncEngine
    language: str


async def works_by(ctx: RunContext[GuideDeps], artist: str) -> list[str]:
    """Works of an artist."""
    async with ctx.deps.db.connect() as connection:
        return list(await connection.scalars(select(works.c.title).where(works.c.artist == artist)))


async def works_in(ctx: RunContext[GuideDeps], room: int) -> list[str]:
    """Works that hang in a room."""
    engine, _ = ctx.deps
    async with engine.begin() as connection:
        return list(await connection.scalars(select(works.c.title).where(works.c.room == room)))


guide = Agent(deps_type=GuideDeps, tools=[Tool(works_by, takes_ctx=True), Tool(works_in)])


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await guide.run("What of Klee hangs in room 4?", deps=GuideDeps(engine, "en"), model=model)
    await engine.dispose()
    return result.output
