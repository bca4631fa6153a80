"""Broken: the toolset is built for each run, around the session of the deps, and its two functions run at once."""

from dataclasses import dataclass

from pydantic_ai import Agent, FunctionToolset, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE postcards (id serial PRIMARY KEY, motif text, pieces int, price int)"


@dataclass
class ShopDeps:
    work: AsyncSession  # expect-any: shared_by_tools


cashier = Agent(deps_type=ShopDeps)


@cashier.toolset
def postcards(ctx: RunContext[ShopDeps]) -> FunctionToolset[ShopDeps]:
    work = ctx.deps.work  # expect-any: shared_by_tools

    async def find_postcards(motif: str) -> list[int]:
        """Postcards by motif."""
        return list(  # expect-any: shared_by_tools
            await work.scalars(text("SELECT id FROM postcards WHERE motif = :motif"), {"motif": motif})
        )

    async def price_of(postcard: int) -> int | None:
        """The price of a postcard in cents."""
        return await work.scalar(  # expect-any: shared_by_tools
            text("SELECT price FROM postcards WHERE id = :id"), {"id": postcard}
        )

    return FunctionToolset(tools=[find_postcards, price_of])


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(bind=engine) as work:
        result = await cashier.run(  # expect-any: shared_by_tools
            "What do the Monets cost?", deps=ShopDeps(work), model=model
        )
    await engine.dispose()
    return result.output
