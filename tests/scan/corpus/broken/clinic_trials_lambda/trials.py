"""Broken: what looks like a session per tool, a lambda in the deps, gives back the session of the caller."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

SCHEMA = """
CREATE TABLE trials (id serial PRIMARY KEY, condition text, phase int);
CREATE TABLE sites (id serial PRIMARY KEY, trial int, city text);
"""


@dataclass
class TrialDeps:
    connection: Callable[[], AsyncConnection]


matcher = Agent(deps_type=TrialDeps)


@matcher.tool
async def trials_for(ctx: RunContext[TrialDeps], condition: str) -> list[int]:
    """Trials for a condition."""
    connection = ctx.deps.connection()  # expect-any: shared_by_tools
    return list(  # expect-any: shared_by_tools
        await connection.scalars(text("SELECT id FROM trials WHERE condition = :c"), {"c": condition})
    )


@matcher.tool
async def sites_in(ctx: RunContext[TrialDeps], city: str) -> list[int]:
    """Trials that have a site in a city."""
    connection = ctx.deps.connection()  # expect-any: shared_by_tools
    return list(  # expect-any: shared_by_tools
        await connection.scalars(text("SELECT trial FROM sites WHERE city = :city"), {"city": city})
    )


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url, connect_args={"timeout": 10})
    async with engine.connect() as connection:
        deps = TrialDeps(connection=lambda: connection)  # expect-any: shared_by_tools
        result = await matcher.run(  # expect-any: shared_by_tools
            "Is there anything for asthma in Leeds?", deps=deps, model=model
        )
    await engine.dispose()
    return result.output
