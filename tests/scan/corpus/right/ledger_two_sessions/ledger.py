"""Right: two tasks run at once, and they have two sessions, one each, which are both opened before."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE accounts (name text PRIMARY KEY, cents int NOT NULL);
CREATE TABLE entries (id serial PRIMARY KEY, account text, cents int);
"""


async def balance(session: AsyncSession, name: str) -> int:
    return await session.scalar(text("SELECT cents FROM accounts WHERE name = :name"), {"name": name}) or 0


async def booked(session: AsyncSession, name: str) -> int:
    statement = text("SELECT coalesce(sum(cents), 0) FROM entries WHERE account = :name")
    return await session.scalar(statement, {"name": name})


async def is_balanced(factory: async_sessionmaker[AsyncSession], name: str) -> bool:
    async with factory() as session, factory() as other_session:
        async with asyncio.TaskGroup() as group:
            stated = group.create_task(balance(session, name))
            summed = group.create_task(booked(other_session, name))
    return stated.result() == summed.result()


async def main(url: str) -> None:
    engine = create_async_engine(url)
    assert await is_balanced(async_sessionmaker(engine), "ada")
    await engine.dispose()
