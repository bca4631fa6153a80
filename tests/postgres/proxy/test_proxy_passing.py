"""Without a fault the proxy is not there: every driver works through it as it does without."""

import asyncio
import io
import struct

import asyncpg
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from harness.fault import DatabaseFaultKind, Moment, Target
from tests.postgres.proxy.conftest import House
from tests.postgres.proxy.world import WRITE, fault, soon, write

BIG = "SELECT g, repeat('x', 5000) AS body FROM generate_series(1, 2000) AS g"


async def test_asyncpg_works_through_the_proxy(house: House) -> None:
    """Results over many packets, statements prepared once, cursors, errors, notifications."""
    proxy = await house.proxy(fault(DatabaseFaultKind.CUT_BEFORE, Moment.COMMIT))
    connection = await house.connect(proxy)
    big = await connection.fetch(BIG)
    await write(connection)
    await write(connection, 2)
    with pytest.raises(asyncpg.UniqueViolationError):
        await write(connection)
    async with connection.transaction():
        fetched = [row["g"] async for row in connection.cursor("SELECT generate_series(1, 120) AS g", prefetch=50)]
    got = asyncio.get_running_loop().create_future()
    await connection.add_listener("news", lambda *news: got.set_result(news[-1]))
    await connection.execute("NOTIFY news, 'here'")

    assert [len(row["body"]) for row in big] == [5000] * 2000
    assert fetched == list(range(1, 121))
    assert await got == "here"
    assert await house.rows() == [(1, "a"), (2, "a")]
    assert proxy.notes == ()
    assert proxy.record.items == ()


async def test_asyncpg_copies_through_the_proxy(house: House) -> None:
    """In both directions, and a copy that fails leaves the connection usable."""
    connection = await house.connect(await house.proxy())
    rows = [(number, "x" * 500) for number in range(3000)]
    await connection.copy_records_to_table("notes", records=rows)
    out = io.BytesIO()
    await connection.copy_from_table("notes", output=out)
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.copy_records_to_table("notes", records=rows)

    assert out.getvalue().count(b"\n") == 3000
    assert await connection.fetchval("SELECT count(*) FROM notes") == 3000


async def test_a_request_to_cancel_is_passed_on(house: House) -> None:
    """A statement that times out at the client ends at the server, and the connection goes on."""
    connection = await house.connect(await house.proxy())
    with pytest.raises(TimeoutError):
        await connection.execute("SELECT pg_sleep(60)", timeout=0.05)

    assert await connection.fetchval("SELECT 1") == 1


async def test_sqlalchemy_works_through_the_proxy(house: House) -> None:
    """Two connections at once, transactions, and a pool that is closed."""
    proxy = await house.proxy()
    engine = create_async_engine(house.url(proxy))
    async with engine.begin() as one, engine.begin() as other:
        await one.execute(text("INSERT INTO notes VALUES (1, 'a')"))
        await other.execute(text("INSERT INTO notes VALUES (2, 'b')"))
    await engine.dispose()

    assert await house.rows() == [(1, "a"), (2, "b")]


async def test_psycopg_works_through_the_proxy(house: House) -> None:
    """Its prepared statements, its pipeline, and its copy by the extended protocol."""
    proxy = await house.proxy(fault(DatabaseFaultKind.CUT_BEFORE, Moment.COMMIT))
    async with await psycopg.AsyncConnection.connect(house.dsn(proxy), prepare_threshold=0) as connection:
        async with connection.pipeline():
            for number in range(50):
                await connection.execute("INSERT INTO notes VALUES (%s, %s)", (number, "a"))
        async with connection.cursor().copy("COPY notes FROM STDIN") as copy:
            await copy.write_row((50, "b"))
        rows = await (await connection.execute("SELECT count(*) FROM notes")).fetchone()

    assert rows == (51,)
    assert len(await house.rows()) == 51


async def test_a_client_that_is_not_understood_is_passed_on(house: House) -> None:
    """Its bytes reach the server, whose answer reaches it, and the proxy says that it could not read them."""
    proxy = await house.proxy()
    reader, writer = await asyncio.open_connection(proxy.address.host, proxy.address.port)
    writer.write(struct.pack("!II", 8, 99 << 16))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert b"unsupported frontend protocol 99.0" in answer
    assert [note[:28] for note in proxy.notes] == ["a client was not understood,"]


async def test_both_ends_close_together(house: House) -> None:
    """When the client goes, the server's process goes, and the other way round."""
    proxy = await house.proxy()
    one, other, direct = await house.connect(proxy), await house.connect(proxy), await house.direct()
    left = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {one.get_server_pid()}"
    ended = asyncio.Event()
    other.add_termination_listener(lambda _: ended.set())
    one.terminate()
    await direct.execute("SELECT pg_terminate_backend($1)", other.get_server_pid())
    await ended.wait()

    assert await soon(direct, left, 0) == 0


async def test_a_server_that_is_not_there_looks_so(house: House) -> None:
    """A client whose server cannot be reached loses its connection, and the proxy goes on."""
    proxy = await house.proxy()
    proxy._ready.result()[0].address = type(proxy.address)(host="127.0.0.1", port=1, user="u", password="p")
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await house.connect(proxy)

    assert proxy.notes == ()


async def test_leaving_closes_everything(house: House) -> None:
    """Also connections that were left open, held ones included; the record can still be read."""
    proxy = await house.proxy(fault(DatabaseFaultKind.HALF_OPEN, Moment.STATEMENT, target=Target.LEDGER))
    idle, held = await house.connect(proxy), await house.connect(proxy)
    stuck = asyncio.create_task(held.execute(WRITE, 1, "a"))
    direct = await house.direct()
    async with asyncio.timeout(10):
        while not proxy.record.items:
            await direct.execute("SELECT 1")
    await proxy.__aexit__(None, None, None)
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await stuck
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await idle.execute("SELECT 1")

    assert proxy._thread is not None
    assert not proxy._thread.is_alive()
    assert [seen.label for seen in proxy.record] == ["half_open at statement of ledger"]
    await proxy.heal()
