"""Broken: all sensors are asked at once on one asyncpg connection, which refuses a second operation in progress."""

import asyncio
from dataclasses import dataclass

import asyncpg

SCHEMA = "CREATE TABLE measurements (sensor int, at timestamptz DEFAULT now(), value float8)"


@dataclass(frozen=True)
class Latest:
    sensor: int
    value: float | None


class Sensors:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def latest(self, sensor: int) -> Latest:
        value = await self._connection.fetchval(  # expect-any: shared_by_tasks
            "SELECT value FROM measurements WHERE sensor = $1 ORDER BY at DESC LIMIT 1", sensor
        )
        return Latest(sensor, value)

    async def all(self, sensors: range) -> list[Latest]:
        tasks = [asyncio.create_task(self.latest(sensor)) for sensor in sensors]  # expect-any: shared_by_tasks
        return list(await asyncio.gather(*tasks))  # expect-any: shared_by_tasks


async def main(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await Sensors(connection).all(range(5))
    finally:
        await connection.close()
