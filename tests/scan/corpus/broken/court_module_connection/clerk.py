"""Broken: the module `store` has one connection, which all tools reach through its function `fetch`."""

import store
from pydantic_ai import Agent

SCHEMA = """
CREATE TABLE cases (number text PRIMARY KEY, judge text);
CREATE TABLE hearings (id serial PRIMARY KEY, number text, room int);
"""

clerk = Agent(system_prompt="You are the clerk of a court.")


@clerk.tool_plain
async def cases_of(judge: str) -> list[str]:
    """The cases of a judge."""
    return [  # expect-any: shared_by_tools
        row["number"] for row in await store.fetch("SELECT number FROM cases WHERE judge = $1", judge)
    ]


@clerk.tool_plain
async def rooms_of(number: str) -> list[int]:
    """The rooms in which a case is heard."""
    return [  # expect-any: shared_by_tools
        row["room"] for row in await store.fetch("SELECT room FROM hearings WHERE number = $1", number)
    ]


async def main(model: object, url: str) -> str:
    await store.open_store(url.replace("+asyncpg", ""))
    try:
        result = await clerk.run("Where is 12/26 heard, and what else has Judge Li?", model=model)
    finally:
        await store.close_store()
    return result.output
