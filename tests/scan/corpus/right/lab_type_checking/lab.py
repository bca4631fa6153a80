"""Right: the session in the deps is there for the type checker alone; at run time they have only the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE samples (code text PRIMARY KEY, freezer int, result text)"

if TYPE_CHECKING:

    class LegacyDeps:
        """As the old laboratory had them; its stubs are still typed against this."""

        session: AsyncSession

    def legacy(deps: LegacyDeps) -> AsyncSession:
        return deps.session


@dataclass
class LabDeps:
    engine: AsyncEngine


technician = Agent(deps_type=LabDeps)


async def _result(session: AsyncSession, code: str) -> str | None:
    return await session.scalar(text("SELECT result FROM samples WHERE code = :code"), {"code": code})


@technician.tool
async def result_of(ctx: RunContext[LabDeps], code: str) -> str | None:
    """The result of a sample."""
    async with AsyncSession(ctx.deps.engine) as session:
        return await _result(session, code)


@technician.tool
async def samples_in(ctx: RunContext[LabDeps], freezer: int) -> list[str]:
    """Codes of the samples in a freezer."""
    async with AsyncSession(ctx.deps.engine) as session:
        return list(await session.scalars(text("SELECT code FROM samples WHERE freezer = :f"), {"f": freezer}))


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await technician.run("What came of S-17?", deps=LabDeps(engine), model=model)
    await engine.dispose()
    return result.output
