"""Callbacks of the loop that stage changes, or pass the word on."""

import asyncio
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


def stage(session: AsyncSession, body: str, staged: asyncio.Future[None]) -> None:
    """Add a note, and say so."""
    session.add(Note(body=body))
    staged.set_result(None)


@CORPUS.legal
async def call_soon_stages(world: World) -> None:
    """A callback that its scheduler waits for may add to the session."""
    async with world.session() as session:
        await count(session)
        staged: asyncio.Future[None] = asyncio.Future()
        asyncio.get_running_loop().call_soon(stage, session, "soon", staged)
        await staged
        await session.commit()
        assert await count(session) == 21


@CORPUS.legal
async def call_later_and_call_at_stage(world: World) -> None:
    """So may a callback that is scheduled for later."""
    loop = asyncio.get_running_loop()
    async with world.session() as session:
        await count(session)
        later, at = loop.create_future(), loop.create_future()
        loop.call_later(0.002, partial(stage, session, "later", later))
        loop.call_at(loop.time() + 0.001, stage, session, "at", at)
        await asyncio.gather(later, at)
        await session.commit()
        assert await count(session) == 22


@CORPUS.legal
async def done_callback_stages(world: World) -> None:
    """A child's callback that adds to the session is through when the event that it sets is seen."""

    def remember(child: asyncio.Task[int]) -> None:
        session.add(Note(body=f"{child.result()} notes"))
        staged.set()

    staged = asyncio.Event()
    async with world.session() as session:
        child = asyncio.create_task(count(session))
        child.add_done_callback(remember)
        await staged.wait()
        await session.commit()
        assert await count(session) == 21


@CORPUS.legal
async def done_callback_of_a_future_stages(world: World) -> None:
    """The callback of a future that was done before runs after what was done before it."""
    async with world.session() as session:
        await count(session)
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        result.set_result("a note")
        staged: asyncio.Future[None] = asyncio.Future()
        result.add_done_callback(lambda future: stage(session, future.result(), staged))
        await staged
        await session.commit()


@CORPUS.legal
async def callback_starts_the_next_task(world: World) -> None:
    """A task that a callback starts at the end of another goes on with its session."""

    def go_on(_: asyncio.Task[int]) -> None:
        followers.append(asyncio.ensure_future(count(session)))
        started.set()

    followers: list[asyncio.Task[int]] = []
    started = asyncio.Event()
    async with world.session() as session:
        asyncio.create_task(count(session)).add_done_callback(go_on)
        await started.wait()
        assert await followers.pop() == 20


@CORPUS.legal
async def timer_starts_a_task(world: World) -> None:
    """A task that a timer starts may use the session that its scheduler leaves alone until it has ended."""

    def start() -> None:
        task = asyncio.get_running_loop().create_task(count(session))
        task.add_done_callback(lambda ended: counted.set_result(ended.result()))

    counted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with world.session() as session:
        session.add(Note(body="before the timer"))
        asyncio.get_running_loop().call_later(0.001, start)
        assert await counted == 21
        await session.commit()


@CORPUS.legal
async def callback_after_callback(world: World) -> None:
    """A chain of callbacks passes the session from one to the next, and the last one tells the task."""
    loop = asyncio.get_running_loop()

    def step(number: int) -> None:
        session.add(Note(body=f"step {number}"))
        if number:
            loop.call_soon(step, number - 1)
        else:
            through.set_result(None)

    through: asyncio.Future[None] = loop.create_future()
    async with world.session() as session:
        await count(session)
        loop.call_soon(step, 3)
        await through
        await session.commit()
        assert await count(session) == 24


@CORPUS.legal
async def callback_that_is_cancelled(world: World) -> None:
    """A timer that is cancelled never touches the session."""
    async with world.session() as session:
        timer = asyncio.get_running_loop().call_later(60, session.add, Note(body="never"))
        assert await count(session) == 20
        timer.cancel()
        await session.commit()


@CORPUS.legal
async def callbacks_that_only_stage(world: World) -> None:
    """Two callbacks and the task itself may all add: nothing of it awaits."""
    loop = asyncio.get_running_loop()
    async with world.session() as session:
        first, second = loop.create_future(), loop.create_future()
        loop.call_soon(stage, session, "first", first)
        loop.call_soon(stage, session, "second", second)
        session.add(Note(body="third"))
        await asyncio.wait([first, second])
        assert await count(session) == 23
        await session.commit()


@CORPUS.legal
async def progress_by_callback(world: World) -> None:
    """A callback may look at a session, as long as it only looks."""

    def look() -> None:
        seen.append(session.in_transaction() and not session.new)

    seen: list[bool] = []
    hold = world.hold()
    async with world.session() as session:
        statement = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        asyncio.get_running_loop().call_soon(look)
        await asyncio.sleep(0)
        hold.release()
        await statement
        assert seen == [True]
