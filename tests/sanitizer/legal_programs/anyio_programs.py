"""AnyIO on asyncio: task groups, events, conditions, memory streams, cancel scopes, and limiters."""

from contextlib import suppress
from functools import partial

import anyio
from anyio.abc import TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, settle, unit, write
from tests.sanitizer.world import World

CORPUS = Corpus()


@CORPUS.legal
async def anyio_task_group(world: World) -> None:
    """The end of a task group is the end of its children, also of those that ended before its block."""

    async def write_early(session: AsyncSession) -> None:
        await write(session, "in another group")
        world.steps.reach("written")

    async with world.session() as session:
        async with anyio.create_task_group() as group:
            group.start_soon(write, session, "in the group")
        await write(session, "after the group")
        async with anyio.create_task_group() as group:
            group.start_soon(write_early, session)
            await world.steps.until("written")
            await settle()
        await session.commit()


@CORPUS.legal
async def anyio_start_tells_when_the_session_is_free(world: World) -> None:
    """`start` returns when the child says so; until then the session is the child's."""

    async def serve(session: AsyncSession, *, task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
        await write(session, "by the child")
        task_status.started("ready")
        await stop.wait()
        await write(session, "by the child again")

    stop = anyio.Event()
    async with world.session() as session:
        async with anyio.create_task_group() as group:
            assert await group.start(serve, session) == "ready"
            await write(session, "by the parent")
            stop.set()
        await session.commit()


@CORPUS.legal
async def anyio_start_opens_the_session(world: World) -> None:
    """A child may open a session, give it to its parent by `started`, and close it when the parent is through."""

    async def lend(*, task_status: TaskStatus[AsyncSession]) -> None:
        async with world.session() as session:
            await write(session, "by the child")
            task_status.started(session)
            await through.wait()

    through = anyio.Event()
    async with anyio.create_task_group() as group:
        session: AsyncSession = await group.start(lend)
        await write(session, "by the parent")
        await session.commit()
        through.set()


async def anyio_event(world: World, *, waited_for: bool) -> None:
    """An event orders, whether it is waited for, or set before."""

    async def first() -> None:
        if waited_for:
            await settle()
        await write(session, "first")
        done.set()
        world.steps.reach("set")
        await world.steps.until("committed")

    async def second() -> None:
        if not waited_for:
            await world.steps.until("set")
        await done.wait()
        await unit(session, "second")
        world.steps.reach("committed")

    done = anyio.Event()
    async with world.session() as session, anyio.create_task_group() as group:
        group.start_soon(first)
        group.start_soon(second)


async def anyio_condition(world: World, *, waited_for: bool) -> None:
    """A condition orders the task that changed what it guards before the one that saw the change."""
    ready = False

    async def first() -> None:
        nonlocal ready
        if waited_for:
            await settle()
        await write(session, "first")
        async with changed:
            ready = True
            changed.notify_all()
        world.steps.reach("notified")
        await world.steps.until("committed")

    async def second() -> None:
        if not waited_for:
            await world.steps.until("notified")
        async with changed:
            while not ready:
                await changed.wait()
        await unit(session, "second")
        world.steps.reach("committed")

    changed = anyio.Condition()
    async with world.session() as session, anyio.create_task_group() as group:
        group.start_soon(first)
        group.start_soon(second)


async def anyio_stream(world: World, *, buffer: int, receiver_waits: bool) -> None:
    """A memory stream carries a session from the task that sent it to the one that received it."""

    async def send(stream: MemoryObjectSendStream[AsyncSession]) -> None:
        async with stream:
            if receiver_waits:
                await world.steps.until("receiving")
                await settle()
            session = world.session()
            await write(session, "by the sender")
            world.steps.reach("sending")
            await stream.send(session)
            await world.steps.until("closed")

    async def receive(stream: MemoryObjectReceiveStream[AsyncSession]) -> None:
        async with stream:
            if not receiver_waits:
                await world.steps.until("sending")
                await settle()
            world.steps.reach("receiving")
            session = await stream.receive()
            await unit(session, "by the receiver")
            await session.close()
            world.steps.reach("closed")

    sender, receiver = anyio.create_memory_object_stream[AsyncSession](buffer)
    async with anyio.create_task_group() as group:
        group.start_soon(send, sender)
        group.start_soon(receive, receiver)


@CORPUS.legal
async def anyio_stream_with_clones(world: World) -> None:
    """Of several workers at clones of one stream each session goes to one, and comes back by another stream."""

    async def work(
        orders: MemoryObjectReceiveStream[AsyncSession], results: MemoryObjectSendStream[AsyncSession]
    ) -> None:
        async with orders, results:
            async for session in orders:
                await write(session, "by a worker")
                await results.send(session)

    orders_in, orders_out = anyio.create_memory_object_stream[AsyncSession](2)
    results_in, results_out = anyio.create_memory_object_stream[AsyncSession](0)
    async with anyio.create_task_group() as group, results_out:
        async with orders_out, results_in:
            for _ in range(3):
                group.start_soon(work, orders_out.clone(), results_in.clone())
        async with orders_in:
            for _ in range(4):
                await orders_in.send(world.session())
        async for session in results_out:
            await unit(session, "by the collector")
            await session.close()


@CORPUS.legal
async def anyio_full_stream_gives_the_turn_back(world: World) -> None:
    """A sender to a full stream goes on when the receiver has taken an item, and with what the receiver did before."""

    async def consume() -> None:
        async with receiver:
            await write(session, "before the first is taken")
            assert [await receiver.receive(), await receiver.receive()] == ["first", "second"]

    sender, receiver = anyio.create_memory_object_stream[str](1)
    async with world.session() as session, anyio.create_task_group() as group, sender:
        await sender.send("first")
        group.start_soon(consume)
        await sender.send("second")
        await unit(session, "after the first was taken")


@CORPUS.legal
async def anyio_move_on_after(world: World) -> None:
    """A scope that runs out cancels the statement, and the same task rolls back."""
    hold = world.hold()
    async with world.session() as session:
        with anyio.move_on_after(0.05) as scope:
            await session.execute(hold.statement)
        assert scope.cancelled_caught
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def anyio_fail_after(world: World) -> None:
    """A group below a time limit ends with its children, which the limit cancels."""
    hold = world.hold()
    async with world.session() as session:
        with suppress(TimeoutError):
            with anyio.fail_after(0.05):
                async with anyio.create_task_group() as group:
                    group.start_soon(session.execute, hold.statement)
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def anyio_cancelled_group(world: World) -> None:
    """A group that is cancelled ends with its child, which was in the middle of a statement."""
    hold = world.hold()
    async with world.session() as session:
        async with anyio.create_task_group() as group:
            group.start_soon(session.execute, hold.statement)
            await hold.in_flight()
            group.cancel_scope.cancel()
        await session.rollback()
        assert await count(session) == 20


@CORPUS.legal
async def anyio_shielded_clean_up(world: World) -> None:
    """A cancelled child commits below a shield, and then its parent goes on."""

    async def work(session: AsyncSession) -> None:
        try:
            await write(session, "kept")
            written.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await session.commit()

    written = anyio.Event()
    async with world.session() as session:
        async with anyio.create_task_group() as group:
            group.start_soon(work, session)
            await written.wait()
            group.cancel_scope.cancel()
        assert await count(session) == 21


@CORPUS.legal
async def anyio_limiter_around_sessions_of_their_own(world: World) -> None:
    """A capacity limiter orders nothing, and need not: each task has its session."""

    async def work(number: int) -> None:
        async with limiter, world.session() as session:
            await unit(session, f"by task {number}")

    limiter = anyio.CapacityLimiter(2)
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(work, number)
    async with world.session() as session:
        assert await count(session) == 26


for waits, label in ((True, "waited for"), (False, "given before")):
    CORPUS.add(f"anyio event {label}", partial(anyio_event, waited_for=waits))
    CORPUS.add(f"anyio condition {label}", partial(anyio_condition, waited_for=waits))
    CORPUS.add(f"anyio buffered stream {label}", partial(anyio_stream, buffer=1, receiver_waits=waits))
    CORPUS.add(f"anyio unbuffered stream {label}", partial(anyio_stream, buffer=0, receiver_waits=waits))
