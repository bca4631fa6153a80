"""One embedded server for the tests that only need a server, and a Docker engine for those that need that."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from harness.errors import EnvironmentMissing
from harness.postgres import Clones, RunningServer, engine
from harness.postgres.embedded import EmbeddedServer

LOCAL_IMAGE = "sessionproof/postgres:pg18-local"


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


@pytest.fixture
def image() -> str:
    """An image that the engine has; without one the test is skipped, or fails where one was promised."""
    name = os.environ.get("SESSIONPROOF_IMAGE", LOCAL_IMAGE)
    try:
        missing = "" if engine.has_image(name) else f"no image {name!r}; .ci/postgres-image makes one"
    except EnvironmentMissing as error:
        missing = str(error)
    if missing:
        lack(missing)
    return name


def lack(what: str) -> None:
    if os.environ.get("SESSIONPROOF_REQUIRE_DOCKER") == "1":
        pytest.fail(f"SESSIONPROOF_REQUIRE_DOCKER=1, and {what}")
    pytest.skip(what)
