"""Tools about ferries, in sets."""

from dataclasses import dataclass

import asyncpg
from pydantic_ai import RunContext
from pydantic_ai.toolsets import CombinedToolset, FunctionToolset


@dataclass(frozen=True)
class FerryDeps:
    pool: asyncpg.Pool
    harbour: str


timetable: FunctionToolset[FerryDeps] = FunctionToolset()
bookings: FunctionToolset[FerryDeps] = FunctionToolset()


@timetable.tool
async def departures(ctx: RunContext[FerryDeps]) -> list[str]:
    """Departures of today."""
    async with ctx.deps.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT to_char(at, 'HH24:MI') FROM departures WHERE harbour = $1 ORDER BY at", ctx.deps.harbour
        )
    return [row[0] for row in rows]


@bookings.tool
async def free_decks(ctx: RunContext[FerryDeps]) -> int:
    """Cars that still fit."""
    return await ctx.deps.pool.fetchval("SELECT coalesce(sum(free), 0) FROM decks")


everything = CombinedToolset([timetable.prefixed("timetable"), CombinedToolset([bookings.prefixed("bookings")])])
