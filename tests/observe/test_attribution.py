"""Attribution holds wherever SQLAlchemy runs its hooks."""

import asyncio

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from harness.observe.attribution import Attribution, attributed, current_tool_call, current_turn


@pytest.fixture
def seen(engine: AsyncEngine) -> list[tuple[str, Attribution]]:
    """Every checkout, statement and checkin of the engine, with who it is attributed to."""
    seen: list[tuple[str, Attribution]] = []
    for name in ("checkout", "before_cursor_execute", "checkin"):
        event.listen(engine.sync_engine, name, lambda *_, name=name: seen.append((name, attributed())))
    return seen


async def use_session(engine: AsyncEngine) -> None:
    current_turn.set("t1")
    current_tool_call.set("c1")
    async with AsyncSession(engine) as session:
        await session.execute(text("SELECT 1"))


async def test_hooks_in_greenlets_see_the_task_s_turn(engine: AsyncEngine, seen: list[tuple[str, Attribution]]) -> None:
    """Checkout and statements run in a greenlet, and are attributed to the task that drives it."""
    await asyncio.create_task(use_session(engine), name="tool")

    attributions = dict(seen)
    assert attributions["checkout"] == Attribution(turn="t1", tool_call_id="c1", task="tool")
    assert attributions["before_cursor_execute"] == attributions["checkout"]


async def test_closing_is_attributed_to_who_closes(engine: AsyncEngine, seen: list[tuple[str, Attribution]]) -> None:
    """A session is closed in a task of SQLAlchemy's own, and still on behalf of the tool that leaves its block."""
    await asyncio.create_task(use_session(engine), name="tool")

    closing = dict(seen)["checkin"]
    assert (closing.turn, closing.tool_call_id) == ("t1", "c1")


async def test_nobody_is_named_where_nobody_is_known() -> None:
    """Outside turns nothing is attributed to one, and a turn's task leaves nothing behind in its creator."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.sleep(0), name="other")
        tasks.create_task(set_turn())

    assert attributed().turn is None
    assert attributed().tool_call_id is None


async def set_turn() -> None:
    current_turn.set("t1")


async def test_threads_of_a_tool_are_attributed_to_it() -> None:
    """A tool that works in a thread is still the tool; without a task, the thread is named."""
    current_turn.set("t1")
    who = await asyncio.to_thread(attributed)

    assert who.turn == "t1"
    assert who.task
