"""The barrier lets a round go on together, in the order of the plan."""

import asyncio
import time

import pytest

from harness.explorer.barrier import Barrier


class Round:
    """Tasks that pass a barrier, and the order in which they did."""

    def __init__(self, *, timeout: float = 30.0) -> None:
        self.barrier = Barrier(timeout=timeout, clock=time.perf_counter)
        self.passed: list[str] = []

    async def go(self, name: str) -> None:
        await self.barrier.arrive("t1", name)
        self.passed.append(name)

    @property
    def releases(self) -> list[tuple[str, str]]:
        return [(arrival.tool_call_id, arrival.released) for arrival in self.barrier.arrivals]


@pytest.fixture
def round_() -> Round:
    round_ = Round()
    round_.barrier.expect("t1", ["a", "b", "c"])
    return round_


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
async def test_all_go_on_in_the_order_of_the_plan(round_: Round, order: str) -> None:
    """In whichever order the calls arrive, they go on in the same."""
    async with asyncio.TaskGroup() as tasks:
        for name in order:
            tasks.create_task(round_.go(name))

    assert round_.passed == ["a", "b", "c"]
    assert round_.releases == [("a", "together"), ("b", "together"), ("c", "together")]


async def test_nobody_goes_on_before_the_last_is_there(round_: Round) -> None:
    """Two of three wait, as often as the loop runs."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(round_.go("a"))
        tasks.create_task(round_.go("b"))
        for _ in range(10):
            await asyncio.sleep(0)
        early = list(round_.passed)
        tasks.create_task(round_.go("c"))

    assert early == []
    assert round_.passed == ["a", "b", "c"]


async def test_a_call_that_ends_without_arriving_is_not_waited_for(round_: Round) -> None:
    """A tool that fails before it reaches the database, or never uses it, does not hold the others."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(round_.go("c"))
        tasks.create_task(round_.go("a"))
        await asyncio.sleep(0)
        round_.barrier.leave("t1", "b")

    assert round_.releases == [("a", "together"), ("c", "together")]


async def test_only_the_first_arrival_counts(round_: Round) -> None:
    """A tool's later operations pass, and its end releases nobody again."""
    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(round_.go(name))
    await round_.go("a")
    round_.barrier.leave("t1", "a")

    assert round_.passed == ["a", "b", "c", "a"]
    assert len(round_.barrier.arrivals) == 3


async def test_what_was_not_announced_passes(round_: Round) -> None:
    """Calls of other turns, and calls without a plan, are not held."""
    await round_.barrier.arrive("t2", "a")
    await round_.barrier.arrive("t1", "d")
    round_.barrier.leave("t2", "a")

    assert round_.barrier.arrivals == ()


async def test_a_round_of_one_does_not_wait() -> None:
    """Alone together is together."""
    round_ = Round()
    round_.barrier.expect("t1", ["a"])
    await round_.go("a")

    assert round_.releases == [("a", "together")]


async def test_a_round_that_cannot_meet_opens_after_the_timeout() -> None:
    """A backend that runs its tools one by one is not held for longer; the later ones are not held at all."""
    round_ = Round(timeout=0.05)
    round_.barrier.expect("t1", ["a", "b"])
    await round_.go("a")
    await round_.go("b")

    assert round_.releases == [("a", "timeout"), ("b", "timeout")]


async def test_a_call_that_is_cancelled_while_it_waits_does_not_break_the_round(round_: Round) -> None:
    """The others are all there, and go on."""
    first = asyncio.create_task(round_.go("a"))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(round_.go("c"))
        tasks.create_task(round_.go("b"))

    assert round_.passed == ["b", "c"]
    assert first.cancelled()
