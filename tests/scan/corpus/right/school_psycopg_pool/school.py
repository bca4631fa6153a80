"""Right: each tool takes a connection of its own from psycopg's pool."""

from dataclasses import dataclass

from psycopg_pool import AsyncConnectionPool
from pydantic_ai import Agent, RunContext

SCHEMA = """
CREATE TABLE pupils (id serial PRIMARY KEY, name text, form text);
CREATE TABLE absences (id serial PRIMARY KEY, pupil int, day date DEFAULT now());
"""


@dataclass
class SchoolDeps:
    connection_pool: AsyncConnectionPool


secretary = Agent(deps_type=SchoolDeps)


@secretary.tool
async def pupils(ctx: RunContext[SchoolDeps], form: str) -> list[str]:
    """Names of a form's pupils."""
    async with ctx.deps.connection_pool.connection() as connection:
        cursor = await connection.execute("SELECT name FROM pupils WHERE form = %s", (form,))
        return [name for (name,) in await cursor.fetchall()]


@secretary.tool
async def report_absent(ctx: RunContext[SchoolDeps], pupil: int) -> str:
    """Note that a pupil is absent today."""
    async with ctx.deps.connection_pool.connection() as connection:
        await connection.execute("INSERT INTO absences (pupil) VALUES (%s)", (pupil,))
    return "noted"


async def main(model: object, url: str) -> str:
    async with AsyncConnectionPool(url.replace("+asyncpg", ""), min_size=1, open=False) as pool:
        result = await secretary.run("Who is in 7b? Ben is ill.", deps=SchoolDeps(pool), model=model)
    return result.output
