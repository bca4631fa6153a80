"""Right: the context variable is set in each tool's own task, by a decorator that opens a session."""

from db import db, in_session
from fastapi import FastAPI
from pydantic_ai import Agent
from sqlalchemy import text

keeper = Agent("openai:gpt-5-mini", defer_model_check=True)
app = FastAPI()


@keeper.tool_plain
@in_session
async def temperature(tank: str) -> float | None:
    """The last temperature of a tank."""
    return await db().scalar(
        text("SELECT celsius FROM readings WHERE tank = :tank ORDER BY at DESC LIMIT 1"), {"tank": tank}
    )


@keeper.tool_plain
@in_session
async def feed(tank: str, grams: int) -> str:
    """Write down that a tank was fed."""
    session = db()
    await session.execute(
        text("INSERT INTO feedings (tank, grams) VALUES (:tank, :grams)"), {"tank": tank, "grams": grams}
    )
    return "written down"


@app.post("/keeper")
async def ask_keeper(question: str) -> dict[str, str]:
    result = await keeper.run(question)
    return {"answer": result.output}
