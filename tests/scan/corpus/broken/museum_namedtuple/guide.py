"""Broken: a NamedTuple carries one core connection to two tools, which run at once."""

from typing import NamedTuple

from pydantic_ai import Agent, RunContext, Tool
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

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
    connection: AsyncConnection  # expect-any: shared_by_tools
    language: str


async def works_by(ctx: RunContext[GuideDeps], artist: str) -> list[str]:
    """Works of an artist."""
    result = await ctx.deps.connection.execute(  # expect-any: shared_by_tools
        select(works.c.title).where(works.c.artist == artist)
    )
    return list(result.scalars())


async def works_in(ctx: RunContext[GuideDeps], room: int) -> list[str]:
    """Works that hang in a room."""
    connection, _ = ctx.deps
    async with connection.stream(  # expect-any: shared_by_tools
        select(works.c.title).where(works.c.room == room)
    ) as result:
        return [row.title async for row in result]


def build_guide() -> Agent[GuideDeps, str]:
    return Agent(
        deps_type=GuideDeps,
        tools=[Tool(works_by, takes_ctx=True), Tool(works_in, takes_ctx=True, max_retries=2)],
    )


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        result = await build_guide().run(  # expect-any: shared_by_tools
            "What of Klee hangs in room 4?", deps=GuideDeps(connection, "en"), model=model
        )
    await engine.dispose()
    return result.output
