"""Right: the tracker is made with a session, but with one that is opened after the run, for the bill alone."""

from dataclasses import dataclass

import asyncpg
from pydantic_ai import Agent, RunContext

SCHEMA = """
CREATE TABLE bills (id serial PRIMARY KEY, tenant text, tokens int);
CREATE TABLE glossary (term text, language text, translation text);
CREATE TABLE memory (source text, language text, target text);
"""


@dataclass
class CostTracker:
    conn: asyncpg.Connection
    tenant: str

    async def record(self, tokens: int) -> int:
        return await self.conn.fetchval(
            "INSERT INTO bills (tenant, tokens) VALUES ($1, $2) RETURNING id", self.tenant, tokens
        )


translator = Agent(deps_type=asyncpg.Pool)


@translator.tool
async def term(ctx: RunContext[asyncpg.Pool], word: str, language: str) -> str | None:
    """The agreed translation of a term."""
    return await ctx.deps.fetchval("SELECT translation FROM glossary WHERE term = $1 AND language = $2", word, language)


@translator.tool
async def earlier(ctx: RunContext[asyncpg.Pool], sentence: str) -> list[str]:
    """How a sentence was translated before."""
    async with ctx.deps.acquire() as conn:
        rows = await conn.fetch("SELECT target FROM memory WHERE source = $1", sentence)
    return [row["target"] for row in rows]


async def main(model: object, url: str) -> str:
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1) as pool:
        result = await translator.run("Translate: apples keep longer", deps=pool, model=model)
        async with pool.acquire() as conn:
            tracker = CostTracker(conn=conn, tenant="agrofresh")
            await tracker.record(result.usage.total_tokens)
    return result.output
