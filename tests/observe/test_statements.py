"""Statements are intervals on numbered connections."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from harness.evidence import Statement
from harness.explorer.pool_state import bring_into
from harness.observe.connections import Connections
from harness.observe.marks import INJECTED_OPTION, is_injected
from harness.observe.observation import Observation
from harness.scenario import PoolState

SLEEP = text("SELECT pg_sleep(0.05)")


def statements_of(observation: Observation) -> tuple[Statement, ...]:
    return observation.records["statements"].items


async def test_statements_of_own_sessions_overlap_on_two_server_processes(engine: AsyncEngine) -> None:
    """Two sessions work at the same time: their statements overlap, and two server processes ran them."""

    async def tool() -> None:
        async with AsyncSession(engine) as session:
            await session.execute(SLEEP)

    await bring_into(engine, PoolState.WARM, connections=2)
    async with Observation(engine) as observation:
        await asyncio.gather(tool(), tool())

    one, two = statements_of(observation)
    assert one.interval.overlap(two.interval) > 0.02
    assert one.backend_pid != two.backend_pid
    assert one.connection != two.connection


async def test_statements_of_a_shared_session_take_turns_on_one_server_process(engine: AsyncEngine) -> None:
    """On a warm pool a shared session raises nothing; its statements share a process, and the second waits."""
    await bring_into(engine, PoolState.WARM, connections=2)
    async with Observation(engine) as observation, AsyncSession(engine) as session:
        await asyncio.gather(session.execute(SLEEP), session.execute(SLEEP))

    one, two = statements_of(observation)
    assert one.backend_pid == two.backend_pid is not None
    assert two.interval.end - one.interval.start >= 0.1
    assert observation.records["errors"].items == ()


async def test_a_failed_statement_is_recorded_as_failed(engine: AsyncEngine) -> None:
    """A statement that the server refuses has an end like any other."""
    async with Observation(engine) as observation, engine.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT nothing"))

    (statement,) = statements_of(observation)
    assert statement.failed
    assert statement.sql == "SELECT nothing"


async def test_a_cancelled_statement_ends_when_it_was_cancelled(engine: AsyncEngine) -> None:
    """A tool that is cancelled while its statement runs leaves a failed statement, not an endless one."""
    await bring_into(engine, PoolState.WARM, connections=1)
    async with Observation(engine) as observation:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(30)"))

    (statement,) = statements_of(observation)
    assert statement.failed
    assert statement.interval.seconds < 20


async def test_statements_of_the_harness_are_marked(engine: AsyncEngine) -> None:
    """A statement with the harness's execution option is told from the application's, and its error is none."""
    async with Observation(engine) as observation, engine.connect() as connection:
        await connection.execute(text("SELECT 1"), execution_options={INJECTED_OPTION: True})
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT nothing"), execution_options={INJECTED_OPTION: True})

    assert [statement.injected for statement in statements_of(observation)] == [True, True]
    assert observation.records["errors"].items == ()
    assert not is_injected(None)


class Slotted:
    """A driver's connection that cannot be referred to weakly, and knows no server process."""

    __slots__ = ()


class Info:
    backend_pid = 42


class Psycopg:
    """A connection that tells its server process as psycopg does."""

    info = Info()


def test_connections_of_any_driver_keep_their_number() -> None:
    """Numbers are stable for each object, whether or not it can be referred to weakly."""
    connections, slotted, psycopg = Connections(), Slotted(), Psycopg()

    assert connections.identify(slotted) == connections.identify(slotted) == (1, None)
    assert connections.identify(psycopg) == connections.identify(psycopg) == (2, 42)
