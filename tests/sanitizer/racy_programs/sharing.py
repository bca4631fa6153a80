"""How a session comes into two tasks: by what is global, inherited, bound, cached or handed round."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from typing import ClassVar

from sqlalchemy import TextClause, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import consequences, nothing_lost, release, shared_session, together
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()

GLOBALS: dict[str, AsyncSession] = {}
SESSION: ContextVar[AsyncSession] = ContextVar("SESSION")
REQUEST: ContextVar[str] = ContextVar("REQUEST")


async def count_notes() -> None:
    await GLOBALS["session"].scalar(select(func.count(Note.id)))


async def list_authors() -> None:
    await GLOBALS["session"].execute(select(Author))


@CORPUS.racy("unordered", lines=frozenset({last_line(count_notes), last_line(list_authors)}))
async def a_global_session(world: World) -> None:
    """Two functions of a module use the module's session."""

    async def one() -> None:
        await count_notes()
        world.steps.reach("counted")

    async def other() -> None:
        await world.steps.until("counted")
        await list_authors()

    async with shared_session(world) as session:
        GLOBALS["session"] = session
        try:
            await together(one(), other())
        finally:
            del GLOBALS["session"]


class Model:
    """An active record: the class has the session of all of them."""

    session: ClassVar[AsyncSession]

    @classmethod
    async def find(cls, number: int) -> Note | None:
        """The note of that number."""
        return await cls.session.get(Note, number)

    @classmethod
    async def run(cls, statement: TextClause) -> None:
        """Run a statement."""
        await cls.session.execute(statement)


@CORPUS.racy("overlap", lines=frozenset({last_line(Model.find.__func__), last_line(Model.run.__func__)}))  # type: ignore[attr-defined]  # they are methods
async def a_session_of_a_class(world: World) -> None:
    """A class attribute is a global variable."""
    hold = world.hold()

    async def finder() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await Model.find(9)

    async with shared_session(world) as session:
        Model.session = session
        try:
            await together(Model.run(hold.statement), finder(), release(world, hold))
        finally:
            del Model.session


@CORPUS.racy("overlap")
async def a_session_inherited_by_context(world: World) -> None:
    """Children copy their creator's context, and with it the session."""
    hold = world.hold()

    async def query(sql: str) -> None:
        if sql != hold.sql:
            await hold.in_flight()
            world.steps.reach("begun")
        await SESSION.get().execute(text(sql))  # both

    async with shared_session(world) as session:
        token = SESSION.set(session)
        await together(query(hold.sql), query("SELECT 1"), release(world, hold))
        SESSION.reset(token)


@CORPUS.racy("unordered")
async def a_scoped_session_of_a_request(world: World) -> None:
    """The scope is the request, and the request's tasks inherit it."""
    scoped = async_scoped_session(async_sessionmaker(world.engine), scopefunc=REQUEST.get)

    async def load() -> None:
        await scoped.execute(select(Note))  # first
        world.steps.reach("loaded")

    async def touch() -> None:
        await world.steps.until("loaded")
        await scoped.rollback()  # second

    async def request() -> None:
        REQUEST.set("request 1")
        async with asyncio.TaskGroup() as group:
            group.create_task(load())
            group.create_task(touch())
        await scoped.remove()

    await together(request())


@CORPUS.racy("overlap")
async def a_scoped_session_executes_twice_at_once(world: World) -> None:
    """The same scope, and both at once."""
    scoped = async_scoped_session(async_sessionmaker(world.engine), scopefunc=REQUEST.get)
    hold = world.hold()

    async def slow() -> None:
        await scoped.execute(hold.statement)  # first

    async def quick() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await scoped.scalars(select(Author))  # second

    async def request() -> None:
        REQUEST.set("request 2")
        await asyncio.gather(slow(), quick(), release(world, hold))
        await scoped.remove()

    await together(request())


@CORPUS.racy("overlap")
async def a_bound_method_with_its_arguments(world: World) -> None:
    """`partial` carries the session to where it is not seen any more."""
    hold = world.hold()

    async with shared_session(world) as session:
        slow, quick = partial(session.execute, hold.statement), partial(session.execute, text("SELECT 1"))

        async def first() -> None:
            await slow()  # first

        async def second() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await quick()  # second

        await together(first(), second(), release(world, hold))


@CORPUS.racy("unordered")
async def a_cached_factory(world: World) -> None:
    """Whoever asks gets the same session, since the factory is cached."""

    @cache
    def get_session() -> AsyncSession:
        return world.session()

    async def one() -> None:
        await get_session().execute(select(Note))  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        get_session().add(Note(body="other"))  # second

    await together(one(), other())
    await get_session().close()


@CORPUS.racy("overlap")
async def services_of_one_unit_of_work(world: World) -> None:
    """Each service is given the session of the unit of work, and they are gathered."""
    hold = world.hold()

    @dataclass
    class Reports:
        session: AsyncSession

        async def build(self) -> None:
            await self.session.execute(hold.statement)  # first

    @dataclass
    class Notes:
        session: AsyncSession

        async def newest(self) -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await self.session.scalars(select(Note).order_by(Note.id.desc()).limit(1))  # second

    async with shared_session(world) as session:
        await together(Reports(session).build(), Notes(session).newest(), release(world, hold))


@CORPUS.racy("unordered")
async def a_loaded_object_handed_round(world: World) -> None:
    """Nobody passes the session on, but the objects do."""

    async def rename(author: Author) -> None:
        author.name = "Ada L."  # first
        world.steps.reach("renamed")

    async def count(author: Author) -> None:
        await world.steps.until("renamed")
        len(await author.awaitable_attrs.notes)  # second

    async with shared_session(world) as session:
        ada = await session.get_one(Author, 1)
        await together(rename(ada), count(ada))


@CORPUS.racy("overlap")
async def a_background_task_of_a_request(world: World) -> None:
    """The response is on its way, and the audit still uses the request's session when that is closed."""
    hold = world.hold()
    background: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def request_session() -> AsyncIterator[AsyncSession]:
        session = world.session()
        try:
            yield session
        finally:
            world.steps.reach("begun")
            with consequences():
                await session.close()  # second

    async def audit(session: AsyncSession) -> None:
        await session.execute(hold.statement)  # first

    async def handle() -> str:
        async with request_session() as session:
            background.append(asyncio.create_task(audit(session)))
            await hold.in_flight()
            return "200 OK"

    with nothing_lost(world.engine):
        await together(handle(), release(world, hold))
        await together(*background)


@CORPUS.racy("overlap")
async def a_block_that_its_task_outlives(world: World) -> None:
    """`async with AsyncSession(...)` closes it at the end of the block, whoever is still at it."""
    hold = world.hold()
    background: list[asyncio.Task[None]] = []

    async def audit(session: AsyncSession) -> None:
        await session.execute(hold.statement)  # first

    async def handle() -> None:
        async with AsyncSession(world.engine) as session:  # second
            background.append(asyncio.create_task(audit(session)))
            await hold.in_flight()
            world.steps.reach("begun")

    with nothing_lost(world.engine):
        await together(handle(), release(world, hold))
        await together(*background)


@CORPUS.racy("unordered")
async def a_session_of_the_process(world: World) -> None:
    """Two periodic jobs of one process, in turns, as the clock has it."""

    async def job(name: str, after: str) -> None:
        await world.steps.until(after)
        await jobs.execute(select(Note).where(Note.body == name))  # both
        world.steps.reach(name)

    world.steps.reach("noon")
    async with shared_session(world) as jobs:
        await together(job("report", "noon"), job("cleanup", "report"))
