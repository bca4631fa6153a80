"""Broken: two tools run at once, and each hands its deps, with the session in them, on to an agent of its own."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE ships (name text PRIMARY KEY, berth int);
CREATE TABLE tugs (name text PRIMARY KEY, busy boolean);
"""


@dataclass
class HarborDeps:
    db: AsyncSession  # expect-any: shared_by_tools
    model: object


berths = Agent(deps_type=HarborDeps, name="berths")
tugs = Agent(deps_type=HarborDeps, name="tugs")
master = Agent(deps_type=HarborDeps, name="harbor master")


@berths.tool
async def berth_of(ctx: RunContext[HarborDeps], ship: str) -> int | None:
    """Where a ship lies."""
    return await ctx.deps.db.scalar(  # expect-any: shared_by_tools
        text("SELECT berth FROM ships WHERE name = :ship"), {"ship": ship}
    )


@tugs.tool
async def free_tugs(ctx: RunContext[HarborDeps]) -> list[str]:
    """Tugs that are free."""
    return list(await ctx.deps.db.scalars(text("SELECT name FROM tugs WHERE NOT busy")))  # expect-any: shared_by_tools


@master.tool
async def ask_berths(ctx: RunContext[HarborDeps], question: str) -> str:
    """Ask whoever knows the berths."""
    return (  # expect-any: shared_by_tools
        await berths.run(question, deps=ctx.deps, model=ctx.deps.model, usage=ctx.usage)
    ).output


@master.tool
async def ask_tugs(ctx: RunContext[HarborDeps], question: str) -> str:
    """Ask whoever knows the tugs."""
    return (  # expect-any: shared_by_tools
        await tugs.run(question, deps=ctx.deps, model=ctx.deps.model, usage=ctx.usage)
    ).output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as db:
        deps = HarborDeps(db=db, model=model)  # expect-any: shared_by_tools
        result = await master.run("Bring a tug to the Aurora", deps=deps, model=model)  # expect-any: shared_by_tools
    await engine.dispose()
    return result.output
