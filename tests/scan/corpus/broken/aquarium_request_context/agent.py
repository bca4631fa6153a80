"""The keeper's agent."""

from db import db
from pydantic_ai import Agent
from sqlalchemy import text

keeper = Agent("openai:gpt-5-mini", defer_model_check=True)


@keeper.tool_plain
async def temperature(tank: str) -> float | None:
    """The last temperature of a tank."""
    return await db().scalar(  # expect-any: shared_by_tools
        text("SELECT celsius FROM readings WHERE tank = :tank ORDER BY at DESC LIMIT 1"), {"tank": tank}
    )


@keeper.tool_plain
async def feed(tank: str, grams: int) -> str:
    """Write down that a tank was fed."""
    session = db()
    await session.execute(  # expect-any: shared_by_tools
        text("INSERT INTO feedings (tank, grams) VALUES (:tank, :grams)"), {"tank": tank, "grams": grams}
    )
    return "written down"
