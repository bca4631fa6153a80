"""A database of the test's own, on one server for the module."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from harness.postgres import Clones, RunningServer
from harness.postgres.embedded import EmbeddedServer


@pytest.fixture(scope="package")
def running() -> Iterator[RunningServer]:
    """A server that every test here makes databases on."""
    server = EmbeddedServer()
    yield asyncio.run(server.start())
    asyncio.run(server.stop())


@pytest.fixture
async def database_url(running: RunningServer) -> AsyncIterator[str]:
    """A database with the table `notes`."""
    clones = Clones(running, secrets.token_hex(4))
    template = await clones.template("notes", prepare)
    async with clones.clone(template, label="notes") as database:
        yield database.url
    await clones.drop_all()


@pytest.fixture
def server_log(running: RunningServer) -> Path:
    assert running.log_path is not None

    return running.log_path


async def prepare(url: str) -> None:
    engine = create_async_engine(make_url(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL)"))
    await engine.dispose()
