"""Connections of the harness's own to the database under test.

Problem: what the application's engine shows is part of what is in question.

Mechanism and guarantee: a fresh connection outside any pool, closed at the end, under an
`application_name` by which it is left out of what is observed. It commits each statement by itself.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from harness.observe.marks import OWN_APPLICATION_NAME

__all__ = ["own_connection"]


@asynccontextmanager
async def own_connection(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection to `url`, of the harness's own."""
    asyncpg = make_url(url).get_driver_name() == "asyncpg"
    arguments = {"server_settings": {"application_name": OWN_APPLICATION_NAME}} if asyncpg else {}
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
