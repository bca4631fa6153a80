"""Each kind of fault at each moment: what the client gets, what the server has afterwards, and what is recorded."""

import asyncio
from collections.abc import Iterator
from time import perf_counter

import asyncpg
import psycopg
import pytest

from harness.evidence import FaultSeen
from harness.fault import DatabaseFaultKind, Moment, Target
from harness.postgres.embedded import EmbeddedServer
from harness.postgres.proxy import Proxy
from harness.postgres.server import RunningServer
from tests.postgres.proxy.conftest import House
from tests.postgres.proxy.world import BROKEN, TURN, WRITE, Connection, fault, soon, write

MOMENTS = list(Moment)
BREAKING = [
    DatabaseFaultKind.CUT_BEFORE,
    DatabaseFaultKind.AWAY,
    DatabaseFaultKind.TOO_MANY_CONNECTIONS,
    DatabaseFaultKind.TERMINATE,
]
FAILING = {
    DatabaseFaultKind.CANCEL: asyncpg.QueryCanceledError,
    DatabaseFaultKind.SERIALIZATION_FAILURE: asyncpg.SerializationError,
}


async def begin(connection: Connection, moment: Moment) -> None:
    """Come as far as the message before the one of that moment."""
    if moment is not Moment.BEGIN:
        await connection.execute("BEGIN")
    if moment is Moment.COMMIT:
        await connection.execute(WRITE, 1, "a")


async def strike(connection: Connection, moment: Moment) -> None:
    """Send the message of that moment, alone."""
    if moment is Moment.STATEMENT:
        await connection.execute(WRITE, 1, "a")
    else:
        await connection.execute(moment.value.upper())


async def no_locks(house: House) -> None:
    """Wait until no transaction of before holds anything."""
    direct = await house.direct()
    query = "SELECT count(*) FROM pg_locks WHERE relation = 'notes'::regclass"

    assert await soon(direct, query, 0) == 0


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", BREAKING)
async def test_a_connection_that_breaks_before_leaves_nothing(
    house: House, kind: DatabaseFaultKind, moment: Moment
) -> None:
    """The client's connection is gone, the row is not there, and after healing everything works."""
    proxy = await house.proxy(fault(kind, moment))
    connection = await house.connect(proxy, call="a")
    await begin(connection, moment)
    with pytest.raises(BROKEN):
        await strike(connection, moment)

    assert connection.is_closed()
    assert proxy.record.items == (FaultSeen(label=f"{kind.value} at {moment.value} of tool", turn=TURN),)
    await no_locks(house)
    assert await house.rows() == []
    await proxy.heal()
    await write(await house.connect(proxy, call="a"))
    assert await house.rows() == [(1, "a")]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_connection_that_breaks_after_leaves_what_was_committed(house: House, moment: Moment) -> None:
    """The server has carried out what the client got no answer to: after a commit the row is there."""
    proxy = await house.proxy(fault(DatabaseFaultKind.CUT_AFTER, moment))
    connection = await house.connect(proxy, call="a")
    await begin(connection, moment)
    with pytest.raises(BROKEN):
        await strike(connection, moment)

    assert [seen.label for seen in proxy.record] == [f"cut_after at {moment.value} of tool"]
    assert await house.rows() == ([(1, "a")] if moment is Moment.COMMIT else [])
    await no_locks(house)


@pytest.mark.parametrize("kind", [DatabaseFaultKind.CUT_BEFORE, DatabaseFaultKind.CUT_AFTER])
async def test_a_write_without_a_transaction_is_its_own_commit(house: House, kind: DatabaseFaultKind) -> None:
    """A fault at the ledger's commit strikes the batch that writes it."""
    proxy = await house.proxy(fault(kind, Moment.COMMIT, target=Target.LEDGER))
    connection = await house.connect(proxy)
    await connection.execute("SELECT 1")
    with pytest.raises(BROKEN):
        await connection.execute(WRITE, 1, "a")

    assert await house.rows() == ([(1, "a")] if kind is DatabaseFaultKind.CUT_AFTER else [])
    assert proxy.record.items == (FaultSeen(label=f"{kind.value} at commit of ledger"),)


async def test_a_copy_that_breaks_after_is_there(house: House) -> None:
    """The client may send its data, and gets no answer to it."""
    proxy = await house.proxy(fault(DatabaseFaultKind.CUT_AFTER, Moment.COMMIT, target=Target.LEDGER, times=2))
    connection = await house.connect(proxy)
    with pytest.raises(BROKEN):
        await connection.copy_records_to_table("notes", records=[(number, "x" * 1000) for number in range(500)])
    async with await psycopg.AsyncConnection.connect(house.dsn(proxy), autocommit=True) as other:
        with pytest.raises(psycopg.OperationalError):
            async with other.cursor().copy("COPY notes FROM STDIN") as copy:
                await copy.write_row((500, "b"))

    assert len(await house.rows()) == 501
    assert len(proxy.record) == 2


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", FAILING)
async def test_a_message_that_fails_aborts_the_transaction_on_both_sides(
    house: House, kind: DatabaseFaultKind, moment: Moment
) -> None:
    """The client gets the error, a later commit commits nothing, and the connection works on."""
    proxy = await house.proxy(fault(kind, moment))
    connection = await house.connect(proxy, call="a")
    await begin(connection, moment)
    with pytest.raises(FAILING[kind]):
        await strike(connection, moment)
    if moment is Moment.STATEMENT:
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await connection.execute("SELECT 1")
        tag = await connection.execute("COMMIT")

        assert tag == "ROLLBACK"
    assert not connection.is_in_transaction()
    assert await house.rows() == []
    await write(connection)
    assert await house.rows() == [(1, "a")]
    assert [seen.label for seen in proxy.record] == [f"{kind.value} at {moment.value} of tool"]
    assert proxy.notes == ()


@pytest.mark.parametrize("kind", [*FAILING, DatabaseFaultKind.CUT_BEFORE, DatabaseFaultKind.CUT_AFTER])
async def test_psycopg_meets_the_same_faults(house: House, kind: DatabaseFaultKind) -> None:
    """The driver asks in other messages, and gets an error that it understands."""
    proxy = await house.proxy(fault(kind, Moment.STATEMENT, target=Target.LEDGER))
    connection = await psycopg.AsyncConnection.connect(house.dsn(proxy))
    async with connection:
        with pytest.raises(psycopg.OperationalError) as caught:
            await connection.execute("INSERT INTO notes VALUES (%s, %s)", (1, "a"))
    states = {DatabaseFaultKind.CANCEL: "57014", DatabaseFaultKind.SERIALIZATION_FAILURE: "40001"}

    assert caught.value.sqlstate == states.get(kind)
    assert len(proxy.record) == 1
    assert await house.rows() == []


async def write_all(connection: psycopg.AsyncConnection) -> None:
    """Four rows, without waiting for the answers."""
    async with connection.pipeline():
        for number in range(4):
            await connection.execute("INSERT INTO notes VALUES (%s, %s)", (number, "a"))


async def test_in_a_pipeline_what_follows_an_error_is_not_carried_out(house: House) -> None:
    """Batches that were sent before the struck one are answered, and those behind it up to the sync are skipped."""
    failure = fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.STATEMENT, target=Target.LEDGER, nth=2)
    proxy = await house.proxy(failure)
    connection = await psycopg.AsyncConnection.connect(house.dsn(proxy))
    async with connection:
        with pytest.raises(psycopg.errors.SerializationFailure):
            await write_all(connection)
        await connection.rollback()
        await connection.execute("INSERT INTO notes VALUES (9, 'b')")

    assert await house.rows() == [(9, "b")]


async def test_a_delayed_answer_comes_later(house: House) -> None:
    """By the time that was asked for, and only once."""
    proxy = await house.proxy(fault(DatabaseFaultKind.DELAY, Moment.COMMIT, seconds=0.2))
    connection = await house.connect(proxy, call="a")
    start = perf_counter()
    await write(connection)
    delayed = perf_counter() - start

    assert delayed >= 0.2
    assert await house.rows() == [(1, "a")]
    assert [seen.label for seen in proxy.record] == ["delay at commit of tool"]


async def carried_out(proxy: Proxy, house: House) -> None:
    """Wait until a fault has been recorded."""
    direct = await house.direct()
    async with asyncio.timeout(10):
        while not proxy.record.items:
            await direct.execute("SELECT 1")


async def test_healing_ends_a_delay(house: House) -> None:
    """The answer comes at once."""
    proxy = await house.proxy(fault(DatabaseFaultKind.DELAY, Moment.COMMIT, seconds=3600))
    writing = asyncio.create_task(write(await house.connect(proxy, call="a")))
    await carried_out(proxy, house)
    await proxy.heal()
    await writing

    assert await house.rows() == [(1, "a")]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_half_open_connection_is_silent_until_it_is_healed(house: House, moment: Moment) -> None:
    """Neither side is told anything; others go on; at the end the client's connection is closed."""
    proxy = await house.proxy(fault(DatabaseFaultKind.HALF_OPEN, moment))
    connection = await house.connect(proxy, call="a")
    await begin(connection, moment)
    waiting = asyncio.create_task(strike(connection, moment))
    await carried_out(proxy, house)
    direct = await house.direct()
    other = await house.connect(proxy, call="b")
    await other.execute("SELECT 1")
    alive = await direct.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", connection.get_server_pid())

    assert not waiting.done()
    assert alive == 1
    await proxy.heal()
    with pytest.raises(BROKEN):
        await waiting
    await no_locks(house)
    assert await house.rows() == []


async def test_while_the_server_is_away_nobody_gets_in(house: House) -> None:
    """Every connection breaks, new ones are refused, again and again, and healed they are not."""
    proxy = await house.proxy(fault(DatabaseFaultKind.AWAY, Moment.STATEMENT))
    connection, other = await house.connect(proxy, call="a"), await house.connect(proxy, call="b")
    with pytest.raises(BROKEN):
        await connection.execute("SELECT 1")
    with pytest.raises(BROKEN):
        await other.execute("SELECT 1")
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await house.connect(proxy)
    await proxy.heal()
    await proxy.heal()

    assert await (await house.connect(proxy)).fetchval("SELECT 1") == 1


async def test_while_there_are_too_many_connections_a_new_one_is_told_so(house: House) -> None:
    """SQLSTATE 53300, as the server gives it, until healed."""
    proxy = await house.proxy(fault(DatabaseFaultKind.TOO_MANY_CONNECTIONS, Moment.STATEMENT))
    connection, other = await house.connect(proxy, call="a"), await house.connect(proxy, call="b")
    for each in (connection, other):
        with pytest.raises(BROKEN):
            await each.execute("SELECT 1")
    for _ in range(2):
        with pytest.raises(asyncpg.TooManyConnectionsError, match="sorry, too many clients already"):
            await house.connect(proxy)
    with pytest.raises(psycopg.OperationalError, match="sorry, too many clients already"):
        await psycopg.AsyncConnection.connect(house.dsn(proxy))
    await proxy.heal()

    assert await (await house.connect(proxy)).fetchval("SELECT 1") == 1


async def test_a_fault_strikes_as_often_as_it_says(house: House) -> None:
    """The third time the same message goes through; nth counts within one transaction."""
    proxy = await house.proxy(fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.STATEMENT, nth=2, times=2))
    connection = await house.connect(proxy, call="a")
    for attempt in range(3):
        try:
            async with connection.transaction():
                await connection.execute(WRITE, attempt, "a")
                await connection.execute(WRITE, attempt + 10, "a")
        except asyncpg.SerializationError:
            continue

    assert await house.rows() == [(2, "a"), (12, "a")]
    assert len(proxy.record) == 2


async def test_only_the_ledger_s_transaction_is_struck(house: House) -> None:
    """A commit of other rows goes through; the turn is known if the connection's is."""
    proxy = await house.proxy(fault(DatabaseFaultKind.CUT_AFTER, Moment.COMMIT, target=Target.LEDGER))
    connection = await house.connect(proxy, call="a")
    async with connection.transaction():
        await connection.execute("CREATE TABLE other (id int)")
    with pytest.raises(BROKEN):
        await write(connection)

    assert proxy.record.items == (FaultSeen(label="cut_after at commit of ledger", turn=TURN),)
    assert await house.rows() == [(1, "a")]


@pytest.fixture(scope="module")
def own_server() -> Iterator[tuple[EmbeddedServer, RunningServer]]:
    """A server that no other test needs."""
    server = EmbeddedServer()
    yield server, asyncio.run(server.start())
    asyncio.run(server.stop())


@pytest.mark.parametrize("moment", [Moment.STATEMENT, Moment.COMMIT])
async def test_a_restart_cuts_every_connection_and_keeps_the_data(
    own_server: tuple[EmbeddedServer, RunningServer], moment: Moment
) -> None:
    """The held message is lost with its transaction; afterwards the same address answers."""
    server, running = own_server
    made = Proxy(running.address, faults=[fault(DatabaseFaultKind.RESTART, moment)], restart=server.restart)
    async with made as proxy:
        proxy.expect(TURN, ["a"])
        dsn = proxy.address.url("postgres").replace("+asyncpg", "")
        connection, other = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        ended = asyncio.Event()
        other.add_termination_listener(lambda _: ended.set())
        await connection.execute("DROP TABLE IF EXISTS notes; CREATE TABLE notes (id int, body text)")
        await connection.execute("INSERT INTO notes VALUES (7, 'before')")
        proxy.assign(connection.get_server_pid(), (TURN, "a"))
        await begin(connection, moment)
        with pytest.raises(BROKEN):
            await strike(connection, moment)
        await ended.wait()
        await proxy.heal()
        again = await asyncpg.connect(dsn)
        rows = [tuple(row) for row in await again.fetch("SELECT id, body FROM notes")]
        await again.close()

    assert rows == [(7, "before")]
    assert proxy.record.items == (FaultSeen(label=f"restart at {moment.value} of tool", turn=TURN),)


async def test_a_restart_that_fails_is_noted_and_not_recorded(house: House) -> None:
    """What nobody did was not carried out."""

    async def fail() -> None:
        raise RuntimeError("no such server")

    proxy = await house.proxy(fault(DatabaseFaultKind.RESTART, Moment.STATEMENT), restart=fail)
    connection = await house.connect(proxy, call="a")
    with pytest.raises(BROKEN):
        await connection.execute("SELECT 1")

    assert proxy.record.items == ()
    assert proxy.notes == (
        "restart at statement of tool: the server could not be restarted: RuntimeError('no such server')",
    )


async def test_a_server_that_cannot_be_told_lets_the_message_through(house: House) -> None:
    """The fault is noted, not recorded, and strikes again when it can."""
    proxy = await house.proxy(fault(DatabaseFaultKind.TERMINATE, Moment.STATEMENT))
    connection = await house.connect(proxy, call="a")
    switchboard, address = proxy._ready.result()[0], house.running.address
    switchboard.address = type(address)(host=address.host, port=address.port, user="nobody", password="p")
    assert await connection.fetchval("SELECT 1") == 1
    switchboard.address = address

    assert proxy.record.items == ()
    assert len(proxy.notes) == 1
    with pytest.raises(BROKEN):
        await connection.execute("SELECT 1")
    assert len(proxy.record) == 1
