"""Where tasks wait when a turn does not end."""

import asyncio

from harness.observe.stuck import stuck_tasks


async def outer(gate: asyncio.Event) -> None:
    await inner(gate)


async def inner(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_each_task_s_stack_reaches_to_what_it_waits_for() -> None:
    """The application's lines from the outermost coroutine inwards, and then who waits; not the caller's own task."""
    gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outer(gate), name="tool")
        await asyncio.sleep(0)
        found = stuck_tasks()
        gate.set()

    (stuck,) = [task for task in found if task.name == "tool"]
    assert [line.rsplit(" in ", 1)[1] for line in stuck.stack] == ["outer", "inner", "Event.wait"]
    current = asyncio.current_task()
    assert current is not None
    assert current.get_name() not in {task.name for task in found}
