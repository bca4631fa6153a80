"""Right: all sensors are asked at once, through the pool, which has a connection for each query."""

import asyncio

import asyncpg

SCHEMA = "CREATE TABLE measurements (sensor int, at timestamptz DEFAULT now(), value float8)"


class Sensors:
    def __init__(self, connection: asyncpg.Pool) -> None:
        self._connection = connection

    async def latest(self, sensor: int) -> float | None:
        return await self._connection.fetchval(
            "SELECT value FROM measurements WHERE sensor = $1 ORDER BY at DESC LIMIT 1", sensor
        )

    async def all(self, sensors: range) -> list[float | None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.latest(sensor)) for sensor in sensors]
        return [task.result() for task in tasks]


async def main(url: str) -> None:
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1, max_size=3) as pool:
        await Sensors(pool).all(range(5))
