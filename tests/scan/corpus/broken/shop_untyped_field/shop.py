"""Broken: `deps.db` is untyped, but it is one session that the application opened, and both tools work on it."""

import os

from pydantic_ai import Agent, RunContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://shop@localhost/shop"))
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"

    sku: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    stock: Mapped[int] = mapped_column(default=0)


class Reservation(Base):
    __tablename__ = "reservations"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    customer: Mapped[str]


class ShopDeps:
    def __init__(self, db, customer):
        self.db = db  # expect-any: shared_by_tools
        self.customer = customer


agent = Agent(deps_type=ShopDeps)


@agent.tool
async def search_products(ctx: RunContext[ShopDeps], words: str) -> list[str]:
    """Search the catalogue."""
    found = await ctx.deps.db.execute(  # expect-any: shared_by_tools
        select(Product.title).where(Product.title.icontains(words))
    )
    return list(found.scalars())


@agent.tool
async def reserve(ctx: RunContext[ShopDeps], sku: str) -> str:
    """Put one piece aside for the customer."""
    ctx.deps.db.add(Reservation(sku=sku, customer=ctx.deps.customer))  # expect-any: shared_by_tools
    await ctx.deps.db.commit()  # expect-any: shared_by_tools
    return f"{sku} is reserved"


async def main(model, url):
    async with SessionLocal() as db:
        answer = await agent.run(  # expect-any: shared_by_tools
            "Find a kettle and reserve K-200", deps=ShopDeps(db, "ada@example.org"), model=model
        )
    await engine.dispose()
    return answer.output
