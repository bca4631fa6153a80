"""Broken: the bill is written in the session of the tools, so that a tool's failure takes the bill with it."""

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
    session: AsyncSession  # expect-any: shared_by_tools


desk = Agent(deps_type=DeskDeps)


@desk.tool
async def solutions(ctx: RunContext[DeskDeps], words: str) -> list[str]:
    """Known solutions."""
    try:
        return list(  # expect-any: shared_by_tools
            await ctx.deps.session.scalars(text("SELECT steps FROM solutions WHERE words = :w"), {"w": words})
        )
    except Exception:
        await ctx.deps.session.rollback()  # expect-any: shared_by_tools
        return []


@desk.tool
async def incidents(ctx: RunContext[DeskDeps], service: str) -> int:
    """How many incidents of a service are open."""
    statement = text("SELECT count(*) FROM incidents WHERE is_open AND service = :service")
    return await ctx.deps.session.scalar(statement, {"service": service})  # expect-any: shared_by_tools


async def answer(sessions: async_sessionmaker[AsyncSession], message: str, model: object) -> tuple[str, int]:
    async with sessions() as session:
        tracker = LLMRequestTracker(session)  # expect: tracker_with_session
        result = await desk.run(message, deps=DeskDeps(session), model=model)  # expect-any: shared_by_tools
        usage = result.usage
        row = await tracker.track_request(str(model), usage.input_tokens, usage.output_tokens)
    return result.output, row


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    output, _ = await answer(async_sessionmaker(engine), "The VPN drops every hour", model)
    await engine.dispose()
    return output
