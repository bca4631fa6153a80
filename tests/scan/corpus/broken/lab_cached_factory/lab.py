"""Broken: the function in the deps looks like a factory, but it is cached, and gives every tool the same session."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from storage import get_engine, get_session

SCHEMA = "CREATE TABLE samples (code text PRIMARY KEY, freezer int, result text)"


@dataclass
class LabDeps:
    get_session: Callable[[], AsyncSession]  # expect-any: shared_by_tools


technician = Agent(deps_type=LabDeps)


@technician.tool
async def result_of(ctx: RunContext[LabDeps], code: str) -> str | None:
    """The result of a sample."""
    session = ctx.deps.get_session()  # expect-any: shared_by_tools
    return await session.scalar(  # expect-any: shared_by_tools
        text("SELECT result FROM samples WHERE code = :code"), {"code": code}
    )


@technician.tool
async def samples_in(ctx: RunContext[LabDeps], freezer: int) -> list[str]:
    """Codes of the samples in a freezer."""
    session = ctx.deps.get_session()  # expect-any: shared_by_tools
    found = await session.scalars(  # expect-any: shared_by_tools
        text("SELECT code FROM samples WHERE freezer = :freezer"), {"freezer": freezer}
    )
    return list(found)


async def main(model: object, url: str) -> str:
    result = await technician.run(  # expect-any: shared_by_tools
        "What came of S-17, and what is in 3?", deps=LabDeps(get_session), model=model
    )
    await get_session().close()
    await get_engine().dispose()
    return result.output
