"""Hand-overs that need more than the one who gave the last word."""

import asyncio
from contextlib import suppress

import anyio

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, settle, unit, write
from tests.sanitizer.world import World

CORPUS = Corpus()


@CORPUS.legal
async def two_that_notify_one(world: World) -> None:
    """Who waits for two is woken by the first, and finds what both have done when it has the lock again."""
    condition = asyncio.Condition()
    sessions = [world.session(), world.session()]
    ready: list[int] = []

    async def prepare(number: int) -> None:
        await write(sessions[number], "prepared")
        world.steps.reach(f"prepared {number}")
        await world.steps.until("all prepared")
        if number:
            await world.steps.until("locked")
        async with condition:
            world.steps.reach("locked")
            await world.steps.until("both at the lock")
            ready.append(number)
            condition.notify()
        await world.steps.until("committed")

    async def commit() -> None:
        async with condition:
            world.steps.reach("all prepared")
            while len(ready) < len(sessions):
                await condition.wait()
        for session in sessions:
            await session.commit()
        world.steps.reach("committed")

    async def direct() -> None:
        await world.steps.until("locked")
        await settle()
        world.steps.reach("both at the lock")

    async with asyncio.TaskGroup() as group, sessions[0], sessions[1]:
        preparing = [group.create_task(prepare(number)) for number in range(2)]
        for number in range(2):
            await world.steps.until(f"prepared {number}")
        await asyncio.gather(*preparing, commit(), direct())


@CORPUS.legal
async def anyio_lock_that_is_asked_for(world: World) -> None:
    """Units of work behind a lock that is never waited for."""

    async def work(number: int) -> None:
        while True:
            with suppress(anyio.WouldBlock):
                lock.acquire_nowait()
                break
            await asyncio.sleep(0)
        await unit(session, f"by task {number}")
        lock.release()

    lock = anyio.Lock()
    async with world.session() as session:
        await asyncio.gather(*map(work, range(3)))
        assert await count(session) == 23
