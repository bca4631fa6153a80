"""Broken: two tools of the guide run agents of their own with the guide's deps, and so share its session."""

from pydantic import BaseModel, ConfigDict
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE paintings (id serial PRIMARY KEY, title text, room int);
CREATE TABLE tours (id serial PRIMARY KEY, starts text);
"""


class Visit(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    db: AsyncSession  # expect-any: shared_by_tools
    language: str = "en"


guide = Agent(deps_type=Visit, output_type=str)
curator = Agent(deps_type=Visit)
planner = Agent(deps_type=Visit)


@curator.tool
async def paintings(ctx: RunContext[Visit], room: int) -> list[str]:
    """The paintings of a room."""
    statement = text("SELECT title FROM paintings WHERE room = :room")
    return list(await ctx.deps.db.scalars(statement, {"room": room}))  # expect-any: shared_by_tools


@planner.tool
async def tours(ctx: RunContext[Visit]) -> list[str]:
    """The tours of today."""
    return list(await ctx.deps.db.scalars(text("SELECT starts FROM tours")))  # expect-any: shared_by_tools


@guide.tool
async def ask_curator(ctx: RunContext[Visit], question: str) -> str:
    """Ask about paintings."""
    answer = await curator.run(question, deps=ctx.deps, usage=ctx.usage, model=ctx.model)  # expect-any: shared_by_tools
    return answer.output


@guide.tool
async def ask_planner(ctx: RunContext[Visit], question: str) -> str:
    """Ask about tours."""
    answer = await planner.run(question, deps=ctx.deps, usage=ctx.usage, model=ctx.model)  # expect-any: shared_by_tools
    return answer.output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    try:
        async with async_sessionmaker(engine).begin() as db:
            visit = Visit(db=db)
            result = await guide.run("Plan my visit", deps=visit, model=model)  # expect-any: shared_by_tools
            return result.output
    finally:
        await engine.dispose()
