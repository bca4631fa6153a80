"""Threads that work on a synchronous session, one after the other."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

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
