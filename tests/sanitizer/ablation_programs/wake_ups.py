"""Who lets the next one in orders nobody: in another run the other one may come first."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.ablation_programs.pairs import by_luck
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import settle
from tests.sanitizer.racy_programs.consequences import shared_session, together
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import World

CORPUS = Corpus()


class Guard(Protocol):
    """A lock, a semaphore of one place, or a limiter to one."""

    async def acquire(self) -> Any:
        """Get in."""

    def release(self) -> Any:
        """Let somebody else in."""


async def select_one(session: AsyncSession) -> None:
    await session.scalar(text("SELECT 1"))


async def select_two(session: AsyncSession) -> None:
    await session.scalar(text("SELECT 2"))


async def let_in(world: World, *, make: Callable[[], Guard]) -> None:
    """One uses the session behind the guard, for which another waits, who uses the session when it is out again."""
    guard = make()

    async def one() -> None:
        await guard.acquire()
        await world.steps.until("waiting")
        await settle()
        await select_one(session)
        guard.release()
        await world.steps.until("done")

    async def other() -> None:
        world.steps.reach("waiting")
        await guard.acquire()
        guard.release()
        await select_two(session)
        world.steps.reach("done")

    async with shared_session(world) as session:
        await together(one(), other())


async def let_go(world: World, *, make: Callable[[], Guard]) -> None:
    """The one uses the session when it has left the guard again, behind which the other uses it."""
    guard = make()

    async def one() -> None:
        await guard.acquire()
        guard.release()
        await select_one(session)

    async def other() -> None:
        await guard.acquire()
        await select_two(session)
        guard.release()

    async with shared_session(world) as session:
        await by_luck(world, one, other)


GUARDS: dict[str, Callable[[], Guard]] = {
    "a lock": asyncio.Lock,
    "a semaphore": partial(asyncio.Semaphore, 1),
    "a lock of anyio": anyio.Lock,
    "a semaphore of anyio": partial(anyio.Semaphore, 1),
}

for label, make in GUARDS.items():
    for program in (let_go,) if label.endswith("anyio") else (let_in, let_go):
        CORPUS.add(
            f"{program.__name__} by {label}",
            partial(program, make=make),
            kinds=("unordered",),
            lines=frozenset({last_line(select_one), last_line(select_two)}),
        )


@CORPUS.racy("unordered")
async def woken_by_an_item_that_another_took(world: World) -> None:
    """Whoever waits for an item is woken, finds that it is gone, and gets one of somebody else's later."""
    items: asyncio.Queue[int] = asyncio.Queue()

    async def one() -> None:
        await world.steps.until("waiting")
        await settle()
        await session.scalar(text("SELECT 1"))  # first
        items.put_nowait(1)
        items.get_nowait()
        world.steps.reach("taken back")
        await world.steps.until("done")

    async def third() -> None:
        await world.steps.until("taken back")
        await settle()
        items.put_nowait(2)

    async def other() -> None:
        world.steps.reach("waiting")
        await items.get()
        await session.scalar(text("SELECT 2"))  # second
        world.steps.reach("done")

    async with shared_session(world) as session:
        await together(one(), third(), other())


@CORPUS.racy("unordered")
async def let_in_by_one_that_gave_up(world: World) -> None:
    """Whoever is cancelled just when it may enter lets the next one in."""
    limiter = anyio.CapacityLimiter(1)
    waiting: list[asyncio.Task[object]] = []

    async def crowded(size: int) -> None:
        while limiter.statistics().tasks_waiting < size:  # noqa: ASYNC110  # an event would order them
            await asyncio.sleep(0)

    async def wait() -> None:
        task = asyncio.current_task()
        assert task is not None
        waiting.append(task)
        await limiter.acquire()

    async def one() -> None:
        await session.scalar(text("SELECT 1"))  # first
        with suppress(asyncio.CancelledError):
            await wait()
        await world.steps.until("done")

    async def other() -> None:
        await world.steps.until("the one waits")
        await wait()
        limiter.release()
        await session.scalar(text("SELECT 2"))  # second
        world.steps.reach("done")

    async def third() -> None:
        await limiter.acquire()
        await crowded(1)
        world.steps.reach("the one waits")
        await crowded(2)
        limiter.release()
        waiting[0].cancel()

    async with shared_session(world) as session:
        await together(third(), one(), other())
