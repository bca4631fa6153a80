"""The connection pool, brought into the state that a cell asks for.

Problem: the same defect raises on a cold pool and is silent on a warm one, so the state is part of the
experiment.

Mechanism: warm means that connections have been opened at once, used, and returned; cold means that none
is open.

Guarantee: when `bring_into` returns, the pool is in that state, or `BackendError` says what it is in
instead. A backend that connected while it started has its idle connections closed for a cold pool.
"""

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool, Pool, QueuePool

from harness.errors import BackendError
from harness.scenario import PoolState

__all__ = ["bring_into", "renew"]


async def bring_into(engine: AsyncEngine, state: PoolState, *, connections: int) -> None:
    """Bring the engine's pool into `state`; warm and pre-ping pools hold `connections` idle ones.

    Raises:
        BackendError: the pool is of the wrong kind or too small, or connections are in use.
    """
    pool = engine.sync_engine.pool
    if (state is PoolState.NULL) is not isinstance(pool, NullPool):
        raise BackendError(
            f"pool state {state.value!r} was asked for, and the backend's pool is a {type(pool).__name__}; "
            "start it with `BackendSettings.pool`"
        )
    match state:
        case PoolState.COLD:
            await _cool(engine)
        case PoolState.WARM | PoolState.PRE_PING:
            await _warm(engine, connections)
        case PoolState.NULL:
            pass


async def renew(engine: AsyncEngine, state: PoolState, *, connections: int) -> None:
    """Give the engine a new pool in `state`, as after a start: what a turn left broken or open is not in it.

    Whoever still holds a connection keeps it.

    Raises:
        BackendError: as for `bring_into`.
    """
    await engine.dispose()
    await bring_into(engine, state, connections=connections)


async def _cool(engine: AsyncEngine) -> None:
    if _in_use(engine.sync_engine.pool):
        raise BackendError("a cold pool was asked for, and the backend uses connections before the first turn")
    await engine.dispose()


async def _warm(engine: AsyncEngine, connections: int) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(engine.connect()) for _ in range(connections)]
        await asyncio.gather(*(connection.execute(text("SELECT 1")) for connection in opened))
    idle = _idle(engine.sync_engine.pool)
    if idle is not None and idle < connections:
        raise BackendError(
            f"a warm pool of {connections} connections was asked for, and the backend's pool keeps {idle}; "
            "give it the size in `BackendSettings.pool`"
        )


def _in_use(pool: Pool) -> int:
    return pool.checkedout() if isinstance(pool, QueuePool) else 0


def _idle(pool: Pool) -> int | None:
    """How many idle connections a pool keeps; `None` if it is of a kind that does not tell."""
    return pool.checkedin() if isinstance(pool, QueuePool) else None
