"""The pool is in the state that was asked for, or it is said what it is in instead."""

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from harness.errors import BackendError
from harness.explorer.pool_state import bring_into, renew
from harness.scenario import PoolState


def idle(engine: AsyncEngine) -> int:
    pool = engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedin()


@pytest.mark.parametrize("state", [PoolState.WARM, PoolState.PRE_PING])
async def test_a_warm_pool_holds_open_connections(engine: AsyncEngine, state: PoolState) -> None:
    """As many as were asked for, all returned."""
    await bring_into(engine, state, connections=3)

    assert idle(engine) == 3


async def test_a_cold_pool_holds_none(engine: AsyncEngine) -> None:
    """What a backend opened while it started is closed."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))

    await bring_into(engine, PoolState.COLD, connections=3)

    assert idle(engine) == 0


async def test_a_pool_in_use_cannot_be_cooled(engine: AsyncEngine) -> None:
    """Connections that somebody holds are not taken away."""
    async with engine.connect():
        with pytest.raises(BackendError, match="uses connections before the first turn"):
            await bring_into(engine, PoolState.COLD, connections=0)


async def test_a_pool_that_is_too_small_cannot_be_warmed(database_url: str) -> None:
    """Connections beyond the pool's size are closed when they are returned, so they do not count."""
    engine = create_async_engine(database_url, pool_size=1, max_overflow=5)

    with pytest.raises(BackendError, match="pool keeps 1"):
        await bring_into(engine, PoolState.WARM, connections=2)
    await engine.dispose()


async def test_the_kind_of_pool_must_fit(engine: AsyncEngine) -> None:
    """`null` is a kind of pool and no state of another; nothing is done to it."""
    null = create_async_engine(engine.url, poolclass=NullPool)

    await bring_into(null, PoolState.NULL, connections=3)
    with pytest.raises(BackendError, match="pool is a NullPool"):
        await bring_into(null, PoolState.WARM, connections=3)
    with pytest.raises(BackendError, match="AsyncAdaptedQueuePool"):
        await bring_into(engine, PoolState.NULL, connections=3)


@pytest.mark.parametrize(("state", "connections"), [(PoolState.WARM, 2), (PoolState.COLD, 0)])
async def test_a_renewed_pool_has_nothing_of_the_old_one(
    engine: AsyncEngine, state: PoolState, connections: int
) -> None:
    """Not the connections that somebody still holds either; listeners hear of the new pool as of the old one."""
    opened: list[object] = []
    event.listen(engine.sync_engine, "connect", lambda connection, _: opened.append(connection))
    async with engine.connect() as held:
        before = await held.scalar(text("SELECT pg_backend_pid()"))

        await renew(engine, state, connections=connections)

        assert idle(engine) == connections
        async with engine.connect() as fresh:
            assert await fresh.scalar(text("SELECT pg_backend_pid()")) != before
        assert await held.scalar(text("SELECT 1")) == 1
    assert len(opened) == 1 + max(connections, 1)
