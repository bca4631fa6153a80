"""Right: the cart's prices come in one query; the gathered tasks only compute with them."""

import asyncio
from decimal import Decimal

from sqlalchemy import Numeric, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Price(Base):
    __tablename__ = "prices"

    sku: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))


async def with_tax(amount: Decimal) -> Decimal:
    await asyncio.sleep(0)
    return amount * Decimal("1.19")


async def cart_total(engine: AsyncEngine, skus: list[str]) -> Decimal:
    make = async_sessionmaker(engine)
    async with make() as session:
        amounts = list(await session.scalars(select(Price.amount).where(Price.sku.in_(skus))))
    return sum(await asyncio.gather(*(with_tax(amount) for amount in amounts)), Decimal(0))


async def main(url: str) -> None:
    engine = create_async_engine(url)
    await cart_total(engine, ["K-100", "K-200"])
    await engine.dispose()
