"""Broken: one asyncpg connection is taken from the pool for the whole turn, and both tools query on it at once."""

from dataclasses import dataclass

import asyncpg
from pydantic_ai import Agent, RunContext

SCHEMA = """
CREATE TABLE hotels (id serial PRIMARY KEY, city text, name text, stars int);
CREATE TABLE trains (id serial PRIMARY KEY, origin text, destination text, minutes int);
"""


@dataclass
class TravelDeps:
    conn: asyncpg.Connection  # expect-any: shared_by_tools
    currency: str = "EUR"


agent = Agent(deps_type=TravelDeps, system_prompt="You plan short trips.")


@agent.tool
async def hotels(ctx: RunContext[TravelDeps], city: str, stars: int) -> list[str]:
    """Hotels in a city."""
    rows = await ctx.deps.conn.fetch(  # expect-any: shared_by_tools
        "SELECT name FROM hotels WHERE city = $1 AND stars >= $2", city, stars
    )
    return [row["name"] for row in rows]


@agent.tool
async def fastest_train(ctx: RunContext[TravelDeps], origin: str, destination: str) -> int | None:
    """Minutes of the fastest train."""
    return await ctx.deps.conn.fetchval(  # expect-any: shared_by_tools
        "SELECT min(minutes) FROM trains WHERE origin = $1 AND destination = $2", origin, destination
    )


async def plan(pool: asyncpg.Pool, request: str, model: object) -> str:
    async with pool.acquire() as conn:
        result = await agent.run(request, deps=TravelDeps(conn), model=model)  # expect-any: shared_by_tools
    return result.output


async def main(model: object, url: str) -> str:
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1, max_size=4) as pool:
        return await plan(pool, "A weekend in Porto", model)
