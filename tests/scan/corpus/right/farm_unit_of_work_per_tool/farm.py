"""Right: there is a unit of work with a `session` attribute, but every tool makes and ends one of its own."""

from typing import Self

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE fields (id serial PRIMARY KEY, crop text, hectares numeric);
CREATE TABLE rain (id serial PRIMARY KEY, field int, millimetres int);
"""


class UnitOfWork:
    def __init__(self, engine: AsyncEngine) -> None:
        self.session = AsyncSession(engine)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def number(self, sql: str, **values: object) -> float:
        return float(await self.session.scalar(text(sql), values) or 0)


agronomist = Agent(deps_type=AsyncEngine)


@agronomist.tool
async def area_of(ctx: RunContext[AsyncEngine], crop: str) -> float:
    """Hectares of a crop."""
    async with UnitOfWork(ctx.deps) as work:
        return await work.number("SELECT sum(hectares) FROM fields WHERE crop = :crop", crop=crop)


@agronomist.tool
async def rain_on(ctx: RunContext[AsyncEngine], field: int) -> float:
    """Rain on a field, in millimetres."""
    async with UnitOfWork(ctx.deps) as work:
        return await work.number("SELECT sum(millimetres) FROM rain WHERE field = :field", field=field)


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await agronomist.run("Was there enough rain for the barley?", deps=engine, model=model)
    await engine.dispose()
    return result.output
