"""A session that travels: as the item of a queue, as the result of a future, or behind an event or a barrier."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, settle, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@dataclass(order=True)
class Job:
    """A session with a priority; later ones come after earlier ones of the same priority."""

    priority: int
    number: int = field(default_factory=itertools.count().__next__)
    session: Any = field(compare=False, default=None)


@CORPUS.legal
async def queue_carries_the_session_through_stages(world: World) -> None:
    """A pipeline of three stages passes one session on by two queues; the first stages live on."""

    async def open_it() -> None:
        session = world.session()
        await write(session, "first stage")
        await opened.put(session)
        await world.steps.until("closed")

    async def enrich_it() -> None:
        session = await opened.get()
        await write(session, "second stage")
        await enriched.put(session)
        await world.steps.until("closed")

    async def close_it() -> None:
        session = await enriched.get()
        await session.commit()
        await session.close()
        world.steps.reach("closed")

    opened: asyncio.Queue[AsyncSession] = asyncio.Queue()
    enriched: asyncio.Queue[AsyncSession] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        for stage in (close_it(), enrich_it(), open_it()):
            group.create_task(stage)


@CORPUS.legal
async def priority_queue_carries_sessions(world: World) -> None:
    """Each session of a priority queue goes to the one worker that gets it."""

    async def work() -> None:
        while not jobs.empty():
            job = await jobs.get()
            await write(job.session, f"priority {job.priority}")
            await job.session.commit()
            await job.session.close()

    jobs: asyncio.PriorityQueue[Job] = asyncio.PriorityQueue()
    for priority in (3, 1, 2, 1):
        session = world.session()
        await count(session)
        jobs.put_nowait(Job(priority, session=session))
    await asyncio.gather(work(), work())


@CORPUS.legal
async def lifo_queue_as_a_pool_of_sessions(world: World) -> None:
    """A stack of sessions as a pool: each is used by one task at a time, and goes back when it is committed."""

    async def work(number: int) -> None:
        session = await pool.get()
        await write(session, f"by task {number}")
        await session.commit()
        pool.put_nowait(session)

    pool: asyncio.LifoQueue[AsyncSession] = asyncio.LifoQueue()
    for session in (world.session(), world.session()):
        pool.put_nowait(session)
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(work(number))
    while not pool.empty():
        await pool.get_nowait().close()


@CORPUS.legal
async def workers_get_orders_and_join_gives_back(world: World) -> None:
    """Workers write by sessions of which each order names one; the parent commits them all after `join`."""

    async def work() -> None:
        while True:
            session, body = await orders.get()
            await write(session, body)
            orders.task_done()

    orders: asyncio.Queue[tuple[AsyncSession, str]] = asyncio.Queue()
    sessions = [world.session() for _ in range(4)]
    workers = [asyncio.create_task(work()) for _ in range(2)]
    for number, session in enumerate(sessions):
        await orders.put((session, f"order {number}"))
    await orders.join()
    for session in sessions:
        await session.commit()
        await session.close()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


@CORPUS.legal
async def bounded_queue_keeps_producer_and_consumer_in_step(world: World) -> None:
    """A producer that fills a queue of one place goes on with the session when the consumer has taken the item."""

    async def consume() -> None:
        await write(session, "consumer, before it takes the first")
        assert await items.get() == "first"
        assert await items.get() == "second"
        assert await items.get() == "go on"
        await write(session, "consumer, at the end")

    items: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
    async with world.session() as session:
        await items.put("first")
        consumer = asyncio.create_task(consume())
        await items.put("second")
        await write(session, "producer, after it has put the second")
        await items.put("go on")
        await consumer
        await session.commit()


async def workers_until_shutdown(world: World) -> None:
    """Workers whose queue is shut down end, and their sessions are the parent's."""

    async def work() -> None:
        while True:
            try:
                session = await sessions.get()
            except asyncio.QueueShutDown:  # type: ignore[attr-defined]  # since Python 3.13
                return
            await write(session, "by a worker")

    sessions: asyncio.Queue[AsyncSession] = asyncio.Queue()
    mine = [world.session() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(work())
        for session in mine:
            await sessions.put(session)
        sessions.shutdown()  # type: ignore[attr-defined]  # since Python 3.13
    for session in mine:
        await session.commit()
        await session.close()


CORPUS.add("workers_until_shutdown", workers_until_shutdown, min_python=(3, 13))


@CORPUS.legal
async def future_carries_the_session(world: World) -> None:
    """A task that makes a session gives it away as a future's result, and gets it back by another."""

    async def lend() -> None:
        async with world.session() as session:
            await write(session, "by the lender")
            lent.set_result(session)
            await write(await returned, "by the lender again")
            await session.commit()

    loop = asyncio.get_running_loop()
    lent: asyncio.Future[AsyncSession] = loop.create_future()
    returned: asyncio.Future[AsyncSession] = asyncio.Future()
    lender = asyncio.create_task(lend())
    borrowed = await lent
    await write(borrowed, "by the borrower")
    returned.set_result(borrowed)
    await lender


@CORPUS.legal
async def ping_and_pong(world: World) -> None:
    """Two tasks take turns with one session by two events that are set and cleared."""

    async def play(mine: asyncio.Event, other: asyncio.Event, name: str) -> None:
        for number in range(3):
            await mine.wait()
            mine.clear()
            await write(session, f"{name} {number}")
            other.set()

    ping, pong = asyncio.Event(), asyncio.Event()
    async with world.session() as session:
        players = [asyncio.create_task(play(ping, pong, "ping")), asyncio.create_task(play(pong, ping, "pong"))]
        ping.set()
        await asyncio.gather(*players)
        await session.commit()


@CORPUS.legal
async def turns_by_condition(world: World) -> None:
    """Tasks take turns by a number that a condition guards, and use the session outside of its lock."""
    turn = 0

    async def player(mine: int) -> None:
        nonlocal turn
        async with changed:
            await changed.wait_for(lambda: turn == mine)
        await write(session, f"turn {mine}")
        async with changed:
            turn += 1
            changed.notify_all()

    changed = asyncio.Condition()
    async with world.session() as session:
        await asyncio.gather(*(player(mine) for mine in (2, 0, 1, 3)))
        await session.commit()


@CORPUS.legal
async def phases_by_barrier(world: World) -> None:
    """In each phase between two barriers another one of three tasks has the session."""

    async def worker(mine: int) -> None:
        for phase in range(3):
            if phase == mine:
                await write(session, f"phase {phase}")
            await line.wait()

    line = asyncio.Barrier(3)
    async with world.session() as session:
        async with asyncio.TaskGroup() as group:
            for mine in range(3):
                group.create_task(worker(mine))
        await session.commit()


async def past_a_barrier(world: World, line: asyncio.Barrier, *, disturb: Callable[[], Awaitable[object]]) -> None:
    """Of three who pass together the second has used the session before, and the first one uses it behind the barrier.

    The last one, who lets them through, does not touch it, so that nothing but the barrier orders the two.
    """

    async def owner_behind_it() -> None:
        await line.wait()
        await write(session, "behind the barrier")

    async def owner_before_it() -> None:
        await world.steps.until("disturbed")
        await write(session, "before the barrier")
        world.steps.reach("written")
        await line.wait()

    async def last() -> None:
        await world.steps.until("written")
        await settle()
        await line.wait()

    async with world.session() as session:
        async with asyncio.TaskGroup() as group:
            for owner in (owner_behind_it, owner_before_it, last):
                group.create_task(owner())
            await disturb()
            await settle()
            world.steps.reach("disturbed")
        await session.commit()


@CORPUS.legal
async def barrier_that_one_gave_up_waiting_at(world: World) -> None:
    """One of those who wait is cancelled; the others stay, and pass."""
    line = asyncio.Barrier(3)

    async def disturb() -> None:
        await settle()
        impatient = asyncio.create_task(line.wait())
        await settle()
        impatient.cancel()

    await past_a_barrier(world, line, disturb=disturb)


@CORPUS.legal
async def barrier_that_was_reset(world: World) -> None:
    """Who waited is sent away when another has come already, and that one stays for the next passage."""
    line = asyncio.Barrier(3)

    async def turned_away() -> None:
        with suppress(asyncio.BrokenBarrierError):
            await line.wait()

    early = asyncio.create_task(turned_away())
    await settle()
    await past_a_barrier(world, line, disturb=line.reset)
    await early


@CORPUS.legal
async def event_opens_the_gate_for_readers_of_their_own(world: World) -> None:
    """A writer commits and opens the gate; each reader then reads by a session of its own."""

    async def read() -> int:
        await committed.wait()
        async with world.session() as session:
            return await count(session)

    committed = asyncio.Event()
    readers = [asyncio.create_task(read()) for _ in range(4)]
    async with world.session() as session:
        await write(session, "for all")
        await session.commit()
    committed.set()
    assert await asyncio.gather(*readers) == [21] * 4


@CORPUS.legal
async def hand_over_while_work_is_pending(world: World) -> None:
    """What one task has only added, another flushes and commits after it got the session from a queue."""

    async def commit() -> None:
        await (await queue.get()).commit()
        world.steps.reach("committed")

    queue: asyncio.Queue[AsyncSession] = asyncio.Queue(1)
    async with world.session() as session:
        committer = asyncio.create_task(commit())
        session.add_all([Note(body="pending"), Note(body="pending too")])
        queue.put_nowait(session)
        await world.steps.until("committed")
        await committer
        assert await count(session) == 22
