"""Right: the tracker is made with the factory, as the tools are, and nobody's failure is another one's."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from tracker import LLMRequestTracker

SCHEMA = """
CREATE TABLE solutions (id serial PRIMARY KEY, words text, steps text);
CREATE TABLE incidents (id serial PRIMARY KEY, service text, is_open boolean);
"""


@dataclass
class DeskDeps:
    sessions: async_sessionmaker[AsyncSession]


desk = Agent(deps_type=DeskDeps)


@desk.tool
async def solutions(ctx: RunContext[DeskDeps], words: str) -> list[str]:
    """Known solutions."""
    async with ctx.deps.sessions() as session:
        return list(await session.scalars(text("SELECT steps FROM solutions WHERE words = :w"), {"w": words}))


@desk.tool
async def incidents(ctx: RunContext[DeskDeps], service: str) -> int:
    """How many incidents of a service are open."""
    async with ctx.deps.sessions() as session:
        statement = text("SELECT count(*) FROM incidents WHERE is_open AND service = :service")
        return await session.scalar(statement, {"service": service})


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    tracker = LLMRequestTracker(sessions)
    result = await desk.run("The VPN drops every hour", deps=DeskDeps(sessions), model=model)
    await tracker.track_request(str(model), result.usage.total_tokens)
    await engine.dispose()
    return result.output
