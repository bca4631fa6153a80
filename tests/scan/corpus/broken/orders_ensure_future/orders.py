"""Broken: the service starts two of its own methods as futures, and both use `self.session`."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = """
CREATE TABLE orders (id serial PRIMARY KEY, customer int, total int);
CREATE TABLE addresses (id serial PRIMARY KEY, customer int, city text);
"""


class OrderService:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session  # expect-any: shared_by_tasks

    async def _orders(self, customer: int) -> list[int]:
        rows = await self.session.execute(  # expect-any: shared_by_tasks
            text("SELECT total FROM orders WHERE customer = :c"), {"c": customer}
        )
        return list(rows.scalars())

    async def _address(self, customer: int) -> str | None:
        return await self.session.scalar(  # expect-any: shared_by_tasks
            text("SELECT city FROM addresses WHERE customer = :c"), {"c": customer}
        )

    async def overview(self, customer: int) -> dict[str, object]:
        orders = asyncio.ensure_future(self._orders(customer))  # expect-any: shared_by_tasks
        address = asyncio.ensure_future(self._address(customer))  # expect-any: shared_by_tasks
        await asyncio.wait({orders, address})
        return {"orders": orders.result(), "city": address.result()}


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await OrderService(session).overview(7)
    await engine.dispose()
