"""What the proxy's tests have in common."""

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

TURN = "turn 1"
WRITE = "INSERT INTO notes (id, body) VALUES ($1, $2)"
BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.PostgresSystemError)
"""What asyncpg raises when its connection breaks."""


def fault(kind: DatabaseFaultKind, moment: Moment, *, target: Target = Target.TOOL, **options: float) -> DatabaseFault:
    """A fault at a tool call, or at the ledger."""
    return DatabaseFault(kind=kind, target=target, moment=moment, **options)  # type: ignore[arg-type]  # int or float


async def write(connection: Connection, number: int = 1, body: str = "a") -> None:
    """One row, in a transaction of its own."""
    async with connection.transaction():
        await connection.execute(WRITE, number, body)


async def soon(connection: Connection, query: str, expected: object) -> object:
    """What a query gives once it gives the expected value, or at last."""
    found = await connection.fetchval(query)
    async with asyncio.timeout(10):
        while found != expected:
            found = await connection.fetchval(query)
    return found
