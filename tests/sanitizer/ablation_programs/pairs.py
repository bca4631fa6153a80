"""Two uses of one thing by two tasks, in the ways in which they can meet."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.sanitizer.racy_programs.consequences import release, together
from tests.sanitizer.world import Hold, LockedNotes, World

__all__ = ["Use", "behind_a_lock", "by_luck", "during"]

Use = Callable[[], Awaitable[object]]


async def by_luck(world: World, one: Use, other: Use) -> None:
    """The one has, by luck, ended when the other begins."""

    async def first() -> None:
        try:
            await one()
        finally:
            world.steps.reach("done")

    async def second() -> None:
        await world.steps.until("done")
        await other()

    await together(first(), second())


async def during(world: World, obstacle: Hold | LockedNotes, slow: Use, quick: Use) -> None:
    """The one waits for the obstacle when the other begins."""

    async def second() -> None:
        await obstacle.in_flight()
        world.steps.reach("begun")
        await quick()

    await together(slow(), second(), release(world, obstacle))


async def behind_a_lock(world: World, one: Use, other: Use) -> None:
    """The other comes after the one, and is kept apart from it by a lock, while the one has more to do."""

    async def first() -> None:
        async with lock:
            await one()
        world.steps.reach("done")
        await world.steps.until("both done")

    async def second() -> None:
        await world.steps.until("done")
        try:
            async with lock:
                await other()
        finally:
            world.steps.reach("both done")

    lock = asyncio.Lock()
    await together(first(), second())
