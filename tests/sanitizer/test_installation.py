"""The sanitizer comes and goes without a trace, whoever else is at work, and says where it cannot come."""

import asyncio
import concurrent.futures
import gc
import inspect
import itertools
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from types import ModuleType
from typing import Any

import asyncpg
import psycopg
import pytest
from asyncpg.cursor import BaseCursor
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.state import InstanceState
from wrapt import notify_module_loaded

from harness.errors import EnvironmentMissing, UsageError
from harness.sanitizer import Watch, installation, watch_sessions
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.legal_programs.work import settle, unit, write
from tests.sanitizer.racy_programs.consequences import shared_session, together
from tests.sanitizer.test_corpora import LEGAL, RACY, observe, shown
from tests.sanitizer.world import Note, World

PROGRAMS = {program.name: program for program in (*LEGAL, *RACY)}
LIBRARIES = tuple("anyio asyncio asyncpg concurrent psycopg psycopg_pool sqlalchemy threading uvloop".split())  # noqa: SIM905

Surface = dict[tuple[str, str], object]


def surface() -> Surface:
    """The functions and classes of the libraries' modules, and what hangs on the classes, by name."""
    found: Surface = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in LIBRARIES and isinstance(module, ModuleType):
            for attribute, value in list(vars(module).items()):
                found[name, attribute] = value
                if isinstance(value, type):
                    found |= {(f"{name}.{attribute}", each): held for each, held in list(vars(value).items())}
    return {
        (owner, name): value
        for (owner, name), value in found.items()
        if (callable(value) or hasattr(value, "__get__")) and not name.startswith("_generated_")  # SQLAlchemy's caches
    }


def changes(before: Surface, after: Surface) -> list[str]:
    """What is not the same object any more."""
    missing = object()
    return sorted(
        ".".join(key) for key in before.keys() | after.keys() if before.get(key, missing) is not after.get(key, missing)
    )


@pytest.fixture(autouse=True)
def _watched_before() -> None:
    """The libraries are loaded, and the self-test of the first watch is through."""
    with watch_sessions():
        pass


@pytest.fixture
def untouched() -> Iterator[None]:
    """At the end, every class is what it was at the beginning."""
    before = surface()
    yield
    assert changes(before, surface()) == []


# -- coming and going -------------------------------------------------------------------------------------------


def test_what_is_replaced_comes_back(untouched: None) -> None:
    """A hundred times, and while it lasts much is replaced."""
    before = surface()

    for _ in range(100):
        with watch_sessions():
            pass
    with watch_sessions():
        replaced = changes(before, surface())

    assert {"asyncio.Future", "sqlalchemy.orm.session.Session.execute", "threading.Thread.start"} <= set(replaced)


def test_nothing_grows() -> None:
    """However often a watch begins and ends."""

    def count() -> int:
        for _ in range(50):
            with watch_sessions():
                pass
        gc.collect()
        return len(gc.get_objects())

    count()
    first = count()
    second = count()

    assert second - first < 50


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
async def test_watches_stop_in_any_order(order: tuple[int, ...], make_world: MakeWorld, untouched: None) -> None:
    """Each has what was found while it watched, and the last one removes everything."""
    watches = [watch_sessions() for _ in order]
    async with make_world() as world:
        for watch in watches:
            watch.start()
        for stopping in order:
            await overlap(world)
            watches[stopping].stop()
            watches[stopping].stop()

    assert [watches[number].findings[0].count for number in order] == [1, 2, 3]


async def overlap(world: World) -> None:
    """A race, always at the same two places."""
    async with shared_session(world) as session:
        await together(*(session.execute(text("SELECT 1")) for _ in range(2)))


def test_a_watch_starts_once() -> None:
    """It can start again when it has stopped, and stop when it has not started."""
    watch = watch_sessions()
    watch.stop()

    with watch, pytest.raises(UsageError, match="started already"):
        watch.start()
    watch.stop()
    with watch:
        pass


def test_there_is_no_other_mode() -> None:
    """The modes are in the text."""
    with pytest.raises(UsageError, match=r"'loud'.* raise, warn, collect, log"):
        watch_sessions("loud")


def test_a_thread_without_a_loop(untouched: None) -> None:
    """It can start and stop a watch, and what it does with a synchronous session is no race."""

    def run() -> None:
        with watch_sessions() as watch:
            session = Session()
            session.add(Note(body="by a thread"))
            session.close()
        watches.append(watch)

    watches: list[Watch] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert [(watch.findings, watch.problems) for watch in watches] == [((), ())]


async def test_a_watch_that_another_thread_stops(make_world: MakeWorld, untouched: None) -> None:
    """In the middle of an operation, whose end is nothing special any more."""
    async with make_world() as world, world.session() as session:
        hold = world.hold()
        watch = watch_sessions().start()
        slow = asyncio.create_task(session.execute(hold.statement))
        await hold.in_flight()
        await asyncio.to_thread(watch.stop)
        hold.release()
        await slow
        await session.commit()

    assert (watch.findings, watch.problems) == ((), ())


# -- what was there before --------------------------------------------------------------------------------------


async def test_sessions_and_primitives_made_before(make_world: MakeWorld) -> None:
    """A legal program is met with silence."""
    async with make_world() as world, world.session() as session:
        lock, semaphore, condition = asyncio.Lock(), asyncio.Semaphore(1), asyncio.Condition()
        done, orders = asyncio.Event(), asyncio.Queue[AsyncSession]()
        note = await session.get_one(Note, 1)

        async def guarded(number: int) -> None:
            async with (lock, semaphore, condition)[number % 3]:
                pass
            async with lock, semaphore, condition:
                await unit(session, f"by task {number}")

        async def consume() -> None:
            await write(await orders.get(), "ordered")
            done.set()

        consumer = asyncio.create_task(consume())
        await settle()
        with watch_sessions() as watch:
            await asyncio.gather(*map(guarded, range(4)))
            note.body = "changed"
            orders.put_nowait(session)
            await done.wait()
            await session.commit()
            await consumer

    assert shown(watch.findings) == []
    assert watch.problems == ()


async def test_a_race_on_what_was_made_before(make_world: MakeWorld) -> None:
    """It is found, also by tasks that are older than the watch."""

    async def use() -> None:
        await go.wait()
        await session.execute(text("SELECT 1"))

    go = asyncio.Event()
    async with make_world() as world, shared_session(world) as session:
        await session.execute(text("SELECT 1"))
        users = [asyncio.create_task(use()) for _ in range(2)]
        await settle()
        with watch_sessions() as watch:
            go.set()
            await together(*users)

    assert [str(each.kind) for each in watch.findings] == ["overlap"]


async def test_a_lock_taken_before_and_given_back_after(make_world: MakeWorld) -> None:
    """Whoever waits for it is not accused, nor is anybody else."""
    lock = asyncio.Lock()
    async with make_world() as world, world.session() as session:
        await lock.acquire()
        with watch_sessions() as watch:
            waiting = asyncio.create_task(_behind(lock, session))
            await settle()
            await session.execute(text("SELECT 1"))
            lock.release()
            await waiting
            async with lock:
                held = True
        assert held
        async with lock:
            await session.commit()

    assert shown(watch.findings) == []


async def _behind(lock: asyncio.Lock, session: AsyncSession) -> None:
    async with lock:
        await asyncio.sleep(0)


async def test_futures_and_tasks_outlive_the_watch(make_world: MakeWorld) -> None:
    """They are as good as any when nobody watches any more, and in the next watch."""
    loop = asyncio.get_running_loop()
    with watch_sessions():
        future, task = loop.create_future(), asyncio.create_task(asyncio.sleep(0, "slept"))
        gathered = asyncio.gather(task, future)
        queue: asyncio.Queue[int] = asyncio.Queue()
        queue.put_nowait(1)
    future.set_result("set")
    assert list(await gathered) == ["slept", "set"]
    assert queue.get_nowait() == 1
    with watch_sessions() as watch:
        assert [await future, await task, *await gathered] == ["set", "slept", "slept", "set"]

    assert watch.problems == ()


# -- other tools ------------------------------------------------------------------------------------------------


@pytest.fixture
def another_tool() -> Iterator[Callable[[type, str], list[str]]]:
    """A tool that wraps methods, keeps a list of its calls, and does not go away before the end."""
    wrapped: list[tuple[type, str, Any]] = []

    def wrap(owner: type, name: str) -> list[str]:
        original, calls = getattr(owner, name), list[str]()

        @wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        wrapped.append((owner, name, before.get((owner, name), original)))
        setattr(owner, name, method)
        return calls

    before: dict[tuple[type, str], Any] = {
        (owner, name): vars(owner)[name] for owner in (Session, Connection, asyncio.Lock) for name in vars(owner)
    }
    yield wrap
    for owner, name, original in wrapped:
        setattr(owner, name, original)


@pytest.mark.parametrize(("owner", "name"), [(Session, "execute"), (Connection, "execute"), (asyncio.Lock, "release")])
async def test_another_tool_stays(
    owner: type, name: str, make_world: MakeWorld, another_tool: Callable[[type, str], list[str]]
) -> None:
    """Whoever wraps what the sanitizer has wrapped stays when it goes, and the sanitizer does as well as before."""
    calls: list[str] = []
    async with make_world() as world:
        with watch_sessions() as first:
            calls = another_tool(owner, name)
            others = getattr(owner, name)
        await use_once(world)
        assert calls
        assert getattr(owner, name) is others
        with watch_sessions() as second:
            await use_once(world)
        assert getattr(owner, name) is others
    for legal, racy in (("lock_by_acquire_and_release_contended", "execute_during_execute"),):
        assert shown(await observe(PROGRAMS[legal], make_world)) == []
        assert {str(each.kind) for each in await observe(PROGRAMS[racy], make_world)} == {"overlap"}

    assert [watch.findings for watch in (first, second)] == [(), ()]


async def use_once(world: World) -> None:
    async with asyncio.Lock(), world.session() as session:
        await session.execute(text("SELECT 1"))


# -- life and death of sessions ---------------------------------------------------------------------------------


async def test_a_session_that_is_given_up(make_world: MakeWorld) -> None:
    """Nothing of the sanitizer keeps it alive, neither when it was used, nor when it was in a race."""
    async with make_world() as world:
        with watch_sessions() as watch:
            async with world.session() as session:
                await write(session, "written")
                await session.commit()
            await overlap(world)
            async with shared_session(world) as raced:
                await together(raced.execute(text("SELECT 1")), raced.execute(text("SELECT 2")))
            known = [weakref.ref(session.sync_session), weakref.ref(raced.sync_session)]
            del session, raced
            gc.collect()
            left = [session() for session in known]

    assert left == [None, None]
    assert watch.problems == ()


async def test_a_session_collected_with_unfinished_work(make_world: MakeWorld) -> None:
    """Its transaction is open, and nobody ever ends it."""
    async with make_world() as world:
        with watch_sessions() as watch:
            session = world.session()
            session.add(Note(body="staged"))
            changed = await session.get_one(Note, 1)
            changed.body = "changed"
            await session.invalidate()
            session.add(changed)
            known = weakref.ref(session.sync_session)
            del session
            gc.collect()
            assert known() is None
            changed.body = "changed again"

    assert watch.findings == ()
    assert watch.problems == ()


async def test_a_session_given_up_in_the_middle_of_a_statement(make_world: MakeWorld) -> None:
    """The task that uses it is the last that knows it, and is cancelled."""
    async with make_world() as world:
        hold = world.hold()
        session = world.session()
        with watch_sessions() as watch:
            slow = asyncio.create_task(session.execute(hold.statement))
            await hold.in_flight()
            del session
            gc.collect()
            slow.cancel()
            with suppress(asyncio.CancelledError):
                await slow
            del slow
            gc.collect()
            await use_once(world)

    assert watch.findings == ()
    assert watch.problems == ()


# -- where it cannot watch --------------------------------------------------------------------------------------


async def test_a_driver_that_is_not_known(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """`limits` names it, and sessions and connections are watched all the same."""
    monkeypatch.setitem(sys.modules, "aiosqlite", ModuleType("aiosqlite"))
    async with make_world() as world:
        with watch_sessions() as watch:
            assert [each for each in watch.limits if "aiosqlite" in each] != []
            await overlap(world)

    assert [str(each.kind) for each in watch.findings] == ["overlap"]
    assert "the driver aiosqlite is not watched itself" in "\n".join(watch.limits)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (InstanceState, "_modified_event"),
        (asyncio.TaskGroup, "_on_task_done"),
        (asyncio.Lock, "_wake_up_first"),
        (BaseCursor, "_bind_exec"),
        (Connection, "_commit_impl"),
        (psycopg.AsyncConnection, "wait"),
    ],
)
def test_a_name_that_is_missing(owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is watched, and the error says which name it is."""
    with monkeypatch.context() as patch:
        patch.delattr(owner, name)
        before = surface()
        with pytest.raises(EnvironmentMissing, match=rf"'{name}'"):
            watch_sessions().start()

        assert changes(before, surface()) == []
    with watch_sessions() as watch:
        pass
    assert watch.problems == ()


def test_another_pydantic_ai_that_is_loaded_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without the function that knows the tool breaks neither its import nor the watch; it is a limit of it."""
    module = ModuleType("pydantic_ai.toolsets.function")
    monkeypatch.setattr(installation._installed, "awaits_agents", False)
    monkeypatch.delitem(sys.modules, module.__name__, raising=False)
    with watch_sessions() as watch:
        before = watch.limits
        monkeypatch.setitem(sys.modules, module.__name__, module)
        notify_module_loaded(module)
        after = watch.limits

    assert before == ()
    assert [limit.partition(":")[0] for limit in after] == ["findings do not name the tool that is called"]
    assert "has no attribute 'FunctionToolset'" in after[0]


# -- what the program sees --------------------------------------------------------------------------------------


async def test_futures_and_tasks_are_asyncio_s() -> None:
    """By class, by name, and by what they print; also those that were made before, or by C."""
    plain, coroutine = asyncio.get_running_loop().create_future(), asyncio.sleep(0)
    before = repr(plain)
    with watch_sessions():
        loop = asyncio.get_running_loop()
        tracked, task = loop.create_future(), loop.create_task(coroutine, name="sleeper")
        gathered = asyncio.gather(asyncio.sleep(0))
        for each in (plain, tracked, asyncio.Future(), task, gathered):
            assert isinstance(each, asyncio.Future)
            assert asyncio.isfuture(each)
            assert issubclass(type(each), asyncio.Future)
        assert not isinstance(object(), asyncio.Future)
        assert isinstance(task, asyncio.Task)
        assert not isinstance(tracked, asyncio.Task)
        assert task.get_name() == "sleeper"
        assert repr(tracked) == before
        assert repr(task).startswith("<Task pending name='sleeper' coro=<sleep() ")
        assert [type(each).__name__ for each in (tracked, task)] == ["Future", "Task"]
        assert asyncio.ensure_future(tracked) is tracked
        assert asyncio.all_tasks() == {task, asyncio.current_task()} | set(gathered._children)  # type: ignore[attr-defined]  # asyncio's own
        await task
        await gathered
        assert asyncio.wrap_future(concurrent.futures.Future[int](), loop=loop).cancel()


async def test_a_subclass_of_a_future_is_a_subclass() -> None:
    """Also one that is made while the name stands for another class."""
    with watch_sessions():

        class Promise(asyncio.Future[int]):
            """A future of the application's own."""

        promise = Promise()
        assert not isinstance(asyncio.get_running_loop().create_future(), Promise)
    assert isinstance(promise, asyncio.Future)
    promise.set_result(1)

    assert await promise == 1


async def test_a_future_with_an_abstract_base_class() -> None:
    """It can be made while somebody watches, and is what both bases say."""
    with watch_sessions():

        class Answer(ABC):
            """Something abstract."""

            @abstractmethod
            def text(self) -> str:
                """What it says."""

        class Promise(asyncio.Future[int], Answer):
            """A future of the application's own."""

            def text(self) -> str:
                return "soon"

        promise = Promise()

    assert isinstance(promise, asyncio.Future)
    assert isinstance(promise, Answer)
    assert promise.text() == "soon"


def test_a_session_between_two_runs_of_its_loop() -> None:
    """In the loop's own thread it is at home, also while the loop does not run."""
    with watch_sessions() as watch, asyncio.Runner() as runner:
        session = AsyncSession()
        runner.run(session.flush())
        session.expire_all()
        runner.run(session.close())

    assert watch.findings == ()


async def test_a_callback_that_asyncio_refuses(make_world: MakeWorld) -> None:
    """In debug mode, also after something was accessed."""
    loop = asyncio.get_running_loop()
    async with make_world() as world, world.session() as session:
        with watch_sessions():
            await session.execute(text("SELECT 1"))
            loop.set_debug(True)
            try:
                with pytest.raises(TypeError, match="coroutines cannot be used"):
                    loop.call_soon(asyncio.sleep, 0)
            finally:
                loop.set_debug(False)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (asyncio.Condition, "wait"),
        (asyncio.Event, "wait"),
        (asyncio.Lock, "acquire"),
        (asyncio.Queue, "join"),
        (asyncio.TaskGroup, "__aexit__"),
        (asyncpg.Connection, "execute"),
        (asyncpg.transaction.Transaction, "commit"),
        (psycopg.AsyncConnection, "execute"),
    ],
)
def test_coroutine_functions_are_coroutine_functions(owner: type, name: str) -> None:
    """By what asyncio says of them, and from Python 3.12 on `inspect`, too; names and signatures are what they were."""
    function = getattr(owner, name)
    with watch_sessions():
        watched = getattr(owner, name)

        assert watched is not function
        assert asyncio.iscoroutinefunction(watched)
        assert inspect.iscoroutinefunction(watched) or sys.version_info < (3, 12)
        assert watched.__qualname__ == function.__qualname__
        assert inspect.signature(watched) == inspect.signature(function)


@pytest.mark.parametrize("name", ["execute_during_execute", "event_given_before", "gather_within_gather"])
def test_a_loop_in_debug_mode(name: str, make_world: MakeWorld) -> None:
    """The verdicts are the same."""
    program = PROGRAMS[name]

    findings = asyncio.run(observe(program, make_world), debug=True)

    assert {str(each.kind) for each in findings} == program.kinds


def test_where_a_task_was_created_in_debug_mode() -> None:
    """Tasks of a loop in debug mode know it; no frame of the sanitizer is in it."""

    async def main() -> list[tuple[str, str]]:
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        frames = task._source_traceback  # type: ignore[attr-defined]  # asyncio's own
        return [(frame.filename, frame.name) for frame in frames[-3:]]

    unwatched = asyncio.run(main(), debug=True)
    with watch_sessions():
        watched = asyncio.run(main(), debug=True)

    assert watched == unwatched
    assert (__file__, "main") in watched
