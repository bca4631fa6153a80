"""What looks like waiting for the other task, and is not: flags, naps, limits, and signals that say something else."""

import asyncio
from dataclasses import dataclass, field

import anyio
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


@CORPUS.racy("unordered")
async def a_flag_is_polled(world: World) -> None:
    """A plain variable tells that the other is done, and tells nobody else."""
    ready = False

    async def load() -> None:
        nonlocal ready
        await session.execute(select(Note))  # first
        ready = True

    async def count() -> None:
        while not ready:  # noqa: ASYNC110  # the mistake
            await asyncio.sleep(0.001)
        await session.scalar(text("SELECT count(*) FROM notes"))  # second

    async with shared_session(world) as session:
        await together(load(), count())


@CORPUS.racy("unordered")
async def a_nap_is_taken(world: World) -> None:
    """The other is given twenty milliseconds, which were enough this time."""

    async def load() -> None:
        await session.get(Note, 1)  # first
        world.steps.reach("loaded")

    async def save() -> None:
        await asyncio.sleep(0.02)
        await world.steps.until("loaded")
        await session.commit()  # second

    async with shared_session(world) as session:
        await together(load(), save())


@CORPUS.racy("unordered")
async def a_status_in_an_object_is_polled(world: World) -> None:
    """A status object goes round; each task looks at it between its own steps."""

    @dataclass
    class Status:
        finished: list[str] = field(default_factory=list)

    status = Status()

    async def rename() -> None:
        await session.execute(update(Author).values(name="Cleo").where(Author.id == 1))  # first
        status.finished.append("rename")

    async def read() -> None:
        while "rename" not in status.finished:  # noqa: ASYNC110  # the mistake
            await asyncio.sleep(0)
        await session.scalars(select(Author.name))  # second

    async with shared_session(world) as session:
        await together(rename(), read())


@CORPUS.racy("overlap")
async def a_semaphore_for_two(world: World) -> None:
    """A semaphore limits how many work at once, and two are too many."""
    limit = asyncio.Semaphore(2)
    hold = world.hold()

    async def slow() -> None:
        async with limit:
            await session.execute(hold.statement)  # first

    async def quick() -> None:
        async with limit:
            await hold.in_flight()
            world.steps.reach("begun")
            await session.execute(select(Note))  # second

    async with shared_session(world) as session:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_semaphore_for_two_in_a_row(world: World) -> None:
    """The same semaphore, when the first has left before the second comes."""
    limit = asyncio.Semaphore(2)

    async def one() -> None:
        async with limit:
            await session.execute(select(Note))  # first
        world.steps.reach("left")

    async def other() -> None:
        await world.steps.until("left")
        async with limit:
            await session.rollback()  # second

    async with shared_session(world) as session:
        await together(one(), other())


@CORPUS.racy("overlap")
async def a_bounded_semaphore_for_three(world: World) -> None:
    """A bounded semaphore is a limit, too."""
    limit = asyncio.BoundedSemaphore(3)
    hold = world.hold()

    async def slow() -> None:
        async with limit:
            await session.execute(hold.statement)  # first

    async def quick() -> None:
        await hold.in_flight()
        async with limit:
            world.steps.reach("begun")
            await session.get(Note, 5)  # second

    async with shared_session(world) as session:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_capacity_limiter(world: World) -> None:
    """A limiter lets forty through by default, here two."""
    limiter = anyio.CapacityLimiter(2)

    async def one() -> None:
        async with limiter:
            await session.execute(select(Author))  # first
            world.steps.reach("done")

    async def other() -> None:
        async with limiter:
            await world.steps.until("done")
            session.expire_all()  # second

    async with shared_session(world) as session:
        await together(one(), other())


@CORPUS.racy("overlap")
async def a_lock_for_each(world: World) -> None:
    """Each service has a lock of its own."""
    hold = world.hold()

    class Service:
        def __init__(self, session: AsyncSession) -> None:
            self._session = session
            self._lock = asyncio.Lock()

        async def slow(self) -> None:
            async with self._lock:
                await self._session.execute(hold.statement)  # first

        async def quick(self) -> None:
            await hold.in_flight()
            async with self._lock:
                world.steps.reach("begun")
                await self._session.execute(text("SELECT 1"))  # second

    async with shared_session(world) as session:
        await together(Service(session).slow(), Service(session).quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_lock_made_anew(world: World) -> None:
    """A lock that each call makes for itself."""

    async def use(name: str, after: str) -> None:
        await world.steps.until(after)
        async with asyncio.Lock():
            await session.scalar(select(Note.body).limit(1))  # both
        world.steps.reach(name)

    world.steps.reach("start")
    async with shared_session(world) as session:
        await together(use("one", "start"), use("two", "one"))


@CORPUS.racy("unordered")
async def a_lock_that_only_one_takes(world: World) -> None:
    """One takes the lock, the other knows nothing of it."""
    lock = asyncio.Lock()

    async def careful() -> None:
        async with lock:
            await session.execute(select(Note))  # first
        world.steps.reach("done")

    async def careless() -> None:
        await world.steps.until("done")
        await session.refresh(note)  # second

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        await together(careful(), careless())


@CORPUS.racy("overlap")
async def a_lock_for_the_look_up_only(world: World) -> None:
    """The lock guards the registry in which the session is, not the session."""
    lock = asyncio.Lock()
    hold = world.hold()
    registry: dict[str, AsyncSession] = {}

    async def current() -> AsyncSession:
        async with lock:
            return registry.setdefault("tenant", session)

    async def slow() -> None:
        found = await current()
        await found.execute(hold.statement)  # first

    async def quick() -> None:
        found = await current()
        await hold.in_flight()
        world.steps.reach("begun")
        await found.execute(text("SELECT 2"))  # second

    async with shared_session(world) as session:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_lock_given_back_too_early(world: World) -> None:
    """The statement is built under the lock, and sent after it."""
    lock = asyncio.Lock()

    async def one() -> None:
        async with lock:
            statement = select(Note).where(Note.id > 3)
        await session.execute(statement)  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        async with lock:
            await session.execute(text("SELECT 1"))  # second

    async with shared_session(world) as session:
        await together(one(), other())
