"""Broken: two agents with one tool each run side by side, and have the same deps, with one session in them."""

import asyncio
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE contracts (id serial PRIMARY KEY, party text, clause text);
CREATE TABLE rulings (id serial PRIMARY KEY, topic text, summary text);
"""


@dataclass
class ReviewDeps:
    session: AsyncSession  # expect-any: shared_by_tasks
    contract: str


lawyer = Agent(deps_type=ReviewDeps, name="lawyer")
researcher = Agent(deps_type=ReviewDeps, name="researcher")


@lawyer.tool(sequential=True)
async def clauses(ctx: RunContext[ReviewDeps]) -> list[str]:
    """The clauses of the contract."""
    statement = text("SELECT clause FROM contracts WHERE party = :party")
    return list(await ctx.deps.session.scalars(statement, {"party": ctx.deps.contract}))  # expect-any: shared_by_tasks


@researcher.tool(sequential=True)
async def rulings(ctx: RunContext[ReviewDeps], topic: str) -> list[str]:
    """Rulings on a topic."""
    found = await ctx.deps.session.scalars(  # expect-any: shared_by_tasks
        text("SELECT summary FROM rulings WHERE topic = :t"), {"t": topic}
    )
    return list(found)


async def review(deps: ReviewDeps, model: object) -> list[str]:
    opinions = await asyncio.gather(  # expect-any: shared_by_tasks
        lawyer.run("Which clauses are risky?", deps=deps, model=model),  # expect-any: shared_by_tasks
        researcher.run("What do the courts say?", deps=deps, model=model),  # expect-any: shared_by_tasks
    )
    return [opinion.output for opinion in opinions]


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        answers = await review(ReviewDeps(session, "Acme"), model)  # expect-any: shared_by_tasks
    await engine.dispose()
    return " ".join(answers)
