"""Who waited for a connection, and for how long."""

import asyncio

import pytest
from sqlalchemy import Pool, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from harness.evidence import PoolWait
from harness.observe.attribution import current_tool_call, current_turn
from harness.observe.observation import Observation
from harness.observe.pool_waits import PoolWaitsRecorder

HELD_SECONDS = 0.1


async def use(engine: AsyncEngine, *, turn: str, seconds: float = 0.0) -> None:
    current_turn.set(turn)
    current_tool_call.set(f"call of {turn}")
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def waits(observation: Observation) -> tuple[PoolWait, ...]:
    return observation.records["waits"].items


async def test_a_wait_in_the_queue_is_as_long_as_the_other_holds_the_connection(database_url: str) -> None:
    """Whose wait it was is known; making the first connection is a wait too."""
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0)
    async with Observation(engine, recorders=[PoolWaitsRecorder()]) as observation:
        first = asyncio.create_task(use(engine, turn="t1", seconds=HELD_SECONDS))
        second = asyncio.create_task(use(engine, turn="t2"))
        await asyncio.gather(first, second)
    await engine.dispose()

    made, waited = waits(observation)
    assert (made.turn, made.tool_call_id, made.failed) == ("t1", "call of t1", False)
    assert (waited.turn, waited.tool_call_id, waited.failed) == ("t2", "call of t2", False)
    assert made.interval.seconds > 0
    assert waited.interval.seconds >= HELD_SECONDS


async def test_a_wait_that_ends_in_a_refusal_has_failed(database_url: str) -> None:
    """It lasted as long as the pool's timeout."""
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=HELD_SECONDS)
    async with Observation(engine, recorders=[PoolWaitsRecorder()]) as observation, engine.connect():
        with pytest.raises(PoolTimeoutError):
            await use(engine, turn="t1")
    await engine.dispose()

    assert [wait.failed for wait in waits(observation)] == [False, True]
    assert waits(observation)[1].interval.seconds >= HELD_SECONDS


async def test_only_the_engine_s_own_pool_is_looked_at_and_the_wrapper_goes(database_url: str) -> None:
    """Also the pool that takes its place when the engine is disposed of."""
    engine, other = create_async_engine(database_url), create_async_engine(database_url)
    original = Pool.connect
    async with Observation(engine, recorders=[PoolWaitsRecorder()]) as observation:
        await use(engine, turn="t1")
        await use(other, turn="t2")
        await engine.dispose()
        await use(engine, turn="t3")
    for each in (engine, other):
        await each.dispose()

    assert [wait.turn for wait in waits(observation)] == ["t1", "t3"]
    assert Pool.connect is original
