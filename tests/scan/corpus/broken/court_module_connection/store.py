"""Where the court keeps its files."""

import asyncpg

_connection: asyncpg.Connection | None = None  # expect-any: shared_by_tools


async def open_store(dsn: str) -> None:
    global _connection
    _connection = await asyncpg.connect(dsn)  # expect-any: shared_by_tools


async def close_store() -> None:
    if _connection is not None:
        await _connection.close()


async def fetch(sql: str, *arguments: object) -> list[asyncpg.Record]:
    assert _connection is not None
    return await _connection.fetch(sql, *arguments)  # expect-any: shared_by_tools
