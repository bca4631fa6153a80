"""What a race may raise, and how programs come to an end all the same.

A racy program fails in many ways, and sometimes in none. What it raises is not what the corpus asserts, so the
programs swallow the errors of the database layers, and only those.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress

import asyncpg
import psycopg
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from tests.sanitizer.world import Hold, LockedNotes, World

__all__ = ["consequences", "nothing_lost", "release", "shared_connection", "shared_session", "together"]

_CONSEQUENCES = (
    SQLAlchemyError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
    psycopg.Error,
)
_WARNINGS = ("Usage of the 'Session", "Attribute history events accumulated")


def consequences() -> AbstractContextManager[None]:
    """Swallow what a race makes the database layers raise."""
    return suppress(*_CONSEQUENCES)


async def together(*awaitables: Awaitable[object]) -> None:
    """Run them in tasks of their own, and swallow what the race makes them raise, or warn of."""
    with warnings.catch_warnings():
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message, category=SAWarning)
        async with asyncio.timeout(10):
            results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, _CONSEQUENCES):
            raise result


async def release(world: World, hold: Hold | LockedNotes, *, after: str = "begun") -> None:
    """Let the statements in flight go on when a step is reached."""
    await world.steps.until(after)
    hold.release()


@contextmanager
def nothing_lost(engine: AsyncEngine) -> Iterator[None]:
    """Give up, at the end, the connections that a race has lost: the garbage collector would warn of them."""
    lent: dict[ConnectionPoolEntry, PoolProxiedConnection] = {}

    def lend(_: DBAPIConnection, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        lent[entry] = proxy

    def take_back(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        lent.pop(entry, None)

    event.listen(engine.sync_engine, "checkout", lend)
    event.listen(engine.sync_engine, "checkin", take_back)
    try:
        yield
    finally:
        for proxy in list(lent.values()):
            proxy.invalidate()
        event.remove(engine.sync_engine, "checkout", lend)
        event.remove(engine.sync_engine, "checkin", take_back)


@asynccontextmanager
async def shared_session(world: World) -> AsyncIterator[AsyncSession]:
    """A session that is closed at the end, in whatever state the race left it."""
    with nothing_lost(world.engine):
        session = world.session()
        try:
            yield session
        finally:
            with consequences():
                await session.close()


@asynccontextmanager
async def shared_connection(world: World) -> AsyncIterator[AsyncConnection]:
    """A connection that goes back to the pool at the end, in whatever state the race left it."""
    with nothing_lost(world.engine):
        connection = await world.engine.connect()
        try:
            yield connection
        finally:
            with consequences():
                await connection.close()
