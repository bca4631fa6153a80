"""The explorer's own work orders nobody: what it lets go one after the other is still unordered in the program."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from harness.evidence import PlannedCall
from harness.explorer.gate import Gate
from harness.explorer.pool_state import bring_into
from harness.observe.attribution import attributed, current_tool_call, current_turn
from harness.observe.observation import Observation
from harness.sanitizer import watch_sessions
from harness.sanitizer.unseen import unseen
from harness.scenario import PoolState

PLANNED = tuple(PlannedCall(tool_call_id=name, tool=name, role="read", round=0) for name in "ab")
Work = Callable[[AsyncSession, str], Awaitable[object]]


async def execute(session: AsyncSession, name: str) -> None:
    await session.execute(text("SELECT 1"))


async def stage_and_execute(session: AsyncSession, name: str) -> None:
    """Tool `b`, the last to come, uses the session before it comes to the barrier, and not after it."""
    if name == "b":
        session.expire_all()
        async with AsyncSession(session.bind) as own:
            await execute(own, name)
    else:
        await execute(session, name)


async def found(engine: AsyncEngine, work: Work, *, steps: Sequence[str] = (), hidden: bool = True) -> list[str]:
    """The kinds of races that two tools show on one session, with every recorder at work."""
    with watch_sessions() as watch:
        await bring_into(engine, PoolState.WARM, connections=3)
        gate = Gate(engine, caller=attributed, unseen=unseen if hidden else nullcontext)
        observation = Observation(engine)
        observation.on_tool_end(gate.leave)
        async with gate, observation, AsyncSession(engine) as session, asyncio.TaskGroup() as group:
            gate.expect("t1", PLANNED, steps=steps)
            for name in "ab":
                group.create_task(tool(gate, name, work, session), name=name)
    assert not watch.problems
    return sorted({race.kind.value for race in watch.findings})


async def tool(gate: Gate, name: str, work: Work, session: AsyncSession) -> None:
    current_turn.set("t1")
    current_tool_call.set(name)
    try:
        await work(session, name)
    finally:
        gate.leave(name)


async def test_tools_that_meet_at_the_barrier_overlap(engine: AsyncEngine) -> None:
    """The barrier brings them together, and nothing hides it."""
    assert await found(engine, execute) == ["overlap"]


async def test_the_barrier_orders_nobody(engine: AsyncEngine) -> None:
    """What the last to come did before is not ordered before what those do that it sets free."""
    assert await found(engine, stage_and_execute) == ["unordered"]


async def test_steps_order_nobody(engine: AsyncEngine) -> None:
    """Steps never overlap, and are unordered all the same: the application did not ask for their order."""
    assert await found(engine, execute, steps=["a", "b"]) == ["unordered"]


@pytest.mark.parametrize(("work", "steps"), [(stage_and_execute, ""), (execute, "ab")], ids=["barrier", "steps"])
async def test_seen_they_would_order_the_tools(engine: AsyncEngine, work: Work, steps: str) -> None:
    """The test can fail: without being told to be unseen, barrier and steps hide the race."""
    assert await found(engine, work, steps=steps, hidden=False) == []


async def test_an_event_of_the_application_does_order(engine: AsyncEngine) -> None:
    """What the program itself asks for counts, with the explorer at work as without."""
    done = asyncio.Event()

    async def in_turn(session: AsyncSession, name: str) -> None:
        if name == "b":
            async with AsyncSession(session.bind) as own:
                await execute(own, name)
            await done.wait()
        await execute(session, name)
        done.set()

    assert await found(engine, in_turn) == []
