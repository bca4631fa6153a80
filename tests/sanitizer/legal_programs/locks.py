"""Locks around whole units of work: nothing orders the tasks, and nothing needs to."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import anyio
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import settle, unit
from tests.sanitizer.world import Hold, Note, World

CORPUS = Corpus()

Mutex = AbstractAsyncContextManager[object]

MODULE_LOCK = asyncio.Lock()
MODULE_ANYIO_LOCK = anyio.Lock()


async def held_unit(session: AsyncSession, body: str, hold: Hold | None) -> None:
    """A complete unit of work, which goes on when the hold is released."""
    if hold is not None:
        await session.execute(hold.statement)
    await unit(session, body)


async def contend(make_mutex: Callable[[], Mutex], world: World) -> None:
    """While one task is in the middle of its unit of work, two others wait for the mutex."""

    async def work(number: int, hold: Hold | None = None) -> None:
        async with mutex:
            await held_unit(session, f"unit {number}", hold)

    mutex = make_mutex()
    hold = world.hold()
    async with world.session() as session:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(1, hold))
            await hold.in_flight()
            group.create_task(work(2))
            group.create_task(work(3))
            await settle()
            hold.release()
        assert len((await session.scalars(select(Note).where(Note.body.startswith("unit")))).all()) == 3


async def pass_by(make_mutex: Callable[[], Mutex], world: World) -> None:
    """The mutex is free when the second task comes; but nothing says that it comes second."""

    async def work(number: int) -> None:
        if number:
            await world.steps.until(f"{number - 1}")
        async with mutex:
            await unit(session, f"unit {number}")
        world.steps.reach(f"{number}")

    mutex = make_mutex()
    async with world.session() as session:
        await asyncio.gather(*(work(number) for number in range(3)))


class Waiting:
    """A mutex by `acquire` and `release`, as older code has it."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class Limited(Waiting):
    """A lock for which nobody waits longer than ten seconds."""

    async def __aenter__(self) -> None:
        async with asyncio.timeout(10):
            await self._lock.acquire()


class LimitedByTask(Waiting):
    """The same by `wait_for`, which until Python 3.11 acquires the lock in a task of its own."""

    async def __aenter__(self) -> None:
        await asyncio.wait_for(self._lock.acquire(), timeout=10)


MUTEXES: dict[str, Callable[[], Mutex]] = {
    "lock": asyncio.Lock,
    "lock by acquire and release": lambda: Waiting(asyncio.Lock()),
    "lock below a timeout": lambda: Limited(asyncio.Lock()),
    "lock below wait_for": lambda: LimitedByTask(asyncio.Lock()),
    "semaphore": partial(asyncio.Semaphore, 1),
    "bounded semaphore": partial(asyncio.BoundedSemaphore, 1),
    "condition": asyncio.Condition,
    "anyio lock": anyio.Lock,
    "fast anyio lock": partial(anyio.Lock, fast_acquire=True),
    "anyio semaphore": partial(anyio.Semaphore, 1),
    "fast anyio semaphore": partial(anyio.Semaphore, 1, max_value=1, fast_acquire=True),
    "anyio condition": anyio.Condition,
    "anyio lock of the module": lambda: MODULE_ANYIO_LOCK,
}

for label, make in MUTEXES.items():
    CORPUS.add(f"{label} contended", partial(contend, make))
    CORPUS.add(f"{label} free", partial(pass_by, make))
CORPUS.add("lock of the module free", partial(pass_by, lambda: MODULE_LOCK))
