"""Broken: the two repositories in the deps look independent, but hold the same session, and their tools run at once."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from repositories import StockRepository, SupplierRepository
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


@dataclass(frozen=True)
class WarehouseDeps:
    stock: StockRepository  # expect-any: shared_by_tools
    suppliers: SupplierRepository  # expect-any: shared_by_tools


clerk: Agent[WarehouseDeps, str] = Agent(deps_type=WarehouseDeps)


@clerk.tool
async def in_stock(ctx: RunContext[WarehouseDeps], code: str) -> int:
    """How many pieces there are."""
    return await ctx.deps.stock.quantity(code)  # expect-any: shared_by_tools


@clerk.tool
async def suppliers(ctx: RunContext[WarehouseDeps], name: str) -> list[str]:
    """Suppliers by name."""
    return await ctx.deps.suppliers.names(name)  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    sessions = async_sessionmaker(engine)
    async with sessions() as session:
        deps = WarehouseDeps(  # expect-any: shared_by_tools
            stock=StockRepository(session),
            suppliers=SupplierRepository(session),
        )
        result = await clerk.run(  # expect-any: shared_by_tools
            "Do we have M8 bolts, and does Ferro sell them?", deps=deps, model=model
        )
    await engine.dispose()
    return result.output
