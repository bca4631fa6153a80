"""Right: only one tool touches the session of the deps, and it runs alone; the other one only counts."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE loaves (kind text PRIMARY KEY, pieces int)"


@dataclass
class BakeryDeps:
    db: AsyncSession
    price: int


baker = Agent(deps_type=BakeryDeps)


@baker.tool(sequential=True)
async def loaves_left(ctx: RunContext[BakeryDeps], kind: str) -> int:
    """How many loaves of a kind are left."""
    async with ctx.deps.db.begin():
        return await ctx.deps.db.scalar(text("SELECT pieces FROM loaves WHERE kind = :kind"), {"kind": kind}) or 0


@baker.tool
async def total(ctx: RunContext[BakeryDeps], pieces: int) -> int:
    """What so many loaves cost."""
    return pieces * ctx.deps.price


@baker.tool_plain
def opening_hours() -> str:
    """When the bakery is open."""
    return "6 to 18"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as db:
        result = await baker.run("Two rye loaves?", deps=BakeryDeps(db, price=450), model=model)
    await engine.dispose()
    return result.output
