"""Tool calls that go step by step, in a given order."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from harness.explorer.order import Order


async def _tool(order: Order, name: str, calls: int, seen: list[str]) -> None:
    """A tool of so many calls into the library; each has an await in it."""
    await order.start("turn", name)
    seen.append(f"{name} starts")
    for number in range(1, calls + 1):
        await order.enter("turn", name)
        seen.append(f"{name}{number}")
        await asyncio.sleep(0)
        seen.append(f"/{name}{number}")
        order.leave("turn", name)
    order.end("turn", name)


async def _run(steps: Sequence[str], *tools: tuple[str, int], limit: float = 30.0) -> tuple[Order, list[str]]:
    order, seen = Order(timeout=limit, clock=perf_counter), list[str]()
    order.expect("turn", steps)
    async with asyncio.TaskGroup() as group:
        for name, calls in tools:
            group.create_task(_tool(order, name, calls, seen))
    return order, seen


async def test_steps_go_in_the_order() -> None:
    """The first step of a tool begins with its start; named steps do not overlap; then all go freely."""
    order, seen = await _run("abb", ("a", 3), ("b", 2))

    assert seen[:7] == ["a starts", "a1", "/a1", "b starts", "b1", "/b1", "b2"]
    assert seen[7] == "/b2"
    assert seen[8:] == ["a2", "/a2", "a3", "/a3"]
    assert [arrival.released for arrival in order.arrivals] == ["together", "together"]


async def test_the_order_and_not_the_tasks_decides() -> None:
    """A tool that was started first waits for one that the order names first."""
    _, seen = await _run("ba", ("a", 1), ("b", 1))

    assert seen.index("/b1") < seen.index("a starts")


async def test_a_tool_that_ends_early_is_left_out() -> None:
    """Steps that will not come do not hold the others."""
    _, seen = await _run("abbba", ("a", 2), ("b", 1))

    assert seen == ["a starts", "a1", "/a1", "b starts", "b1", "/b1", "a2", "/a2"]


async def test_a_tool_that_is_not_named_goes_freely() -> None:
    """It neither waits nor makes others wait."""
    _, seen = await _run("ab", ("c", 1), ("b", 1), ("a", 1))

    assert seen[:2] == ["c starts", "c1"]


async def test_nobody_waits_for_ever() -> None:
    """If the next tool never comes, the others go on after the timeout, and it is recorded."""
    order, seen = await _run("ab", ("b", 1), limit=0.01)

    assert seen == ["b starts", "b1", "/b1"]
    assert [arrival.released for arrival in order.arrivals] == ["timeout"]


async def test_other_turns_are_not_held() -> None:
    """An order is one turn's."""
    order = Order(timeout=30, clock=perf_counter)
    order.expect("turn", "ab")

    await order.start("other turn", "b")
    await order.enter(None, "b")

    assert order.arrivals == ()
