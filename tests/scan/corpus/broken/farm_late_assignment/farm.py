"""Broken: the deps are made empty and get their session later; from then on both tools share it."""

from dataclasses import dataclass
from typing import Optional

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE fields (id serial PRIMARY KEY, crop text, hectares numeric);
CREATE TABLE rain (id serial PRIMARY KEY, field int, millimetres int);
"""


@dataclass
class FarmDeps:
    farm: str
    session: Optional[AsyncSession] = None  # expect-any: shared_by_tools


agronomist = Agent(deps_type=FarmDeps)


def _session(ctx: RunContext[FarmDeps]) -> AsyncSession:
    if ctx.deps.session is None:
        raise RuntimeError("there is no session yet")
    return ctx.deps.session  # expect-any: shared_by_tools


@agronomist.tool
async def area_of(ctx: RunContext[FarmDeps], crop: str) -> float:
    """Hectares of a crop."""
    statement = text("SELECT coalesce(sum(hectares), 0) FROM fields WHERE crop = :crop")
    return float(await _session(ctx).scalar(statement, {"crop": crop}))  # expect-any: shared_by_tools


@agronomist.tool
async def rain_on(ctx: RunContext[FarmDeps], field: int) -> int:
    """Rain on a field, in millimetres."""
    statement = text("SELECT coalesce(sum(millimetres), 0) FROM rain WHERE field = :field")
    return await _session(ctx).scalar(statement, {"field": field})  # expect-any: shared_by_tools


async def advise(engine: AsyncEngine, deps: FarmDeps, model: object) -> str:
    async with AsyncSession(engine) as session:
        deps.session = session  # expect-any: shared_by_tools
        result = await agronomist.run(  # expect-any: shared_by_tools
            "Was there enough rain for the barley?", deps=deps, model=model
        )
    return result.output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    try:
        return await advise(engine, FarmDeps(farm="Oak Hill"), model)
    finally:
        await engine.dispose()
