"""Broken: behind two aliases stands an AsyncSession, which the tools of one agent share."""

import dataclasses as dc

import pydantic_ai as ai
import sqlalchemy as sa
from sqlalchemy.ext import asyncio as sa_async

Db = sa_async.AsyncSession
Context = ai.RunContext["Deps"]


@dc.dataclass
class Deps:
    conn: Db  # expect-any: shared_by_tools
    city: str


programme = ai.Agent(deps_type=Deps, name="programme")


@programme.tool
async def films_today(context: Context) -> list[str]:
    """Films that run today."""
    query = sa.text("SELECT DISTINCT title FROM screenings WHERE city = :city AND day = current_date")
    return list(await context.deps.conn.scalars(query, {"city": context.deps.city}))  # expect-any: shared_by_tools


@programme.tool
async def free_seats(context: Context, screening: int) -> int:
    """Seats that are free."""
    query = sa.text("SELECT seats - sold FROM screenings WHERE id = :id")
    return (  # expect-any: shared_by_tools
        await context.deps.conn.execute(query, {"id": screening})
    ).scalar_one_or_none() or 0


SCHEMA = "CREATE TABLE screenings (id serial PRIMARY KEY, city text, title text, day date, seats int, sold int)"


async def main(model: object, url: str) -> str:
    engine = sa_async.create_async_engine(url)
    async with Db(engine) as conn:
        answer = await programme.run(  # expect-any: shared_by_tools
            "What is on tonight?", deps=Deps(conn, "Ghent"), model=model
        )
    await engine.dispose()
    return answer.output
