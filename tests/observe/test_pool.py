"""Events of the pool, and what a turn leaves in it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from harness.evidence import PoolEventKind
from harness.observe.idle import idle_transactions
from harness.observe.observation import Observation
from harness.observe.own_connection import own_connection

CONNECT, CHECKOUT, CHECKIN, INVALIDATE, CLOSE = PoolEventKind


def kinds_of(observation: Observation) -> list[PoolEventKind]:
    return [event.kind for event in observation.records["pool"]]


async def use(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def test_a_connection_keeps_its_number(engine: AsyncEngine) -> None:
    """A connection is opened once, and is the same at its next checkout and in its statements."""
    async with Observation(engine) as observation:
        await use(engine)
        await use(engine)

    events = observation.records["pool"].items
    assert kinds_of(observation) == [CONNECT, CHECKOUT, CHECKIN, CHECKOUT, CHECKIN]
    assert {(event.connection, event.backend_pid) for event in events} == {
        (statement.connection, statement.backend_pid) for statement in observation.records["statements"]
    }
    assert events[1].stack[-1].endswith("in use")


async def test_without_a_pool_each_use_connects_and_closes(database_url: str) -> None:
    """With `NullPool` every connection is a new one, and is closed."""
    engine = create_async_engine(database_url, poolclass=NullPool)

    async with Observation(engine) as observation:
        await use(engine)
        await use(engine)

    assert kinds_of(observation) == [CONNECT, CHECKOUT, CHECKIN, CLOSE] * 2
    assert [event.connection for event in observation.records["pool"]] == [1] * 4 + [2] * 4


async def test_an_invalidated_connection_is_still_known_when_it_comes_back(engine: AsyncEngine) -> None:
    """A broken connection returns to the pool as nothing, and its record remembers which one it was."""
    async with Observation(engine) as observation, engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        await connection.invalidate()

    assert INVALIDATE in kinds_of(observation)
    assert {event.connection for event in observation.records["pool"]} == {1}


async def test_a_pool_that_was_replaced_is_observed_too(engine: AsyncEngine) -> None:
    """Disposing of an engine gives it another pool; its events count."""
    async with Observation(engine) as observation:
        await use(engine)
        await engine.dispose()
        await use(engine)

    assert kinds_of(observation) == [CONNECT, CHECKOUT, CHECKIN, CLOSE, CONNECT, CHECKOUT, CHECKIN]


async def test_a_leak_is_a_checkout_without_a_checkin(engine: AsyncEngine) -> None:
    """What is still checked out at the end is the last event of its connection, with the line that took it."""
    async with Observation(engine) as observation:
        connection = await engine.connect()
    await connection.close()

    assert kinds_of(observation) == [CONNECT, CHECKOUT]
    assert observation.records["pool"].items[-1].stack[-1].endswith("a_checkout_without_a_checkin")


@pytest.fixture
async def forgotten(engine: AsyncEngine) -> AsyncIterator[None]:
    """A connection that holds a transaction open."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 'forgotten password=hunter22'"))
        yield


@pytest.mark.usefixtures("forgotten")
async def test_an_open_transaction_is_seen_on_the_server(database_url: str) -> None:
    """A transaction that nobody ended is found, the harness's own connection is not."""
    (idle,) = await idle_transactions(database_url)

    assert idle.state == "idle in transaction"
    assert idle.query == "SELECT 'forgotten password=***'"
    assert 0 <= idle.seconds < 60


async def test_a_harness_connection_shows_nothing_of_itself(database_url: str) -> None:
    """Connections of the harness's own commit each statement, and are left out."""
    async with own_connection(database_url) as connection:
        await connection.execute(text("SELECT 1"))
        found = await idle_transactions(database_url)

    assert found.items == ()


async def test_a_server_that_cannot_be_asked_gives_an_absent_record() -> None:
    """Nothing found and nothing looked at are different."""
    record = await idle_transactions("postgresql+asyncpg://me:hunter22@127.0.0.1:1/none")

    assert record.missing
    assert "hunter22" not in record.missing
