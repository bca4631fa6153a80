"""Broken: the tracker gets the connection on which the tools query, and each tool records its cost while they run."""

from dataclasses import dataclass

import asyncpg
from billing import CostTracker, tracker_for
from pydantic_ai import Agent, RunContext

SCHEMA = """
CREATE TABLE bills (id serial PRIMARY KEY, tenant text, cents int, at timestamptz);
CREATE TABLE glossary (term text, language text, translation text);
CREATE TABLE memory (source text, language text, target text);
"""


@dataclass
class TranslatorDeps:
    conn: asyncpg.Connection  # expect-any: shared_by_tools
    tracker: CostTracker  # expect-any: tracker_with_session


translator = Agent(deps_type=TranslatorDeps)


@translator.tool
async def term(ctx: RunContext[TranslatorDeps], word: str, language: str) -> str | None:
    """The agreed translation of a term."""
    await ctx.deps.tracker.record(1)  # expect-any: shared_by_tools
    return await ctx.deps.conn.fetchval(  # expect-any: shared_by_tools
        "SELECT translation FROM glossary WHERE term = $1 AND language = $2", word, language
    )


@translator.tool
async def earlier(ctx: RunContext[TranslatorDeps], sentence: str) -> list[str]:
    """How a sentence was translated before."""
    await ctx.deps.tracker.record(2)  # expect-any: shared_by_tools
    rows = await ctx.deps.conn.fetch(  # expect-any: shared_by_tools
        "SELECT target FROM memory WHERE source = $1", sentence
    )
    return [row["target"] for row in rows]


async def main(model: object, url: str) -> str:
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1) as pool, pool.acquire() as conn:
        deps = TranslatorDeps(conn=conn, tracker=tracker_for(conn, "agrofresh"))  # expect-any: tracker_with_session
        result = await translator.run("Translate: apples keep longer", deps=deps, model=model)
    return result.output
