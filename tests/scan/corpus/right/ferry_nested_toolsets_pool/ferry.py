"""Right: tools of two nested toolsets have the pool; one acquires a connection, and one lets the pool do it."""

import asyncpg
from pydantic_ai import Agent
from toolsets import FerryDeps, everything

SCHEMA = """
CREATE TABLE departures (harbour text, at timestamptz);
CREATE TABLE decks (ferry text, free int);
"""

mate = Agent(deps_type=FerryDeps, toolsets=[everything])


async def main(model: object, url: str) -> str:
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1, max_size=4) as pool:
        async with pool.acquire() as connection:
            harbour = await connection.fetchval("SELECT 'Calais'")
        deps = FerryDeps(pool, harbour)
        return (await mate.run("When is the next one?", deps=deps, model=model)).output
