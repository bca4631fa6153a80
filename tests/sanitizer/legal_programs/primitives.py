"""Every primitive by which one task can hand on to another, once waited for and once given before it is asked for.

The session is a plain variable of both tasks: only the baton orders them. The first owner writes, gives the baton, and
lives on; the second takes it, reads, writes, and commits for both.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import settle
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@dataclass(frozen=True)
class Baton:
    """What the first owner does when it is through, and what the second does before it begins."""

    give: Callable[[], object]
    take: Callable[[], Awaitable[object]]


async def relay(make_baton: Callable[[], Baton], world: World, *, waited_for: bool) -> None:
    """One task writes and hands on, a second one goes on and commits, while the first is still alive."""
    baton = make_baton()
    steps = world.steps
    session = world.session()

    async def first_owner() -> None:
        if waited_for:
            await steps.until("taking")
            await settle()
        session.add(Note(body="by the first owner"))
        await session.flush()
        steps.reach("giving")
        given = baton.give()
        if isinstance(given, Awaitable):
            await given
        await steps.until("committed")

    async def second_owner() -> None:
        if not waited_for:
            await steps.until("giving")
            await settle()
        steps.reach("taking")
        await baton.take()
        notes = await session.scalars(select(Note).where(Note.body == "by the first owner"))
        assert len(notes.all()) == 1
        session.add(Note(body="by the second owner"))
        await session.commit()
        steps.reach("committed")

    async with session, asyncio.TaskGroup() as group:
        group.create_task(first_owner())
        group.create_task(second_owner())


def event() -> Baton:
    """`Event.set`, then `wait`."""
    flag = asyncio.Event()
    return Baton(flag.set, flag.wait)


def polled_event() -> Baton:
    """`Event.set`, seen by `is_set`."""
    flag = asyncio.Event()

    async def poll() -> None:
        while not flag.is_set():  # noqa: ASYNC110  # polling is the subject
            await asyncio.sleep(0)

    return Baton(flag.set, poll)


def event_in_wait_for() -> Baton:
    """`Event.wait` below `wait_for`."""
    flag = asyncio.Event()
    return Baton(flag.set, lambda: asyncio.wait_for(flag.wait(), 10))


def event_in_timeout() -> Baton:
    """`Event.wait` below `timeout`."""
    flag = asyncio.Event()

    async def take() -> None:
        async with asyncio.timeout(10):
            await flag.wait()

    return Baton(flag.set, take)


def condition(*, by_predicate: bool) -> Baton:
    """`Condition.notify_all` with a flag; then `wait` in a loop, or `wait_for`."""
    changed = asyncio.Condition()
    ready = False

    async def give() -> None:
        nonlocal ready
        async with changed:
            ready = True
            changed.notify_all()

    async def take() -> None:
        async with changed:
            if by_predicate:
                await changed.wait_for(lambda: ready)
            else:
                while not ready:
                    await changed.wait()

    return Baton(give, take)


def future(*, by_loop: bool) -> Baton:
    """A future's result, whichever way the future was made."""
    result: asyncio.Future[None]
    result = asyncio.get_running_loop().create_future() if by_loop else asyncio.Future()

    async def take() -> None:
        await result

    return Baton(lambda: result.set_result(None), take)


def future_that_fails() -> Baton:
    """A future's exception."""
    result = asyncio.get_running_loop().create_future()

    async def take() -> None:
        with suppress(LookupError):
            await result

    return Baton(lambda: result.set_exception(LookupError()), take)


def future_that_is_cancelled() -> Baton:
    """A cancelled future; the task that awaits it is not cancelled itself."""
    result = asyncio.get_running_loop().create_future()

    async def take() -> None:
        with suppress(asyncio.CancelledError):
            await result

    return Baton(result.cancel, take)


def polled_future() -> Baton:
    """A future's result, seen by `done`."""
    result: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def poll() -> None:
        while not result.done():  # noqa: ASYNC110  # polling is the subject
            await asyncio.sleep(0)

    return Baton(lambda: result.set_result(None), poll)


def future_callback() -> Baton:
    """A future whose callback gives a second one its result."""
    result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    result.add_done_callback(lambda _: told.set_result(None))

    async def take() -> None:
        await told

    return Baton(lambda: result.set_result(None), take)


def barrier() -> Baton:
    """Both come to a barrier; either can be the last."""
    line = asyncio.Barrier(2)
    return Baton(line.wait, line.wait)


def semaphore() -> Baton:
    """A semaphore that starts at nought, as a signal."""
    signal = asyncio.Semaphore(0)
    return Baton(signal.release, signal.acquire)


def queue(kind: Callable[[], asyncio.Queue[Any]]) -> Baton:
    """An item put, and got."""
    items = kind()
    return Baton(lambda: items.put_nowait((1, "go on")), items.get)


def queue_in_wait_for() -> Baton:
    """An item put, and got below `wait_for`."""
    items: asyncio.Queue[str] = asyncio.Queue()
    return Baton(lambda: items.put("go on"), lambda: asyncio.wait_for(items.get(), 10))


def polled_queue() -> Baton:
    """An item put, and got by `get_nowait`."""
    items: asyncio.Queue[str] = asyncio.Queue()

    async def poll() -> str:
        while True:
            with suppress(asyncio.QueueEmpty):
                return items.get_nowait()
            await asyncio.sleep(0)

    return Baton(lambda: items.put_nowait("go on"), poll)


def slot_of_a_full_queue() -> Baton:
    """An item taken from a full queue, whose slot the next item takes."""
    items: asyncio.Queue[str] = asyncio.Queue(1)
    items.put_nowait("old")
    return Baton(items.get, lambda: items.put("new"))


def joined_queue() -> Baton:
    """`task_done`, then `join`."""
    items: asyncio.Queue[str] = asyncio.Queue()
    items.put_nowait("work")
    items.get_nowait()
    return Baton(items.task_done, items.join)


def scheduled(schedule: str) -> Baton:
    """A callback of the loop, which gives a future its result."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()
    give: dict[str, Callable[[], object]] = {
        "call_soon": lambda: loop.call_soon(told.set_result, None),
        "call_soon_threadsafe": lambda: loop.call_soon_threadsafe(told.set_result, None),
        "call_later": lambda: loop.call_later(0.001, told.set_result, None),
        "call_at": lambda: loop.call_at(loop.time() + 0.001, told.set_result, None),
    }

    async def take() -> None:
        await told

    return Baton(give[schedule], take)


BATONS: dict[str, Callable[[], Baton]] = {
    "event": event,
    "polled event": polled_event,
    "event in wait_for": event_in_wait_for,
    "event in timeout": event_in_timeout,
    "condition with a loop": partial(condition, by_predicate=False),
    "condition with a predicate": partial(condition, by_predicate=True),
    "future of the loop": partial(future, by_loop=True),
    "future by its class": partial(future, by_loop=False),
    "future that fails": future_that_fails,
    "future that is cancelled": future_that_is_cancelled,
    "polled future": polled_future,
    "future callback": future_callback,
    "barrier": barrier,
    "semaphore": semaphore,
    "queue": partial(queue, asyncio.Queue),
    "priority queue": partial(queue, asyncio.PriorityQueue),
    "lifo queue": partial(queue, asyncio.LifoQueue),
    "queue in wait_for": queue_in_wait_for,
    "polled queue": polled_queue,
    "slot of a full queue": slot_of_a_full_queue,
    "joined queue": joined_queue,
    "call_soon": partial(scheduled, "call_soon"),
    "call_soon_threadsafe": partial(scheduled, "call_soon_threadsafe"),
    "call_later": partial(scheduled, "call_later"),
    "call_at": partial(scheduled, "call_at"),
}

for label, make in BATONS.items():
    CORPUS.add(f"{label} waited for", partial(relay, make, waited_for=True))
    CORPUS.add(f"{label} given before", partial(relay, make, waited_for=False))
