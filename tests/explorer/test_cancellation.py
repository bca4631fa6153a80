"""Cancelling at a chosen await."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from harness.explorer.cancellation import CancelledAt

Program = Callable[[list[str]], Awaitable[str]]


async def three_waits(steps: list[str]) -> str:
    for number in (1, 2, 3):
        steps.append(f"before {number}")
        await asyncio.sleep(0)
    steps.append("after")
    return "done"


async def run(at: int, steps: list[str]) -> str:
    return await CancelledAt(three_waits(steps), at)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_it_strikes_at_that_await(at: int) -> None:
    """What stands before it has happened, what stands after it has not."""
    steps: list[str] = []
    task = asyncio.create_task(run(at, steps))

    await asyncio.wait({task})

    assert task.cancelled()
    assert steps == [f"before {number}" for number in range(1, at + 1)]


async def test_an_await_that_does_not_come_strikes_nothing() -> None:
    """The coroutine ends as it would by itself, and it can be asked that none was struck."""
    steps: list[str] = []
    cancelled = CancelledAt(three_waits(steps), 4)

    async def drive() -> str:
        return await cancelled

    assert await asyncio.create_task(drive()) == "done"
    assert (cancelled.awaits, cancelled.struck, steps[-1]) == (3, False, "after")


async def test_what_it_waits_for_is_cancelled_with_it() -> None:
    """As when `task.cancel()` is called from elsewhere."""
    awaited = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        await awaited

    async def drive() -> None:
        await CancelledAt(wait(), 1)

    task = asyncio.create_task(drive())
    await asyncio.wait({task})

    assert task.cancelled()
    assert awaited.cancelled()


async def test_a_coroutine_that_cleans_up_goes_on_waiting() -> None:
    """Awaits in its clean-up are counted, and not cancelled again."""
    steps: list[str] = []

    async def clean_up() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    cancelled = CancelledAt(clean_up(), 1)

    async def drive() -> None:
        await cancelled

    task = asyncio.create_task(drive())
    await asyncio.wait({task})

    assert task.cancelled()
    assert (steps, cancelled.awaits) == (["cleaned up"], 2)


async def test_a_coroutine_that_swallows_the_cancellation_returns() -> None:
    """Its result is passed on; the task has been asked to end, once."""

    async def swallow() -> str:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return "swallowed"
        return "not cancelled"

    async def drive() -> str:
        return await CancelledAt(swallow(), 1)

    task = asyncio.create_task(drive())

    assert await task == "swallowed"
    assert task.cancelling() == 1


async def test_what_the_coroutine_raises_is_raised() -> None:
    """An ordinary exception, unchanged."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("nothing there")

    async def drive() -> None:
        await CancelledAt(fail(), 5)

    with pytest.raises(LookupError, match="nothing there"):
        await asyncio.create_task(drive())


async def test_awaits_of_tasks_on_its_behalf_count(steps: list[str]) -> None:
    """It strikes where such a task waits; the one that waits for it is cancelled, and passes that on a step later."""

    async def child() -> None:
        for number in range(1, 10):
            steps.append(f"child {number}")
            await asyncio.sleep(0)

    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    cancelled = CancelledAt(parent(), 3)  # the parent's one wait, and the child's second

    async def drive() -> None:
        await cancelled

    task = asyncio.create_task(drive())
    await asyncio.wait({task})

    assert task.cancelled()
    assert steps == ["child 1", "child 2", "child 3"]


async def test_other_tasks_do_not_count(steps: list[str]) -> None:
    """Neither what ran before nor what is created elsewhere meanwhile; afterwards the loop is as it was."""

    async def stranger() -> None:
        for _ in range(5):
            steps.append("stranger")
            await asyncio.sleep(0)

    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    cancelled = CancelledAt(three_waits([]), 4)

    async def drive() -> str:
        return await cancelled

    async with asyncio.TaskGroup() as group:
        task = group.create_task(drive())
        group.create_task(stranger())

    assert task.result() == "done"
    assert (cancelled.awaits, len(steps)) == (3, 5)
    assert loop.get_task_factory() is factory


@pytest.fixture
def steps() -> list[str]:
    return []


async def waits_in_tasks(number: int) -> None:
    """Waits that often, each time in a task of its own."""
    for _ in range(number):
        await asyncio.create_task(asyncio.sleep(0))


async def count_awaits(number: int) -> int:
    counted = CancelledAt(waits_in_tasks(number), 10_000)

    async def drive() -> None:
        await counted

    await asyncio.create_task(drive())
    return counted.awaits


@pytest.mark.parametrize("others", [(3,), (3, 20), (20, 3), (40, 1, 7)])
async def test_those_that_run_at_the_same_time_count_for_themselves(others: tuple[int, ...]) -> None:
    """As alone, whichever ends first; and when the last has ended the loop's task factory is its own again."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    alone = {number: await count_awaits(number) for number in (10, *others)}

    together = await asyncio.gather(*(count_awaits(number) for number in (10, *others)))

    assert dict(zip((10, *others), together, strict=True)) == alone
    assert alone[10] >= 20
    assert loop.get_task_factory() is before
