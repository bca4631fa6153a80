"""Right: each delegating tool opens a session and makes the inner agent's deps of it, for that one run."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE ships (name text PRIMARY KEY, berth int);
CREATE TABLE tugs (name text PRIMARY KEY, busy boolean);
"""


@dataclass
class MasterDeps:
    sessions: async_sessionmaker[AsyncSession]
    model: object


berths = Agent(deps_type=AsyncSession, name="berths")
tugs = Agent(deps_type=AsyncSession, name="tugs")
master = Agent(deps_type=MasterDeps, name="harbor master")


@berths.tool(sequential=True)
async def berth_of(ctx: RunContext[AsyncSession], ship: str) -> int | None:
    """Where a ship lies."""
    async with ctx.deps.begin():
        return await ctx.deps.scalar(text("SELECT berth FROM ships WHERE name = :ship"), {"ship": ship})


@tugs.tool(sequential=True)
async def free_tugs(ctx: RunContext[AsyncSession]) -> list[str]:
    """Tugs that are free."""
    async with ctx.deps.begin():
        return list(await ctx.deps.scalars(text("SELECT name FROM tugs WHERE NOT busy")))


@master.tool
async def ask_berths(ctx: RunContext[MasterDeps], question: str) -> str:
    """Ask whoever knows the berths."""
    async with ctx.deps.sessions() as session:
        return (await berths.run(question, deps=session, model=ctx.deps.model)).output


@master.tool
async def ask_tugs(ctx: RunContext[MasterDeps], question: str) -> str:
    """Ask whoever knows the tugs."""
    async with ctx.deps.sessions() as session:
        return (await tugs.run(question, deps=session, model=ctx.deps.model)).output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    deps = MasterDeps(async_sessionmaker(engine), model)
    result = await master.run("Bring a tug to the Aurora", deps=deps, model=model)
    await engine.dispose()
    return result.output
