"""Broken: helpers have the one session as a default argument, and the tools that call them run at once."""

import os

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE pantry (item text PRIMARY KEY, amount numeric);
CREATE TABLE shopping (id serial PRIMARY KEY, item text);
"""
engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://kitchen@localhost/kitchen"))
SESSION = AsyncSession(engine, expire_on_commit=False)  # expect-any: shared_by_tools


async def amount_of(item: str, session: AsyncSession = SESSION) -> float:  # expect-any: shared_by_tools
    value = await session.scalar(  # expect-any: shared_by_tools
        text("SELECT amount FROM pantry WHERE item = :item"), {"item": item}
    )
    return float(value or 0)


async def put_on_list(item: str, *, session: AsyncSession = SESSION) -> None:  # expect-any: shared_by_tools
    await session.execute(  # expect-any: shared_by_tools
        text("INSERT INTO shopping (item) VALUES (:item)"), {"item": item}
    )
    await session.commit()  # expect-any: shared_by_tools


chef = Agent(deps_type=str)


@chef.tool
async def how_much(ctx: RunContext[str], item: str) -> float:
    """How much of an item is in the pantry."""
    return await amount_of(item)  # expect-any: shared_by_tools


@chef.tool
async def buy(ctx: RunContext[str], item: str) -> str:
    """Put an item on the shopping list."""
    await put_on_list(item)  # expect-any: shared_by_tools
    return f"{ctx.deps} will buy {item}"


async def main(model: object, url: str) -> str:
    result = await chef.run("Have we flour? Put yeast on the list.", deps="Ben", model=model)
    await SESSION.close()
    await engine.dispose()
    return result.output
