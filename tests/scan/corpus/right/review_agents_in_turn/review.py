"""Right: two agents have one session between them, but the second run begins when the first has ended."""

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
    session: AsyncSession
    contract: str


lawyer = Agent(deps_type=ReviewDeps, name="lawyer")
researcher = Agent(deps_type=ReviewDeps, name="researcher")


@lawyer.tool(sequential=True)
async def clauses(ctx: RunContext[ReviewDeps]) -> list[str]:
    """The clauses of the contract."""
    async with ctx.deps.session.begin():
        statement = text("SELECT clause FROM contracts WHERE party = :party")
        return list(await ctx.deps.session.scalars(statement, {"party": ctx.deps.contract}))


@researcher.tool(sequential=True)
async def rulings(ctx: RunContext[ReviewDeps], topic: str) -> list[str]:
    """Rulings on a topic."""
    async with ctx.deps.session.begin():
        statement = text("SELECT summary FROM rulings WHERE topic = :topic")
        return list(await ctx.deps.session.scalars(statement, {"topic": topic}))


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        deps = ReviewDeps(session, "Acme")
        risks = await lawyer.run("Which clauses are risky?", deps=deps, model=model)
        result = await researcher.run(f"What do the courts say of {risks.output}?", deps=deps, model=model)
    await engine.dispose()
    return result.output
