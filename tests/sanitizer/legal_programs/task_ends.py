"""Every way to learn that a task has ended, once waited for and once learnt after the fact.

The worker uses the session; the heir, which is neither its parent nor its child, learns of its end and goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from sqlalchemy import select

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

Worker = asyncio.Task[int]
Learn = Callable[[Worker], Awaitable[object]]


async def inherit(learn: Learn, world: World, *, waited_for: bool) -> None:
    """A worker writes and ends; the heir learns of its end, and commits."""
    session = world.session()
    steps = world.steps

    async def work() -> int:
        if waited_for:
            await steps.until("learning")
        note = Note(body="by the worker")
        session.add(note)
        await session.flush()
        return note.id

    async def heir(worker: Worker) -> None:
        if not waited_for:
            while worker not in ended:  # noqa: ASYNC110  # a plain variable: it orders nothing
                await asyncio.sleep(0)
        steps.reach("learning")
        await learn(worker)
        await session.execute(select(Note.id).limit(1))
        await session.commit()

    ended: set[object] = set()
    async with session:
        worker = asyncio.create_task(work())
        worker.add_done_callback(ended.add)
        await asyncio.create_task(heir(worker))


async def plain_await(worker: Worker) -> None:
    """`await`."""
    assert await worker > 0


async def wait_for_all(worker: Worker) -> None:
    """`wait`, without a look at the result."""
    await asyncio.wait({worker})


async def wait_for_the_first(worker: Worker) -> None:
    """`wait` until the first of two is there, with the worker among the done."""
    never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done, _ = await asyncio.wait({worker, never}, return_when=asyncio.FIRST_COMPLETED)
    never.cancel()

    assert done == {worker}


async def wait_for_an_exception(worker: Worker) -> None:
    """`wait` until the first exception, of which there is none."""
    await asyncio.wait([worker], return_when=asyncio.FIRST_EXCEPTION)


async def wait_for_result(worker: Worker) -> None:
    """`wait`, then `result`."""
    done, _ = await asyncio.wait({worker})

    assert done.pop().result() > 0


async def gathered(worker: Worker) -> None:
    """`gather`."""
    await asyncio.gather(worker, asyncio.sleep(0))


async def gathered_with_exceptions(worker: Worker) -> None:
    """`gather`, with the exceptions among the results."""
    await asyncio.gather(asyncio.sleep(0), worker, return_exceptions=True)


async def as_completed(worker: Worker) -> None:
    """`as_completed`, by a plain loop."""
    for each in asyncio.as_completed([worker]):
        await each


async def as_completed_with_timeout(worker: Worker) -> None:
    """`as_completed` of two, by a plain loop, with a timeout."""
    for each in asyncio.as_completed([worker, asyncio.sleep(0, result=1)], timeout=10):
        assert await each > 0


async def as_completed_async(worker: Worker) -> None:
    """`as_completed`, by an asynchronous loop, which gives the tasks themselves."""
    async for each in asyncio.as_completed([worker]):  # type: ignore[attr-defined]  # since Python 3.13
        assert each is worker
        await each


async def wait_for(worker: Worker) -> None:
    """`wait_for`."""
    await asyncio.wait_for(worker, timeout=10)


async def wait_for_without_timeout(worker: Worker) -> None:
    """`wait_for`, without a timeout."""
    await asyncio.wait_for(worker, timeout=None)


async def shielded(worker: Worker) -> None:
    """`shield`."""
    await asyncio.shield(worker)


async def shielded_with_a_time_limit(worker: Worker) -> None:
    """`shield` below `timeout`."""
    async with asyncio.timeout(10):
        await asyncio.shield(worker)


async def in_a_task_group(worker: Worker) -> None:
    """`await` by a child of a task group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(plain_await(worker))


async def polled_done(worker: Worker) -> None:
    """`done`."""
    while not worker.done():  # noqa: ASYNC110  # polling is the subject
        await asyncio.sleep(0)


async def polled_result(worker: Worker) -> None:
    """`result`."""
    while True:
        with suppress(asyncio.InvalidStateError):
            worker.result()
            return
        await asyncio.sleep(0)


async def polled_exception(worker: Worker) -> None:
    """`exception`."""
    while True:
        with suppress(asyncio.InvalidStateError):
            assert worker.exception() is None
            return
        await asyncio.sleep(0)


async def done_callback(worker: Worker) -> None:
    """A callback of the worker, which sets an event."""
    ended = asyncio.Event()
    worker.add_done_callback(lambda _: ended.set())
    await ended.wait()


async def chained_awaits(worker: Worker) -> None:
    """`await` of a task that awaits a task that awaits it."""
    inner = asyncio.ensure_future(plain_await(worker))
    await asyncio.create_task(asyncio.wait_for(inner, 10))


WAYS: tuple[Learn, ...] = (
    plain_await,
    wait_for_all,
    wait_for_the_first,
    wait_for_an_exception,
    wait_for_result,
    gathered,
    gathered_with_exceptions,
    as_completed,
    as_completed_with_timeout,
    as_completed_async,
    wait_for,
    wait_for_without_timeout,
    shielded,
    shielded_with_a_time_limit,
    in_a_task_group,
    polled_done,
    polled_result,
    polled_exception,
    done_callback,
    chained_awaits,
)

for way in WAYS:
    since = (3, 13) if way is as_completed_async else (3, 11)
    CORPUS.add(f"end learnt by {way.__name__}", partial(inherit, way, waited_for=True), min_python=since)
    CORPUS.add(f"end known before {way.__name__}", partial(inherit, way, waited_for=False), min_python=since)
