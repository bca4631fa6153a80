"""Broken: the meter, which writes the bill, has the session of the tools, and publishes their half-done work."""

from dataclasses import dataclass

from metering import UsageMeter
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE usage (id serial PRIMARY KEY, account text, model text, tokens int);
CREATE TABLE shifts (id serial PRIMARY KEY, person text, day date);
"""


@dataclass
class PlannerDeps:
    db: AsyncSession


planner = Agent(deps_type=PlannerDeps)


@planner.tool(sequential=True)
async def shifts_of(ctx: RunContext[PlannerDeps], person: str) -> list[str]:
    """The days on which somebody works."""
    rows = await ctx.deps.db.execute(text("SELECT day FROM shifts WHERE person = :p"), {"p": person})
    return [str(day) for day in rows.scalars()]


@planner.tool(sequential=True)
async def draft_shift(ctx: RunContext[PlannerDeps], person: str) -> str:
    """Put somebody on the plan for today. Nothing is final until the plan is approved."""
    await ctx.deps.db.execute(text("INSERT INTO shifts (person, day) VALUES (:p, current_date)"), {"p": person})
    return "drafted"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as db:
        meter = UsageMeter(db, account="wyckoff")  # expect: tracker_with_session
        await planner.run("Put Ada on today", deps=PlannerDeps(db), model=model, capabilities=[meter])
        await db.rollback()
        final = await db.scalar(text("SELECT count(*) FROM shifts"))
    await engine.dispose()
    return f"{final} shifts are final, though nothing was approved"
