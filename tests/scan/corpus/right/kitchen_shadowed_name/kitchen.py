"""Right: the module has a session for its start-up, but in each tool the name `session` is another one, its own."""

import os

from pydantic_ai import Agent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE pantry (item text PRIMARY KEY, amount numeric);
CREATE TABLE shopping (id serial PRIMARY KEY, item text);
"""
engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://kitchen@localhost/kitchen"))
session = AsyncSession(engine)

chef = Agent(name="chef")


async def stock_pantry() -> None:
    await session.execute(text("INSERT INTO pantry (item, amount) VALUES ('salt', 1000) ON CONFLICT DO NOTHING"))
    await session.commit()
    await session.close()


@chef.tool_plain
async def how_much(item: str) -> float:
    """How much of an item is in the pantry."""
    async with AsyncSession(engine) as session:
        return float(await session.scalar(text("SELECT amount FROM pantry WHERE item = :item"), {"item": item}) or 0)


@chef.tool_plain
async def buy(item: str) -> str:
    """Put an item on the shopping list."""
    async with AsyncSession(engine) as session:
        await session.execute(text("INSERT INTO shopping (item) VALUES (:item)"), {"item": item})
        await session.commit()
    return f"{item} is on the list"


async def main(model: object, url: str) -> str:
    await stock_pantry()
    result = await chef.run("Have we salt? Put yeast on the list.", model=model)
    await engine.dispose()
    return result.output
