"""Callbacks that nobody calls but the operating system: they come after whoever asked for them."""

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import asyncpg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.ablation_programs.pairs import by_luck
from tests.sanitizer.ablation_programs.signals import on_uvloop
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, write
from tests.sanitizer.world import World

CORPUS = Corpus()

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def served(world: World, *, over_tcp: bool) -> None:
    """A session that was used at start is used by whoever serves requests from then on."""
    served = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await write(session, "served")
        writer.close()
        served.set()

    async with world.session() as session:
        await count(session)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "socket")
            started = (
                asyncio.start_server(serve, "127.0.0.1", 0) if over_tcp else asyncio.start_unix_server(serve, path)
            )
            server = await started
            address = server.sockets[0].getsockname()
            connected = asyncio.open_connection(*address) if over_tcp else asyncio.open_unix_connection(address)
            _, writer = await connected
            await served.wait()
            writer.close()
            server.close()


async def read(world: World) -> None:
    """A socket is watched after the session was used, and the session is used when there is something to read."""
    one, other = socket.socketpair()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        loop.remove_reader(one)
        session.expire_all()
        was_read.set_result(None)

    with one, other:
        async with world.session() as session:
            was_read = loop.create_future()
            await count(session)
            loop.add_reader(one, readable)
            other.send(b"x")
            await was_read
            await count(session)


@CORPUS.legal
async def signal_after_the_session_was_used(world: World) -> None:
    """The handler of a signal drops what the session has loaded."""
    loop = asyncio.get_running_loop()

    def reload(session: AsyncSession, reloaded: "asyncio.Future[None]") -> None:
        session.expire_all()
        reloaded.set_result(None)

    async with world.session() as session:
        reloaded: asyncio.Future[None] = loop.create_future()
        await count(session)
        loop.add_signal_handler(signal.SIGUSR1, reload, session, reloaded)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            await reloaded
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)
        await count(session)


PROGRAMS: dict[str, Callable[[World], Awaitable[None]]] = {
    "served over tcp": partial(served, over_tcp=True),
    "served over a unix socket": partial(served, over_tcp=False),
    "read after the session was used": read,
}

for name, program in PROGRAMS.items():
    CORPUS.add(name, program)
    CORPUS.add(f"{name} on uvloop", partial(on_uvloop, program=program))


# -- connections that a pool has made ready -------------------------------------------------------------------------


@CORPUS.legal
async def asyncpg_pool_that_one_task_made(world: World) -> None:
    """Whoever needs it first makes it, with a codec on each connection; others acquire them by luck after that."""
    pools: list[asyncpg.Pool[asyncpg.Record]] = []

    async def prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.set_type_codec("json", encoder=str, decoder=str, schema="pg_catalog")

    async def make() -> None:
        pools.append(await asyncpg.create_pool(world.dsn, min_size=1, max_size=1, init=prepare))

    async def use() -> None:
        assert await pools[0].fetchval("SELECT 1") == 1

    await by_luck(world, make, use)
    await pools[0].close()


@CORPUS.legal
async def asyncpg_pool_that_another_task_closes(world: World) -> None:
    """Its connections are its own again, and it closes them."""

    async def use() -> None:
        assert await pool.fetchval("SELECT 1") == 1

    pool = await asyncpg.create_pool(world.dsn, min_size=1, max_size=1)
    await by_luck(world, use, pool.close)


@CORPUS.legal
async def psycopg_pool_that_configures(world: World) -> None:
    """A worker of the pool makes its connections ready for whoever takes them."""

    async def configure(connection: AsyncConnection) -> None:
        await connection.set_autocommit(True)

    opened = AsyncConnectionPool(world.dsn, min_size=1, max_size=1, open=False, configure=configure)
    async with opened as pool, pool.connection() as connection:
        await connection.execute("SELECT 1")


@CORPUS.legal
async def psycopg_pool_that_another_task_closes(world: World) -> None:
    """Its connections are its own again, and it closes them."""

    async def use() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")

    pool = AsyncConnectionPool(world.dsn, min_size=1, max_size=1, open=False)
    await pool.open(wait=True)
    await by_luck(world, use, pool.close)
