"""Broken: both tools open a transaction on the same psycopg connection, side by side."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import dict_row
from pydantic_ai import Agent, RunContext

SCHEMA = """
CREATE TABLE pupils (id serial PRIMARY KEY, name text, form text);
CREATE TABLE absences (id serial PRIMARY KEY, pupil int, day date DEFAULT now());
"""


@dataclass
class SchoolDeps:
    connection: psycopg.AsyncConnection  # expect-any: shared_by_tools


secretary = Agent(deps_type=SchoolDeps)


@secretary.tool
async def pupils(ctx: RunContext[SchoolDeps], form: str) -> list[str]:
    """Names of a form's pupils."""
    connection = ctx.deps.connection
    async with (  # expect-any: shared_by_tools
        connection.transaction(),  # expect-any: shared_by_tools
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        await cursor.execute("SELECT name FROM pupils WHERE form = %s", (form,))  # expect-any: shared_by_tools
        return [row["name"] async for row in cursor]


@secretary.tool
async def report_absent(ctx: RunContext[SchoolDeps], pupil: int) -> str:
    """Note that a pupil is absent today."""
    async with ctx.deps.connection.transaction():  # expect-any: shared_by_tools
        await ctx.deps.connection.execute(  # expect-any: shared_by_tools
            "INSERT INTO absences (pupil) VALUES (%s)", (pupil,)
        )
    return "noted"


async def main(model: object, url: str) -> str:
    async with await psycopg.AsyncConnection.connect(url.replace("+asyncpg", "")) as connection:
        deps = SchoolDeps(connection=connection)  # expect-any: shared_by_tools
        result = await secretary.run("Who is in 7b? Ben is ill.", deps=deps, model=model)  # expect-any: shared_by_tools
    return result.output
