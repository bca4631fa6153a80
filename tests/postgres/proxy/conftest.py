"""A proxy in front of a database of the test's own, and looks at that database past the proxy."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from harness.fault import DatabaseFault
from harness.postgres.proxy import Proxy
from harness.postgres.server import RunningServer
from tests.postgres.proxy.world import TURN, Connection


@dataclass
class House:
    """Opens proxies and connections, and closes them."""

    running: RunningServer
    database: str
    stack: AsyncExitStack

    async def proxy(
        self,
        *faults: DatabaseFault,
        restart: Callable[[], Awaitable[None]] | None = None,
        calls: Sequence[str] = ("a", "b"),
    ) -> Proxy:
        """A proxy whose ledger is the table `notes`; it expects one turn."""
        proxy = Proxy(self.running.address, faults=faults, ledger_table="notes", restart=restart)
        await self.stack.enter_async_context(proxy)
        proxy.expect(TURN, calls)
        return proxy

    async def connect(self, proxy: Proxy, *, call: str | None = None) -> Connection:
        """A connection through the proxy that works for a tool call, or for nobody."""
        connection: Connection = await asyncpg.connect(self.dsn(proxy))
        self.stack.callback(connection.terminate)
        if call is not None:
            proxy.assign(connection.get_server_pid(), (TURN, call))
        return connection

    async def direct(self) -> Connection:
        """A connection past the proxy."""
        connection: Connection = await asyncpg.connect(_plain(self.running.address.url(self.database)))
        self.stack.callback(connection.terminate)
        return connection

    async def rows(self) -> list[tuple[int, str]]:
        """What is in `notes`."""
        connection = await self.direct()
        return [tuple(row) for row in await connection.fetch("SELECT id, body FROM notes ORDER BY id")]

    def dsn(self, proxy: Proxy) -> str:
        """Where a driver finds the database through the proxy."""
        return _plain(self.url(proxy))

    def url(self, proxy: Proxy) -> str:
        """Where SQLAlchemy finds the database through the proxy."""
        return proxy.address.url(self.database)


def _plain(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


@pytest.fixture
async def house(database_url: str, sessionproof_server: RunningServer) -> AsyncIterator[House]:
    """Proxies in front of a database with an empty table `notes`."""
    async with AsyncExitStack() as stack:
        yield House(sessionproof_server, urlsplit(database_url).path.lstrip("/"), stack)
