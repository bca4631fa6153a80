"""Threads that work on a synchronous session, one after the other."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

from anyio import to_thread
from sqlalchemy.orm import Session

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.threads import memory_engine
from tests.sanitizer.world import Author, World

CORPUS = Corpus()


def add(session: Session, name: str) -> None:
    """Add an author."""
    session.add(Author(name=name))
    session.flush()


@CORPUS.legal
async def thread_that_is_started(world: World) -> None:
    """A thread goes on with what its starter did, and its starter when it has ended."""
    with memory_engine() as engine, Session(engine) as session:
        add(session, "before")
        thread = threading.Thread(target=add, args=(session, "by the thread"))
        thread.start()
        thread.join()
        session.commit()


@CORPUS.legal
async def job_that_fails(world: World) -> None:
    """Its failure tells that it has ended."""

    def fail() -> None:
        add(session, "in vain")
        raise LookupError

    with memory_engine() as engine, Session(engine) as session, ThreadPoolExecutor(1) as executor:
        assert isinstance(executor.submit(fail).exception(), LookupError)
        session.rollback()


@CORPUS.legal
async def job_that_is_polled(world: World) -> None:
    """So does that it is done."""
    with memory_engine() as engine, Session(engine) as session, ThreadPoolExecutor(1) as executor:
        job = executor.submit(add, session, "by the thread")
        while not job.done():  # noqa: ASYNC110  # polling is the subject
            await asyncio.sleep(0)
        session.commit()


def started(target: Callable[[], None]) -> threading.Thread:
    """A thread that runs it."""
    thread = threading.Thread(target=target)
    thread.start()
    return thread


@CORPUS.legal
async def synchronous_session_from_a_queue(world: World) -> None:
    """A thread that was there before gets a session from a queue, after what was done with it."""

    def serve() -> None:
        add(orders.get(), "by the thread")

    orders: Queue[Session] = Queue()
    with memory_engine() as engine, Session(engine) as session:
        thread = started(serve)
        add(session, "before")
        orders.put(session)
        thread.join()
        session.commit()


@CORPUS.legal
async def queue_that_is_done(world: World) -> None:
    """Who joins a queue comes after those who said that they are done, although their threads live."""

    def serve() -> None:
        add(orders.get(), "by the thread")
        orders.task_done()
        orders.get()

    orders: Queue[Session] = Queue()
    with memory_engine() as engine, Session(engine) as session:
        thread = started(serve)
        orders.put(session)
        orders.join()
        session.commit()
        orders.put(session)
        thread.join()


@CORPUS.legal
async def event_of_a_thread(world: World) -> None:
    """Who waits for a thread's event goes on after what the thread did before."""

    def work() -> None:
        add(session, "by the thread")
        added.set()
        committed.wait()

    added, committed = threading.Event(), threading.Event()
    with memory_engine() as engine, Session(engine) as session:
        thread = started(work)
        added.wait()
        session.commit()
        committed.set()
        thread.join()


@CORPUS.legal
async def event_of_a_thread_that_is_polled(world: World) -> None:
    """So does who asks whether it is set."""

    def work() -> None:
        add(session, "by the thread")
        added.set()
        committed.wait()

    added, committed = threading.Event(), threading.Event()
    with memory_engine() as engine, Session(engine) as session:
        thread = started(work)
        while not added.is_set():  # noqa: ASYNC110  # polling is the subject
            await asyncio.sleep(0)
        session.commit()
        committed.set()
        thread.join()


@CORPUS.racy("unordered")
async def two_tasks_with_one_worker_thread(world: World) -> None:
    """That anyio gives both the same thread, one after the other, is luck."""

    async def one() -> None:
        await to_thread.run_sync(lambda: session.add(Author(name="one")))  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await to_thread.run_sync(session.flush)  # second

    with memory_engine() as engine, Session(engine) as session:
        await asyncio.gather(one(), other())
