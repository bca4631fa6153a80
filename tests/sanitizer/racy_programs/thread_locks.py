"""Threads that use one synchronous session, and locks of `threading` that do not keep them apart."""

import asyncio
import threading
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.threads import memory_engine
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

LOCK, OTHER_LOCK = threading.Lock(), threading.Lock()


async def one_after_the_other(
    world: World, first: Callable[[Session], object], second: Callable[[Session], object]
) -> None:
    """Two jobs in threads on one session, in this order by luck."""

    async def lucky() -> None:
        await asyncio.to_thread(first, session)
        world.steps.reach("done")

    async def late() -> None:
        await world.steps.until("done")
        await asyncio.to_thread(second, session)

    with memory_engine() as engine, Session(engine) as session:
        await asyncio.gather(lucky(), late())


@CORPUS.racy("unordered")
async def threads_without_a_lock(world: World) -> None:
    """Nothing keeps them apart."""

    def add(session: Session) -> None:
        session.add(Note(body="by a thread"))  # first

    def read(session: Session) -> None:
        session.execute(text("SELECT 1"))  # second

    await one_after_the_other(world, add, read)


@CORPUS.racy("unordered")
async def threads_with_two_locks(world: World) -> None:
    """Each has a lock of its own."""

    def add(session: Session) -> None:
        with LOCK:
            session.add(Note(body="by a thread"))  # first

    def read(session: Session) -> None:
        with OTHER_LOCK:
            session.execute(text("SELECT 1"))  # second

    await one_after_the_other(world, add, read)


@CORPUS.racy("unordered")
async def thread_beside_the_lock(world: World) -> None:
    """One of them does without."""

    def add(session: Session) -> None:
        with LOCK:
            session.add(Note(body="by a thread"))  # first

    def read(session: Session) -> None:
        session.execute(text("SELECT 1"))  # second

    await one_after_the_other(world, add, read)


@CORPUS.racy("unordered")
async def thread_that_has_let_go(world: World) -> None:
    """The lock is let go before the session is used."""

    def add(session: Session) -> None:
        with LOCK:
            session.add(Note(body="by a thread"))  # first

    def read(session: Session) -> None:
        with LOCK:
            statement = text("SELECT 1")
        session.execute(statement)  # second

    await one_after_the_other(world, add, read)


@CORPUS.racy("unordered")
async def threads_with_two_places(world: World) -> None:
    """A semaphore of two places lets both in."""
    places = threading.BoundedSemaphore(2)

    def add(session: Session) -> None:
        with places:
            session.add(Note(body="by a thread"))  # first

    def read(session: Session) -> None:
        with places:
            session.execute(text("SELECT 1"))  # second

    await one_after_the_other(world, add, read)


@CORPUS.racy("overlap")
async def threads_that_overlap(world: World) -> None:
    """Two locks, and both are in the session at once."""
    entered, left = threading.Event(), threading.Event()

    class Slow(Session):
        """One whose flush lets the other begin."""

        def _flush(self, objects: object = None) -> None:
            entered.set()
            left.wait()

    def write(session: Session) -> None:
        session.flush()  # first

    def read(session: Session) -> None:
        entered.wait()
        session.expunge_all()  # second
        left.set()

    with memory_engine() as engine, Slow(engine) as session:
        session.add(Note(body="to flush"))
        await asyncio.gather(asyncio.to_thread(write, session), asyncio.to_thread(read, session))
