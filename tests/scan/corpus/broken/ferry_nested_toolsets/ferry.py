"""Broken: tools of two nested toolsets use the one connection that was acquired from the pool for the run."""

import asyncpg
from pydantic_ai import Agent
from toolsets import FerryDeps, everything

SCHEMA = """
CREATE TABLE departures (harbour text, at timestamptz);
CREATE TABLE decks (ferry text, free int);
"""

mate = Agent(deps_type=FerryDeps, toolsets=[everything])


async def main(model: object, url: str) -> str:
    async with (
        asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1, max_size=4) as pool,
        pool.acquire() as connection,
    ):
        deps = FerryDeps(connection, "Calais")
        return (await mate.run("When is the next one?", deps=deps, model=model)).output  # expect-any: shared_by_tools
