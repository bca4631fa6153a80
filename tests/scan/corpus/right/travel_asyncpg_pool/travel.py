"""Right: the deps have the pool, whose methods take a connection for each query, and give it back."""

from dataclasses import dataclass

import asyncpg
from pydantic_ai import Agent, RunContext

SCHEMA = """
CREATE TABLE hotels (id serial PRIMARY KEY, city text, name text, stars int);
CREATE TABLE trains (id serial PRIMARY KEY, origin text, destination text, minutes int);
"""


@dataclass
class TravelDeps:
    db: asyncpg.Pool
    currency: str = "EUR"


agent = Agent(deps_type=TravelDeps, system_prompt="You plan short trips.")


@agent.tool
async def hotels(ctx: RunContext[TravelDeps], city: str, stars: int) -> list[str]:
    """Hotels in a city."""
    rows = await ctx.deps.db.fetch("SELECT name FROM hotels WHERE city = $1 AND stars >= $2", city, stars)
    return [row["name"] for row in rows]


@agent.tool
async def fastest_train(ctx: RunContext[TravelDeps], origin: str, destination: str) -> int | None:
    """Minutes of the fastest train."""
    async with ctx.deps.db.acquire() as connection, connection.transaction(readonly=True):
        return await connection.fetchval(
            "SELECT min(minutes) FROM trains WHERE origin = $1 AND destination = $2", origin, destination
        )


async def main(model: object, url: str) -> str:
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1, max_size=4) as pool:
        result = await agent.run("A weekend in Porto", deps=TravelDeps(pool), model=model)
    return result.output
