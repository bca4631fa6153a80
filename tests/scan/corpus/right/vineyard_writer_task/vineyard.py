"""Right: the tools put their entries into a queue, and one task alone, which owns the session, writes them."""

import asyncio
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE journal (id serial PRIMARY KEY, barrel int, what text)"


@dataclass
class CellarDeps:
    journal: asyncio.Queue[tuple[int, str] | None]


cellarer = Agent(deps_type=CellarDeps)


@cellarer.tool
async def rack(ctx: RunContext[CellarDeps], barrel: int) -> str:
    """Note that a barrel was racked."""
    await ctx.deps.journal.put((barrel, "racked"))
    return "noted"


@cellarer.tool
async def top_up(ctx: RunContext[CellarDeps], barrel: int) -> str:
    """Note that a barrel was topped up."""
    await ctx.deps.journal.put((barrel, "topped up"))
    return "noted"


async def write_journal(sessions: async_sessionmaker, journal: asyncio.Queue[tuple[int, str] | None]) -> None:
    async with sessions() as session:
        while (entry := await journal.get()) is not None:
            barrel, what = entry
            statement = text("INSERT INTO journal (barrel, what) VALUES (:barrel, :what)")
            await session.execute(statement, {"barrel": barrel, "what": what})
            await session.commit()


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    deps = CellarDeps(journal=asyncio.Queue())
    async with asyncio.TaskGroup() as group:
        group.create_task(write_journal(async_sessionmaker(engine), deps.journal))
        result = await cellarer.run("I racked 3 and topped up 4", deps=deps, model=model)
        await deps.journal.put(None)
    await engine.dispose()
    return result.output
