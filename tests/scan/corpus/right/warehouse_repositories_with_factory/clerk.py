"""Right: the repositories in the deps share a factory, and open a session for each of their operations."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from repositories import StockRepository, SupplierRepository
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


@dataclass(frozen=True)
class WarehouseDeps:
    stock: StockRepository
    suppliers: SupplierRepository


clerk: Agent[WarehouseDeps, str] = Agent(deps_type=WarehouseDeps)


@clerk.tool
async def in_stock(ctx: RunContext[WarehouseDeps], code: str) -> int:
    """How many pieces there are."""
    return await ctx.deps.stock.quantity(code)


@clerk.tool
async def suppliers(ctx: RunContext[WarehouseDeps], name: str) -> list[str]:
    """Suppliers by name."""
    return await ctx.deps.suppliers.names(name)


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    session = async_sessionmaker(engine)
    deps = WarehouseDeps(stock=StockRepository(session), suppliers=SupplierRepository(session))
    result = await clerk.run("Do we have M8 bolts, and does Ferro sell them?", deps=deps, model=model)
    await engine.dispose()
    return result.output
