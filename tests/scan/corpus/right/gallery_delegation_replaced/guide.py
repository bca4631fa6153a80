"""Right: two tools of the guide run agents of their own, with deps in which the session is replaced by a new one."""

from dataclasses import dataclass, replace

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE paintings (id serial PRIMARY KEY, title text, room int);
CREATE TABLE tours (id serial PRIMARY KEY, starts text);
"""


@dataclass(frozen=True)
class Visit:
    sessions: async_sessionmaker[AsyncSession]
    db: AsyncSession | None = None
    language: str = "en"


guide = Agent(deps_type=Visit, output_type=str)
curator = Agent(deps_type=Visit)
planner = Agent(deps_type=Visit)


@curator.tool(sequential=True)
async def paintings(ctx: RunContext[Visit], room: int) -> list[str]:
    """The paintings of a room."""
    assert ctx.deps.db is not None
    titles = await ctx.deps.db.scalars(text("SELECT title FROM paintings WHERE room = :room"), {"room": room})
    found = list(titles)
    await ctx.deps.db.commit()
    return found


@planner.tool(sequential=True)
async def tours(ctx: RunContext[Visit]) -> list[str]:
    """The tours of today."""
    assert ctx.deps.db is not None
    found = list(await ctx.deps.db.scalars(text("SELECT starts FROM tours")))
    await ctx.deps.db.commit()
    return found


@guide.tool
async def ask_curator(ctx: RunContext[Visit], question: str) -> str:
    """Ask about paintings."""
    async with ctx.deps.sessions() as db:
        answer = await curator.run(question, deps=replace(ctx.deps, db=db), usage=ctx.usage, model=ctx.model)
    return answer.output


@guide.tool
async def ask_planner(ctx: RunContext[Visit], question: str) -> str:
    """Ask about tours."""
    async with ctx.deps.sessions() as db:
        answer = await planner.run(question, deps=replace(ctx.deps, db=db), usage=ctx.usage, model=ctx.model)
    return answer.output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    try:
        visit = Visit(async_sessionmaker(engine))
        return (await guide.run("Plan my visit", deps=visit, model=model)).output
    finally:
        await engine.dispose()
