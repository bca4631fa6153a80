"""Broken: a function makes tools out of queries, and gives all of them the same session."""

from pydantic_ai import Agent, Tool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE barrels (id serial PRIMARY KEY, grape text, vintage int, litres int)"

QUERIES = {
    "litres_of": "SELECT coalesce(sum(litres), 0) FROM barrels WHERE grape = :value",
    "oldest_of": "SELECT min(vintage) FROM barrels WHERE grape = :value",
    "barrels_of": "SELECT count(*) FROM barrels WHERE grape = :value",
}


def query_tool(session: AsyncSession, name: str, sql: str) -> Tool[None]:
    async def run(grape: str) -> int | None:
        return await session.scalar(text(sql), {"value": grape})  # expect-any: shared_by_tools

    return Tool(run, name=name, description=name.replace("_", " "), takes_ctx=False)


def cellar_agent(session: AsyncSession) -> Agent[None, str]:
    return Agent(tools=[query_tool(session, name, sql) for name, sql in QUERIES.items()])  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        result = await cellar_agent(session).run(  # expect-any: shared_by_tools
            "How much Riesling is there?", model=model
        )
    await engine.dispose()
    return result.output
