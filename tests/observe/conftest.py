"""A database of the test's own with one table, and an application's engine on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from harness.postgres import RunningServer

PREPARATION = "CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL)"


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    """The URL of a database with the table `notes`."""
    engine = create_async_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.execute(text(PREPARATION))
    await engine.dispose()
    return empty_database_url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The application's engine, its pool cold."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def server_log(sessionproof_server: RunningServer) -> Path:
    """The server's log."""
    assert sessionproof_server.log_path is not None

    return sessionproof_server.log_path
