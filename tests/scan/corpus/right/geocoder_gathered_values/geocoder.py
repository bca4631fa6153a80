"""Right: the rows come from one session, in one query; what is gathered are requests about them, not the session."""

import asyncio
from dataclasses import dataclass

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class Place:
    id: int
    address: str


async def locate(client: httpx.AsyncClient, place: Place) -> tuple[int, float, float]:
    response = await client.get("/search", params={"q": place.address})
    first = response.json()[0]
    return place.id, float(first["lat"]), float(first["lon"])


async def locate_all(session: AsyncSession, client: httpx.AsyncClient) -> int:
    rows = await session.execute(text("SELECT id, address FROM places WHERE latitude IS NULL"))
    places = [Place(row.id, row.address) for row in rows]
    located = await asyncio.gather(*(locate(client, place) for place in places))
    for identifier, latitude, longitude in located:
        await session.execute(
            text("UPDATE places SET latitude = :lat, longitude = :lon WHERE id = :id"),
            {"lat": latitude, "lon": longitude, "id": identifier},
        )
    await session.commit()
    return len(located)
