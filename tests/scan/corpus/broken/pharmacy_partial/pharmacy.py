"""Broken: the deps have two partials, and the same session is bound into both before the run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE drugs (id serial PRIMARY KEY, name text, packs int);
CREATE TABLE interactions (one text, other text, severity text);
"""


async def packs(session: AsyncSession, name: str) -> int:
    return (  # expect-any: shared_by_tools
        await session.scalar(text("SELECT sum(packs) FROM drugs WHERE name = :name"), {"name": name}) or 0
    )


async def interaction(session: AsyncSession, one: str, other: str) -> str:
    statement = text("SELECT severity FROM interactions WHERE one = :one AND other = :other")
    return await session.scalar(statement, {"one": one, "other": other}) or "none known"  # expect-any: shared_by_tools


@dataclass
class PharmacyDeps:
    packs: Callable[[str], Awaitable[int]]
    interaction: Callable[[str, str], Awaitable[str]]


pharmacist = Agent(deps_type=PharmacyDeps)


@pharmacist.tool
async def in_stock(ctx: RunContext[PharmacyDeps], name: str) -> int:
    """Packs in stock."""
    return await ctx.deps.packs(name)  # expect-any: shared_by_tools


@pharmacist.tool
async def interacts(ctx: RunContext[PharmacyDeps], one: str, other: str) -> str:
    """How severely two drugs interact."""
    return await ctx.deps.interaction(one, other)  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        deps = PharmacyDeps(  # expect-any: shared_by_tools
            packs=partial(packs, session),
            interaction=partial(interaction, session),
        )
        result = await pharmacist.run(  # expect-any: shared_by_tools
            "Can I take ibuprofen with warfarin?", deps=deps, model=model
        )
    await engine.dispose()
    return result.output
