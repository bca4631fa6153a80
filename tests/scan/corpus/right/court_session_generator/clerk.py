"""Right: each tool goes once through the generator that FastAPI uses too, and so has a session of its own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic_ai import Agent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE cases (number text PRIMARY KEY, judge text);
CREATE TABLE hearings (id serial PRIMARY KEY, number text, room int);
"""
engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://court@localhost/court"))
factory = async_sessionmaker(engine)


async def get_session() -> AsyncIterator[AsyncSession]:
    """For `Depends`."""
    async with factory() as session:
        yield session


tool_session = asynccontextmanager(get_session)
clerk = Agent(system_prompt="You are the clerk of a court.")


async def query(sql: str, **values: str) -> list:
    async with tool_session() as session:
        return list((await session.execute(text(sql), values)).scalars())


@clerk.tool_plain
async def cases_of(judge: str) -> list[str]:
    """The cases of a judge."""
    return await query("SELECT number FROM cases WHERE judge = :judge", judge=judge)


@clerk.tool_plain
async def rooms_of(number: str) -> list[int]:
    """The rooms in which a case is heard."""
    return await query("SELECT room FROM hearings WHERE number = :number", number=number)


async def main(model: object, url: str) -> str:
    result = await clerk.run("Where is 12/26 heard, and what else has Judge Li?", model=model)
    await engine.dispose()
    return result.output
