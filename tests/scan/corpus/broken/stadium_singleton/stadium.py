"""Broken: the singleton opens its session once, and all tools, which run in parallel, work on it."""

from database import Database
from pydantic_ai import Agent
from sqlalchemy import text

SCHEMA = "CREATE TABLE seats (id serial PRIMARY KEY, block text, number int, holder text)"


async def free_in(block: str) -> int:
    """Free seats in a block."""
    session = Database.instance().session  # expect-any: shared_by_tools
    statement = text("SELECT count(*) FROM seats WHERE block = :block AND holder IS NULL")
    return (await session.execute(statement, {"block": block})).scalar_one()  # expect-any: shared_by_tools


async def sell(block: str, holder: str) -> str:
    """Sell a seat in a block."""
    session = Database.instance().session  # expect-any: shared_by_tools
    statement = text(
        "UPDATE seats SET holder = :holder WHERE id ="
        " (SELECT id FROM seats WHERE block = :block AND holder IS NULL LIMIT 1) RETURNING number"
    )
    number = (  # expect-any: shared_by_tools
        await session.execute(statement, {"block": block, "holder": holder})
    ).scalar()
    await session.commit()  # expect-any: shared_by_tools
    return f"seat {number}" if number else "sold out"


box_office = Agent(tools=[free_in, sell])


async def main(model: object, url: str) -> str:
    database = Database.connect(url)
    try:
        return (await box_office.run("Two in block C, please", model=model)).output
    finally:
        await database.close()
