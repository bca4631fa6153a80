"""What the tests of the harness's own costs share: a cost to measure quickly, and looks at what is there."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
from pydantic_ai import Agent
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy.ext.asyncio import AsyncSession

from harness.bench.cost import Cost, Ground, Ways
from harness.bench.interleave import Limits
from harness.postgres.admin import connect
from harness.postgres.clones import Database, databases, is_template
from harness.sanitizer.runtime import runtime

__all__ = ["ONCE", "cost", "entries", "hooks", "names"]

ONCE = Limits(half_width=1e9, warm_up=0, least=5, most=5, seconds=60.0)


async def names(ground: Ground) -> set[str]:
    """The copies that there are."""
    async with connect(ground.running.address, ground.running.maintenance_database) as connection:
        return {name for name in await databases(connection, ground.clones.prefix) if not is_template(name)}


def hooks() -> tuple[Any, ...]:
    """What recorders, gate, sanitizer and the benchmark itself put something in the place of."""
    return (
        FunctionToolset.call_tool,
        logging.Logger.callHandlers,
        Agent._instrument_default,
        AsyncSession.execute,
        asyncio.Queue.get_nowait,
        runtime.listeners,
        asyncio.get_running_loop().get_exception_handler(),
    )


async def entries(database: Database) -> int:
    connection = await asyncpg.connect(database.url.replace("+asyncpg", ""))
    try:
        assert await connection.fetchval("SELECT count(*) FROM llm_requests") == 0
        return int(await connection.fetchval("SELECT count(*) FROM directory_entries"))
    finally:
        await connection.close()


def cost(ways: Callable[[], AbstractAsyncContextManager[Ways]], *, reference: str | None = None) -> Cost:
    return Cost(name="x", question="?", reference=reference, limits=ONCE, ways=ways)
