"""Broken: the prices of a cart are gathered, as many tasks as there are articles, from a list on one session."""

import asyncio
from decimal import Decimal

from prices import PriceList
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine


async def cart_total(engine: AsyncEngine, skus: list[str]) -> Decimal:
    make = async_sessionmaker(engine)
    async with make() as session:
        prices = PriceList(session)  # expect-any: shared_by_tasks
        amounts = await asyncio.gather(*(prices.price(sku) for sku in skus))  # expect-any: shared_by_tasks
    return sum(amounts, Decimal(0))


async def main(url: str) -> None:
    engine = create_async_engine(url)
    await cart_total(engine, ["K-100", "K-200", "K-300"])
    await engine.dispose()
