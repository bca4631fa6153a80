"""Connections for the harness's own statements on a server, apart from those of the backend under test.

Mechanism: one short asyncpg connection a piece of work, so that nothing is bound to an event loop.

Guarantee: the connection is closed, also when the work fails or is cancelled.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from harness.postgres.server import ServerAddress

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

__all__ = ["Connection", "connect", "quote_identifier"]

CONNECT_SECONDS = 10.0
APPLICATION = "sessionproof"


@asynccontextmanager
async def connect(
    address: ServerAddress, database: str, *, seconds: float = CONNECT_SECONDS
) -> AsyncIterator[Connection]:
    """A connection to a database, closed at the end.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError: as asyncpg reports them.
    """
    connection = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=database,
        ssl=address.tls or None,
        timeout=seconds,
        server_settings={"application_name": APPLICATION},
    )
    try:
        yield connection
    finally:
        await connection.close()


def quote_identifier(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
