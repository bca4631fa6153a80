"""Right: of the two things that run at once, one uses the session, and the other asks the carrier's service."""

import asyncio

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class OrderService:
    def __init__(self, session: AsyncSession, carrier: httpx.AsyncClient) -> None:
        self.session = session
        self.carrier = carrier

    async def _orders(self, customer: int) -> list[int]:
        rows = await self.session.execute(text("SELECT total FROM orders WHERE customer = :c"), {"c": customer})
        return list(rows.scalars())

    async def _parcels(self, customer: int) -> list[str]:
        response = await self.carrier.get("/parcels", params={"customer": customer})
        return [parcel["state"] for parcel in response.json()]

    async def overview(self, customer: int) -> dict[str, object]:
        async with asyncio.TaskGroup() as group:
            orders = group.create_task(self._orders(customer))
            parcels = group.create_task(self._parcels(customer))
        city = await self.session.scalar(text("SELECT city FROM addresses WHERE customer = :c"), {"c": customer})
        return {"orders": orders.result(), "parcels": parcels.result(), "city": city}
