"""Broken: one session stands in a global of the module, and every tool of every run uses it."""

import os
from datetime import date

from pydantic_ai import Agent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = "CREATE TABLE readings (station text, day date, celsius numeric, PRIMARY KEY (station, day))"

engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://weather@localhost/weather"))
_make_session = async_sessionmaker(engine, class_=AsyncSession)
db = _make_session()  # expect-any: shared_by_tools

forecaster = Agent(name="forecaster")


@forecaster.tool_plain
async def temperature(station: str, day: date) -> float | None:
    """The temperature at a station on a day."""
    value = await db.scalar(  # expect-any: shared_by_tools
        text("SELECT celsius FROM readings WHERE station = :station AND day = :day"),
        {"station": station, "day": day},
    )
    return None if value is None else float(value)


@forecaster.tool_plain
async def warmest_station(day: date) -> str | None:
    """The station that was warmest on a day."""
    return await db.scalar(  # expect-any: shared_by_tools
        text("SELECT station FROM readings WHERE day = :day ORDER BY celsius DESC LIMIT 1"), {"day": day}
    )


async def ask(question: str, model: object = "openai:gpt-5-mini") -> str:
    result = await forecaster.run(question, model=model)
    return result.output


async def main(model: object, url: str) -> str:
    try:
        return await ask("Was Bergen the warmest yesterday?", model)
    finally:
        await db.close()
        await engine.dispose()
