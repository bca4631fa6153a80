"""An error of the sanitizer's own changes nothing for the program: it steps aside, and says so."""

import asyncio
import pkgutil
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn, cast

import anyio
import asyncpg
import psycopg
import pytest
from anyio import to_thread
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState

from harness.errors import SessionRaceError
from harness.evidence import SessionRace
from harness.sanitizer import Watch, watch_sessions
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.racy_programs.consequences import shared_session, together
from tests.sanitizer.world import Author, Note, World


class IntendedError(Exception):
    """What goes wrong in the sanitizer."""


def fail(*args: object, **kwargs: object) -> NoReturn:
    """Do it."""
    raise IntendedError


# -- a tour through everything that is hooked -------------------------------------------------------------------


async def through_the_loop(world: World) -> list[object]:
    """Callbacks, futures, tasks, groups."""
    loop = asyncio.get_running_loop()
    async with world.session() as session:
        told = loop.create_future()
        loop.call_soon(loop.call_later, 0, told.set_result, await count(session))
        results: list[object] = [await told]
        failed: asyncio.Future[None] = asyncio.Future()
        loop.call_soon_threadsafe(failed.set_exception, LookupError())
        results += await asyncio.gather(failed, count(session), return_exceptions=True)
        async with asyncio.TaskGroup() as group, asyncio.timeout(10):
            task = group.create_task(count(session))
            task.add_done_callback(lambda done: results.append(done.result()))
            await asyncio.wait([task])
        results.append(await asyncio.Task(count(session)))
        gathered = asyncio.gather(count(session))
        while not gathered.done():  # noqa: ASYNC110  # polling is part of the tour
            await asyncio.sleep(0)
        return [*map(str, results), gathered.result(), await asyncio.wait_for(count(session), 10)]


async def through_the_primitives(world: World) -> list[object]:
    """Locks, signals, queues."""
    lock, semaphore, signal = asyncio.Lock(), asyncio.Semaphore(1), asyncio.Semaphore(0)
    condition, barrier, done = asyncio.Condition(), asyncio.Barrier(2), asyncio.Event()
    queue: asyncio.Queue[int] = asyncio.Queue(1)

    async def first(session: AsyncSession) -> str:
        async with lock, semaphore:
            await write(session, "by the first")
        for number in range(3):
            await queue.put(number)
        await barrier.wait()
        async with condition:
            condition.notify_all()
        signal.release()
        await queue.join()
        done.set()
        return "first"

    async def second(session: AsyncSession) -> list[object]:
        got = []
        for _ in range(3):
            got.append(await queue.get())
            queue.task_done()
        async with condition:
            await asyncio.gather(barrier.wait(), condition.wait())
        await signal.acquire()
        await done.wait()
        async with lock, semaphore:
            return [got, done.is_set(), await count(session)]

    async with world.session() as session, asyncio.timeout(10):
        return [await asyncio.gather(first(session), second(session)), await count(session)]


async def through_threads(world: World) -> list[object]:
    """Executors, threads, and anyio's."""
    results: list[object] = []
    async with world.session() as session:
        await count(session)
        thread = threading.Thread(target=results.append, args=("by a thread",))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as executor:
            job, failing = executor.submit(int, "1"), executor.submit(int, "x")
            results += [job.result(), str(failing.exception()), job.done()]
        results.append(await asyncio.to_thread(int, "2"))
        results.append(await to_thread.run_sync(int, "3"))
        return [*results, await count(session)]


async def through_anyio(world: World) -> list[object]:
    """Its groups, locks, conditions and streams."""
    lock, semaphore, condition = anyio.Lock(), anyio.Semaphore(1), anyio.Condition()
    limiter, results = anyio.CapacityLimiter(1), list[object]()
    sender, receiver = anyio.create_memory_object_stream[int](0)

    async def first(session: AsyncSession) -> None:
        async with lock, semaphore, limiter:
            await write(session, "by the first")
        async with sender:
            await sender.send(1)

    async def second(session: AsyncSession) -> None:
        async with receiver:
            results.extend([number async for number in receiver])
        async with lock, semaphore, limiter, condition:
            condition.notify_all()
            results.append(await count(session))

    async with world.session() as session:
        async with anyio.create_task_group() as group:
            group.start_soon(first, session)
            group.start_soon(second, session)
        return [results, await count(session)]


async def through_sessions(world: World) -> list[object]:
    """Staging, loading, savepoints, the ends of transactions."""
    async with world.session() as session:
        author = await session.get_one(Author, 2)
        author.name = "changed"
        session.add(Note(body="new", author=author))
        await session.flush()
        async with session.begin_nested() as savepoint:
            await unit_without_an_end(session)
            await savepoint.rollback()
        numbers = [number async for number in await session.stream_scalars(text("SELECT id FROM notes"))]
        await session.commit()
        await session.refresh(author)
        await session.delete(await session.get_one(Note, 1))
        await session.rollback()
        return [len(numbers), await count(session), (await session.get_one(Author, 2)).name]


async def unit_without_an_end(session: AsyncSession) -> None:
    """Write something in more ways than one."""
    await session.execute(text("INSERT INTO notes (body) VALUES ('by a statement')"))
    await session.merge(Note(id=1, body="merged"))


async def through_connections(world: World) -> list[object]:
    """SQLAlchemy's, asyncpg's, psycopg's."""
    results: list[object] = []
    async with world.engine.connect() as connection, connection.begin():
        async with connection.begin_nested():
            await connection.exec_driver_sql("INSERT INTO notes (body) VALUES ('by the driver')")
        results.append(await connection.scalar(text("SELECT count(*) FROM notes")))
    async with asyncpg.create_pool(world.dsn, min_size=1, max_size=1) as pool:
        async with pool.acquire() as raw, raw.transaction():
            await raw.execute("INSERT INTO notes (body) VALUES ('raw')")
            results += [row["id"] async for row in raw.cursor("SELECT id FROM notes LIMIT 1")]
        results.append(await pool.fetchval("SELECT count(*) FROM notes"))
    async with await psycopg.AsyncConnection.connect(world.dsn) as other:
        cursor = await other.execute("SELECT count(*) FROM notes")
        results.append(await cursor.fetchone())
    return results


Stage = Callable[[World], Awaitable[list[object]]]
STAGES: tuple[Stage, ...] = (
    through_the_loop,
    through_the_primitives,
    through_threads,
    through_anyio,
    through_sessions,
    through_connections,
)


async def tour(world: World) -> list[object]:
    """All of it, with a session that another task has used before, so that there is something to compare."""
    async with world.session() as session:
        await asyncio.create_task(write(session, "before"))
        await session.commit()
        return [await stage(world) for stage in STAGES]


DEFECTS = (
    "clocks.Actor.mutexes",
    "clocks.Actor.take_part",
    "clocks.Clocks.acquire",
    "clocks.Clocks.hold",
    "clocks.Clocks.join",
    "clocks.Clocks.let_go",
    "clocks.Clocks.release",
    "clocks.Clocks.tick",
    "clocks._shorten",
    "hooks.accesses.new_shadow",
    "hooks.drivers.Drivers.shadow_of",
    "hooks.drivers.writes_rows",
    "hooks.futures.TaskActor",
    "hooks.futures.capture",
    "hooks.orm.new_shadow",
    "hooks.orm.writes_rows",
    "hooks.anyio_primitives.Mutex",
    "hooks.primitives._Arrivals",
    "hooks.queues._Traffic",
    "hooks.primitives._rebind",
    "hooks.primitives.used_by_a_database_library",
    "hooks.queues.used_by_a_database_library",
    "hooks.primitives.Mutex",
    "hooks.primitives.Mutex.acquired",
    "hooks.primitives.Mutex.released",
    "hooks.threads.ThreadActor",
    "hooks.threads.capture",
    "ownership.Shadow.begin",
    "ownership.Shadow.decide",
    "ownership.Shadow.end",
    "ownership.Shadow.end_alone",
    "ownership.Shadow.forget",
    "ownership.Shadow.wrote",
    "runtime.CallbackActor",
    "runtime.Runtime.actor_of",
    "runtime.Runtime.adopt",
    "runtime.Runtime.current",
    "runtime.Runtime.number",
    "runtime.capture",
    "runtime.completion",
    "runtime.registration",
)


@pytest.fixture(scope="module")
def unwatched() -> list[object]:
    """What the tour returns when nobody watches; empty until somebody asks."""
    return []


async def expected(make_world: MakeWorld, unwatched: list[object]) -> list[object]:
    """What the tour returns when nobody watches."""
    if not unwatched:
        async with make_world(warm=4) as world:
            unwatched += await tour(world)
    return unwatched


@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_defect_changes_nothing(
    defect: str, make_world: MakeWorld, unwatched: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's results are the same, `problems` has the error, and nothing is found afterwards."""
    owner, _, name = f"harness.sanitizer.{defect}".rpartition(".")
    results = await expected(make_world, unwatched)
    async with make_world(warm=4) as world:
        with watch_sessions() as watch:
            assert watch.problems == ()
            with monkeypatch.context() as patch:
                patch.setattr(pkgutil.resolve_name(owner), name, fail)
                async with asyncio.timeout(10):
                    assert await tour(world) == results
                await overlap(world)

    check_that_it_stepped_aside(watch)


def check_that_it_stepped_aside(watch: Watch) -> None:
    """It says why, once, and has found nothing since."""
    assert watch.findings == ()
    assert len(watch.problems) == 1
    assert watch.problems[0].startswith("the sanitizer failed in ")
    assert "IntendedError" in watch.problems[0]


def kinds(findings: tuple[SessionRace, ...]) -> list[str]:
    """Of each finding."""
    return [str(each.kind) for each in findings]


async def overlap(world: World) -> None:
    """A race."""
    async with shared_session(world) as session:
        await together(*(session.execute(text("SELECT 1")) for _ in range(2)))


async def test_without_a_defect(make_world: MakeWorld, unwatched: list[object]) -> None:
    """The tour is legal, and ends in the same results, watched or not; the race at its end is found."""
    results = await expected(make_world, unwatched)
    async with make_world(warm=4) as world:
        with watch_sessions() as watch:
            assert await tour(world) == results
            assert kinds(watch.findings) == []
            await overlap(world)

    assert kinds(watch.findings) == ["overlap"]
    assert watch.problems == ()


async def test_whoever_is_asked_on_whose_behalf_fails(make_world: MakeWorld, unwatched: list[object]) -> None:
    """Then it is as if the sanitizer had."""
    results = await expected(make_world, unwatched)
    async with make_world(warm=4) as world:
        with watch_sessions(attribute=fail) as watch:
            assert await tour(world) == results

    check_that_it_stepped_aside(watch)


@pytest.mark.parametrize("mode", ["collect", "raise"])
async def test_whoever_is_told_fails(mode: str, make_world: MakeWorld) -> None:
    """The finding is kept, and the watch goes on: what failed is not the sanitizer."""
    async with make_world() as world:
        with watch_sessions(mode, on_finding=fail) as watch:
            for _ in range(2):
                with suppress(SessionRaceError):
                    await overlap(world)

    assert kinds(watch.findings) == ["overlap"]
    assert watch.findings[0].count == 2
    assert watch.problems == ()
    assert watch.limits == ("1 finding was not told, because the application's handler failed",)


async def test_watches_that_begin_after_a_defect(make_world: MakeWorld) -> None:
    """One that begins while another is in trouble says so, too; when all have stopped, the next begins afresh."""
    async with make_world() as world:
        with watch_sessions(attribute=fail):
            await overlap(world)
            with watch_sessions() as second:
                assert len(second.problems) == 1
        with watch_sessions() as third:
            await overlap(world)

    assert len(second.problems) == 1
    assert third.problems == ()
    assert len(third.findings) == 1


# -- what is no error -------------------------------------------------------------------------------------------

Operation = Callable[[AsyncSession], Awaitable[None]]


async def add(session: AsyncSession) -> None:
    session.add(Note(body="interrupted"))


async def execute(session: AsyncSession) -> None:
    await session.execute(text("SELECT 1"))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError, SystemExit, GeneratorExit])
@pytest.mark.parametrize("operation", [add, execute])
async def test_an_interruption_of_the_sanitizer(
    operation: Operation, interruption: type[BaseException], make_world: MakeWorld
) -> None:
    """It is the program's: it passes, and nothing is wrong with the sanitizer."""
    is_due = False

    def interrupt() -> None:
        if is_due:
            raise interruption

    async with make_world() as world, world.session() as session:
        with watch_sessions(attribute=interrupt) as watch:
            await count(session)
            is_due = True
            with pytest.raises(interruption):
                await operation(session)
            is_due = False
            assert await count(session) == 20
            await asyncio.create_task(unit(session, "after it"))

    assert watch.findings == ()
    assert watch.problems == ()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError, LookupError])
async def test_an_interruption_of_an_operation(interruption: type[BaseException], make_world: MakeWorld) -> None:
    """It passes, and the operation has ended."""
    async with make_world() as world, world.session() as session:

        def interrupt(state: ORMExecuteState) -> None:
            event.remove(session.sync_session, "do_orm_execute", interrupt)
            raise interruption

        with watch_sessions() as watch:
            event.listen(session.sync_session, "do_orm_execute", interrupt)
            with pytest.raises(interruption):
                await count(session)
            await asyncio.create_task(unit(session, "after it"))
            assert await count(session) == 21

    assert watch.findings == ()
    assert watch.problems == ()


async def test_a_cancelled_operation(make_world: MakeWorld) -> None:
    """Cancelled in flight, in each of the drivers, it has ended when its task has."""
    async with make_world() as world, world.session() as session:
        hold = world.hold()
        raw = await asyncpg.connect(world.dsn)
        with watch_sessions() as watch:
            for slow in (session.execute(hold.statement), raw.execute(hold.sql)):
                task = asyncio.create_task(cast("Coroutine[Any, Any, object]", slow))
                await hold.in_flight()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await session.rollback()
            assert await count(session) == 20
            assert await raw.fetchval("SELECT 1") == 1
        await raw.close()

    assert watch.findings == ()
    assert watch.problems == ()
