"""Right: the field is called `session`, but it is a sessionmaker, and each tool opens its own session with it."""

import os

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE products (sku text PRIMARY KEY, title text);
CREATE TABLE reservations (id serial PRIMARY KEY, sku text, customer text);
"""
engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://shop@localhost/shop"))
session = async_sessionmaker(engine, expire_on_commit=False)


class ShopDeps:
    def __init__(self, session, customer):
        self.session = session
        self.customer = customer


agent = Agent(deps_type=ShopDeps)


@agent.tool
async def search_products(ctx: RunContext[ShopDeps], words: str) -> list[str]:
    """Search the catalogue."""
    async with ctx.deps.session() as db:
        found = await db.execute(text("SELECT title FROM products WHERE title ILIKE :words"), {"words": f"%{words}%"})
        return list(found.scalars())


@agent.tool
async def reserve(ctx: RunContext[ShopDeps], sku: str) -> str:
    """Put one piece aside for the customer."""
    async with ctx.deps.session.begin() as db:
        values = {"sku": sku, "customer": ctx.deps.customer}
        await db.execute(text("INSERT INTO reservations (sku, customer) VALUES (:sku, :customer)"), values)
    return f"{sku} is reserved"


async def main(model, url):
    answer = await agent.run("Find a kettle", deps=ShopDeps(session, "ada@example.org"), model=model)
    await engine.dispose()
    return answer.output
