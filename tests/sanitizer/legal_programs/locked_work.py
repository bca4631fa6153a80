"""Locks as applications have them: held over children, nested, kept beside the session, around failures."""

import asyncio
from contextlib import suppress
from weakref import WeakKeyDictionary

from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import settle, unit, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


class Store:
    """A session with its lock: each method is a unit of work."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._lock = asyncio.Lock()

    async def save(self, body: str) -> int:
        """Write a note; returns its number."""
        async with self._lock, self._session.begin():
            note = Note(body=body)
            self._session.add(note)
            await self._session.flush()
            return note.id

    async def load(self, number: int) -> str | None:
        """The body of a note, if it is there."""
        async with self._lock, self._session.begin():
            note = await self._session.get(Note, number, populate_existing=True)
            return None if note is None else note.body


@CORPUS.legal
async def store_with_a_lock(world: World) -> None:
    """Methods that lock, begin and end their own transaction may be called by many tasks."""
    async with world.session() as session:
        store = Store(session)
        numbers = await asyncio.gather(*(store.save(f"note {number}") for number in range(5)))
        loaded = await asyncio.gather(*map(store.load, numbers), store.save("one more"))
        assert loaded[0] == "note 0"


@CORPUS.legal
async def lock_held_over_a_child(world: World) -> None:
    """A lock that a parent holds while it waits for its child keeps others away from the child, too."""

    async def parent() -> None:
        async with lock:
            await asyncio.create_task(session.execute(hold.statement))
            await asyncio.create_task(write(session, "by the child"))
            await session.commit()

    async def other() -> None:
        async with lock:
            await unit(session, "by the other")

    lock, hold = asyncio.Lock(), world.hold()
    async with world.session() as session, asyncio.TaskGroup() as group:
        group.create_task(parent())
        await hold.in_flight()
        group.create_task(other())
        await settle()
        hold.release()


@CORPUS.legal
async def lock_held_over_wait_for(world: World) -> None:
    """The same with `wait_for`, which may make a task of its own."""

    async def parent() -> None:
        async with lock:
            await asyncio.wait_for(session.execute(hold.statement), timeout=10)
            await asyncio.wait_for(unit(session, "in time"), timeout=10)

    async def other() -> None:
        async with lock:
            await asyncio.wait_for(unit(session, "by the other"), timeout=10)

    lock, hold = asyncio.Lock(), world.hold()
    async with world.session() as session, asyncio.TaskGroup() as group:
        group.create_task(parent())
        await hold.in_flight()
        group.create_task(other())
        await settle()
        hold.release()


@CORPUS.legal
async def lock_held_over_a_task_group(world: World) -> None:
    """And with a group of which one child uses the session."""

    async def parent(number: int) -> None:
        async with lock:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(session, f"by a child of {number}"))
                group.create_task(asyncio.sleep(0))
            await session.commit()

    lock = asyncio.Lock()
    async with world.session() as session:
        await asyncio.gather(*(parent(number) for number in range(3)))


@CORPUS.legal
async def lock_held_over_a_child_that_comes_second(world: World) -> None:
    """Nobody waits for the lock, and still it keeps the child of one apart from the other."""

    async def parent() -> None:
        await world.steps.until("other through")
        async with lock:
            await asyncio.create_task(unit(session, "by the child"))

    async def other() -> None:
        async with lock:
            await unit(session, "by the other")
        world.steps.reach("other through")

    lock = asyncio.Lock()
    async with world.session() as session:
        await asyncio.gather(parent(), other())


@CORPUS.legal
async def two_locks_nested(world: World) -> None:
    """Tasks that hold one lock or two have the one of the session in common."""

    async def both(body: str) -> None:
        async with cache_lock, session_lock:
            await unit(session, body)

    async def one(body: str) -> None:
        async with session_lock:
            await unit(session, body)

    async def inner_later(body: str) -> None:
        async with cache_lock:
            await asyncio.sleep(0)
            async with session_lock:
                await unit(session, body)

    cache_lock, session_lock = asyncio.Lock(), asyncio.Lock()
    async with world.session() as session:
        await asyncio.gather(both("a"), one("b"), inner_later("c"), both("d"), one("e"))


@CORPUS.legal
async def lock_shared_with_a_condition(world: World) -> None:
    """A condition that is made of a lock is the same mutex as that lock."""

    async def by_lock() -> None:
        async with lock:
            await unit(session, "by the lock")

    async def by_condition() -> None:
        async with changed:
            await unit(session, "by the condition")

    lock = asyncio.Lock()
    changed = asyncio.Condition(lock)
    async with world.session() as session:
        await asyncio.gather(by_lock(), by_condition(), by_lock())


@CORPUS.legal
async def lock_given_up_by_a_waiting_task(world: World) -> None:
    """A task that waits for a condition between its units does not hold its lock meanwhile, but has it in each."""
    produced = False

    async def consumer() -> None:
        async with changed:
            await unit(session, "before")
            await changed.wait_for(lambda: produced)
            await unit(session, "after")

    async def producer() -> None:
        nonlocal produced
        async with changed:
            await unit(session, "meanwhile")
            produced = True
            changed.notify()

    changed = asyncio.Condition()
    async with world.session() as session:
        await asyncio.gather(consumer(), producer())


@CORPUS.legal
async def lock_for_each_session(world: World) -> None:
    """Locks that are found by the session keep the tasks of each session apart."""

    async def work(session: AsyncSession, number: int) -> None:
        async with locks.setdefault(session, asyncio.Lock()):
            await unit(session, f"unit {number}")

    locks: WeakKeyDictionary[AsyncSession, asyncio.Lock] = WeakKeyDictionary()
    async with world.session() as one, world.session() as two:
        await asyncio.gather(*(work(session, number) for number in range(3) for session in (one, two)))


@CORPUS.legal
async def readers_behind_a_lock(world: World) -> None:
    """Tasks that only read need no transaction of their own if a lock keeps them apart."""

    async def read(number: int) -> str:
        async with lock:
            return (await session.scalars(select(Note.body).where(Note.id == number))).one()

    lock = asyncio.Lock()
    async with world.session() as session:
        assert await asyncio.gather(*map(read, range(1, 6))) == [f"note {number}" for number in range(1, 6)]


@CORPUS.legal
async def unit_that_fails_behind_a_lock(world: World) -> None:
    """A unit of work that fails rolls back before it gives up the lock, and the others never know."""

    async def work(number: int) -> None:
        async with lock:
            try:
                session.add(Note(body=f"unit {number}"))
                await session.flush()
                if number == 1:
                    await session.execute(text("SELECT no_such_column"))
                await session.commit()
            except ProgrammingError:
                await session.rollback()

    lock = asyncio.Lock()
    async with world.session() as session:
        await asyncio.gather(*map(work, range(3)))
        count = await session.scalar(select(func.count()).select_from(Note))
        assert count == 22


@CORPUS.legal
async def unit_that_is_cancelled_behind_a_lock(world: World) -> None:
    """A task that is cancelled in its unit of work rolls back before it gives up the lock."""

    async def slow() -> None:
        async with lock:
            try:
                await session.execute(hold.statement)
            except asyncio.CancelledError:
                await session.rollback()
                raise

    async def quick() -> None:
        async with lock:
            await unit(session, "by the next")

    lock, hold = asyncio.Lock(), world.hold()
    async with world.session() as session:
        first = asyncio.create_task(slow())
        await hold.in_flight()
        second = asyncio.create_task(quick())
        await settle()
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        await second


@CORPUS.legal
async def waiting_for_the_lock_is_cancelled(world: World) -> None:
    """A task that gives up waiting for the lock has not touched the session, and the next in line gets it."""

    async def work(body: str) -> None:
        async with lock:
            await unit(session, body)

    lock = asyncio.Lock()
    async with world.session() as session:
        async with lock:
            impatient, patient = asyncio.create_task(work("never")), asyncio.create_task(work("at last"))
            await settle()
            impatient.cancel()
            await unit(session, "first")
        await asyncio.wait([impatient, patient])
        assert impatient.cancelled()
