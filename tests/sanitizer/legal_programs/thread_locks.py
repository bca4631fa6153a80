"""Threads that use one synchronous session, one at a time, because a lock of `threading` lets only one in."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

from pydantic_ai import Agent, RunContext
from pydantic_ai.models.test import TestModel
from sqlalchemy.orm import Session

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.threads import memory_engine
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

LOCK = threading.Lock()
SHOP = SimpleNamespace(state=SimpleNamespace(lock=threading.RLock()))


def add(session: Session) -> None:
    """Add a note."""
    session.add(Note(body="by a thread"))
    session.flush()


async def in_two_threads(work: Callable[[Session], None]) -> None:
    """The same work on one session, in two threads that nothing else orders."""
    with memory_engine() as engine, Session(engine) as session:
        await asyncio.gather(asyncio.to_thread(work, session), asyncio.to_thread(work, session))
        session.commit()


@CORPUS.legal
async def behind_a_lock_of_the_module(world: World) -> None:
    """The lock is a global variable."""

    def work(session: Session) -> None:
        with LOCK:
            add(session)

    await in_two_threads(work)


@CORPUS.legal
async def behind_a_lock_of_a_closure(world: World) -> None:
    """It is taken and let go by hand."""
    lock = threading.Lock()

    def work(session: Session) -> None:
        lock.acquire()
        try:
            add(session)
        finally:
            lock.release()

    await in_two_threads(work)


@CORPUS.legal
async def behind_a_reentrant_lock_of_an_object(world: World) -> None:
    """It is an attribute of an attribute, and taken twice."""

    def work(session: Session) -> None:
        with SHOP.state.lock, SHOP.state.lock:
            add(session)

    await in_two_threads(work)


@CORPUS.legal
async def behind_a_condition(world: World) -> None:
    """A condition is a lock, too."""
    condition = threading.Condition()

    def work(session: Session) -> None:
        with condition:
            add(session)

    await in_two_threads(work)


@CORPUS.legal
async def behind_a_semaphore_of_one_place(world: World) -> None:
    """So is a semaphore that lets one in."""
    place = threading.BoundedSemaphore(1)

    def work(session: Session) -> None:
        with place:
            add(session)

    await in_two_threads(work)


@dataclass
class Desk:
    """A session with the lock that guards it."""

    session: Session
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self) -> None:
        """Add a note, alone."""
        with self.lock:
            self._add()

    def _add(self) -> None:
        add(self.session)


@CORPUS.legal
async def behind_the_lock_of_the_deps(world: World) -> None:
    """Synchronous tools, which Pydantic AI runs in threads at once."""
    agent = Agent(TestModel(), deps_type=Desk)

    @agent.tool
    def first(context: RunContext[Desk]) -> str:
        context.deps.add()
        return "added"

    @agent.tool
    def second(context: RunContext[Desk]) -> str:
        context.deps.add()
        return "added"

    with memory_engine() as engine, Session(engine) as session:
        await agent.run("Remember", deps=Desk(session))
        session.commit()
