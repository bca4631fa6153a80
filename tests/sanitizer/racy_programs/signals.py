"""Signals that order something, but not the two uses of the session."""

import asyncio
import contextlib

import anyio
from sqlalchemy import func, select, text

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.racy("overlap")
async def an_event_set_too_early(world: World) -> None:
    """The event says that the work has begun; the other takes it for its end."""
    started = asyncio.Event()
    hold = world.hold()

    async def work() -> None:
        started.set()
        await session.execute(hold.statement)  # first

    async def follow() -> None:
        await started.wait()
        await hold.in_flight()
        world.steps.reach("begun")
        await session.execute(select(Note))  # second

    async with shared_session(world) as session:
        await together(work(), follow(), release(world, hold))


@CORPUS.racy("unordered")
async def an_event_set_too_early_by_luck(world: World) -> None:
    """The same event, when the work is short."""
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await session.execute(select(Note))  # first
        world.steps.reach("done")

    async def follow() -> None:
        await started.wait()
        await world.steps.until("done")
        await session.commit()  # second

    async with shared_session(world) as session:
        await together(work(), follow())


@CORPUS.racy("unordered")
async def an_event_for_the_other_one(world: World) -> None:
    """The one that used the session waits for the event, instead of the one that will."""
    go = asyncio.Event()

    async def first_of_all() -> None:
        await session.execute(text("SELECT 1"))  # first
        world.steps.reach("done")
        await go.wait()

    async def afterwards() -> None:
        await world.steps.until("done")
        go.set()
        await session.execute(text("SELECT 2"))  # second

    async with shared_session(world) as session:
        await together(first_of_all(), afterwards())


@CORPUS.racy("unordered")
async def an_event_of_a_third(world: World) -> None:
    """A third task gives the signal, by the clock."""
    go = anyio.Event()

    async def work() -> None:
        await session.get(Note, 2)  # first
        world.steps.reach("done")

    async def clock() -> None:
        await world.steps.until("done")
        go.set()

    async def follow() -> None:
        await go.wait()
        await session.get(Note, 3)  # second

    async with shared_session(world) as session:
        await together(work(), clock(), follow())


@CORPUS.racy("unordered")
async def a_queue_in_the_other_direction(world: World) -> None:
    """The consumer answers before it works, and the producer works before it asks."""
    orders: asyncio.Queue[int] = asyncio.Queue()

    async def consumer() -> None:
        await world.steps.until("done")
        orders.put_nowait(1)
        await session.scalar(select(func.count(Note.id)))  # second

    async def producer() -> None:
        await session.scalar(select(func.max(Note.id)))  # first
        world.steps.reach("done")
        await orders.get()

    async with shared_session(world) as session:
        await together(consumer(), producer())


@CORPUS.racy("overlap")
async def two_workers_of_one_queue(world: World) -> None:
    """A pool of workers takes its orders from one queue, and its session from one place."""
    orders: asyncio.Queue[str] = asyncio.Queue()
    hold = world.hold()
    orders.put_nowait(hold.sql)
    orders.put_nowait("SELECT 1")

    async def worker() -> None:
        sql = await orders.get()
        if sql != hold.sql:
            await hold.in_flight()
            world.steps.reach("begun")
        await session.execute(text(sql))  # both
        orders.task_done()

    async with shared_session(world) as session:
        await together(worker(), worker(), orders.join(), release(world, hold))


@CORPUS.racy("unordered")
async def an_older_item_of_the_queue(world: World) -> None:
    """What is taken from the queue was put into it before the session was used."""
    orders: asyncio.Queue[str] = asyncio.Queue()

    async def producer() -> None:
        orders.put_nowait("one")
        await session.execute(select(Note))  # first
        world.steps.reach("done")
        orders.put_nowait("two")

    async def consumer() -> None:
        await world.steps.until("done")
        await orders.get()
        await session.rollback()  # second

    async with shared_session(world) as session:
        await together(producer(), consumer())


@CORPUS.racy("unordered")
async def a_condition_that_others_share(world: World) -> None:
    """The condition is between the second and a third; the first never enters it."""
    condition = asyncio.Condition()

    async def outsider() -> None:
        await session.execute(select(Note))  # first
        world.steps.reach("done")

    async def third() -> None:
        await world.steps.until("done")
        await world.steps.until("waiting")
        async with condition:
            condition.notify_all()

    async def insider() -> None:
        async with condition:
            world.steps.reach("waiting")
            await condition.wait()
        await session.execute(text("SELECT 1"))  # second

    async with shared_session(world) as session:
        await together(outsider(), third(), insider())


@CORPUS.racy("unordered")
async def a_predicate_changed_from_outside(world: World) -> None:
    """`wait_for` finds its predicate true, but nobody told it so within the condition."""
    condition = asyncio.Condition()
    loaded: list[int] = []

    async def load() -> None:
        loaded.extend(await session.scalars(select(Note.id)))  # first

    async def use() -> None:
        while not loaded:  # noqa: ASYNC110  # the mistake
            await asyncio.sleep(0)
        async with condition:
            await condition.wait_for(lambda: bool(loaded))
        await session.rollback()  # second

    async with shared_session(world) as session:
        await together(load(), use())


@CORPUS.racy("overlap")
async def a_barrier_before_the_work(world: World) -> None:
    """A barrier lets both begin together, which is the opposite of taking turns."""
    barrier = asyncio.Barrier(2)
    hold = world.hold()

    async def slow() -> None:
        await barrier.wait()
        await session.execute(hold.statement)  # first

    async def quick() -> None:
        await barrier.wait()
        await hold.in_flight()
        world.steps.reach("begun")
        await session.flush()  # second

    async with shared_session(world) as session:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_barrier_that_one_gave_up_waiting_at(world: World) -> None:
    """Who is cancelled there lets nobody through: what it did before is ordered with nobody behind the barrier."""
    barrier = asyncio.Barrier(2)

    async def impatient() -> None:
        await session.execute(text("SELECT 1"))  # first
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await barrier.wait()
        world.steps.reach("gone")

    async def behind() -> None:
        await world.steps.until("gone")
        await barrier.wait()
        await session.execute(text("SELECT 2"))  # second

    async def beside_it() -> None:
        await world.steps.until("gone")
        await barrier.wait()

    async with shared_session(world) as session:
        await together(impatient(), behind(), beside_it())


@CORPUS.racy("unordered")
async def a_barrier_that_others_have_passed(world: World) -> None:
    """Two pairs meet at one barrier, one after the other; that orders the members of a pair, and not the pairs."""
    barrier = asyncio.Barrier(2)

    async def of_first_pair() -> None:
        await session.execute(text("SELECT 1"))  # first
        await barrier.wait()
        world.steps.reach("one passed")

    async def beside_it() -> None:
        await barrier.wait()
        world.steps.reach("both passed")

    async def of_second_pair() -> None:
        await meet_late()
        await session.execute(text("SELECT 2"))  # second

    async def meet_late() -> None:
        await world.steps.until("one passed")
        await world.steps.until("both passed")
        await barrier.wait()

    async with shared_session(world) as session:
        await together(of_first_pair(), beside_it(), of_second_pair(), meet_late())


@CORPUS.racy("unordered")
async def a_future_resolved_too_early(world: World) -> None:
    """The promise is kept before the session is let go."""
    promise: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def keep() -> None:
        promise.set_result("soon")
        await session.execute(text("SELECT 'kept'"))  # first
        world.steps.reach("done")

    async def trust() -> None:
        await promise
        await world.steps.until("done")
        await session.close()  # second

    async with shared_session(world) as session:
        await together(keep(), trust())


@CORPUS.racy("unordered")
async def a_stream_of_objects_too_early(world: World) -> None:
    """A stream carries the order to begin, not the word that it is done."""
    send, receive = anyio.create_memory_object_stream[str](1)

    async def one() -> None:
        async with send:
            await send.send("begin")
            await session.execute(text("SELECT 1"))  # first
            world.steps.reach("done")
            await world.steps.until("both done")

    async def other() -> None:
        async with receive:
            await receive.receive()
            await world.steps.until("done")
            await session.execute(text("SELECT 2"))  # second
            world.steps.reach("both done")

    async with shared_session(world) as session:
        await together(one(), other())


@CORPUS.racy("unordered")
async def an_unlucky_timeout(world: World) -> None:
    """The event never comes; after the timeout the session is taken all the same."""
    finished = asyncio.Event()

    async def forgetful() -> None:
        await session.execute(select(Note))  # first
        world.steps.reach("done")

    async def impatient() -> None:
        await world.steps.until("done")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(finished.wait(), 0.001)
        await session.execute(text("SELECT 1"))  # second

    async with shared_session(world) as session:
        await together(forgetful(), impatient())
