"""One embedded server for the tests that only need a server."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from harness.postgres import Clones, RunningServer
from harness.postgres.embedded import EmbeddedServer


@pytest.fixture(scope="session")
def running() -> Iterator[RunningServer]:
    """A server that every test may make databases on."""
    server = EmbeddedServer()
    yield asyncio.run(server.start())
    asyncio.run(server.stop())


@pytest.fixture
async def clones(running: RunningServer) -> AsyncIterator[Clones]:
    """The databases of a run of this test's own."""
    clones = Clones(running, secrets.token_hex(4))
    yield clones
    await clones.drop_all()
