"""Right: `self.session` is an HTTP client, which is made to be used by many tasks at once."""

import asyncio
from typing import Self

import httpx
from pydantic_ai import Agent


class ParkingAssistant:
    """Finds cars, and free bays, through the garage's own service."""

    def __init__(self, base_url: str) -> None:
        self.session = httpx.AsyncClient(base_url=base_url, timeout=5)
        self.agent = Agent("openai:gpt-5-mini", tools=[self.find_car, self.free_bays], defer_model_check=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.aclose()

    async def find_car(self, plate: str) -> str:
        """Where a car stands."""
        response = await self.session.get("/cars", params={"plate": plate})
        return response.json().get("bay", "not here")

    async def free_bays(self) -> int:
        """How many bays are free on all levels."""
        levels = await asyncio.gather(*(self.session.get(f"/levels/{level}") for level in range(4)))
        return sum(level.json()["free"] for level in levels)

    async def answer(self, message: str) -> str:
        return (await self.agent.run(message)).output


async def serve(messages: list[str]) -> list[str]:
    async with ParkingAssistant("https://garage.example.org") as assistant:
        return await asyncio.gather(*(assistant.answer(message) for message in messages))
