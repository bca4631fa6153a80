"""Where a hook does not take hold, no watch begins: it says why, leaves nothing behind, and the program goes on."""

import asyncio
import importlib
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from itertools import chain
from types import CodeType, FunctionType, ModuleType
from typing import NoReturn

import asyncpg.transaction
import pytest
from asyncpg.cursor import BaseCursor
from sqlalchemy import Connection, NullPool, StaticPool, event, text
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.orm.state import InstanceState

from harness.errors import EnvironmentMissing
from harness.sanitizer import installation, self_test, watch_sessions
from harness.sanitizer.hooks.drivers import Drivers
from harness.sanitizer.hooks.loops import loop_factories
from harness.sanitizer.runtime import runtime
from harness.sanitizer.self_test import Probes, exercise, idle_names
from tests.sanitizer.world import Note

# -- versions of libraries that are not ---------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _untested(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries are loaded, and nothing has been tested in this process."""
    with watch_sessions():
        pass
    hooks()
    monkeypatch.setattr(installation, "_installed", installation._Installation())


@cache
def hooks() -> dict[tuple[str, str], object]:
    """Everything that is hooked: whose, and by what name."""
    probes, on_drivers = Probes(), Drivers()
    installation._instrument(probes, on_drivers)
    installation._undo(probes, on_drivers)
    return probes.owners


def installed() -> list[object]:
    """What stands in the places of the hooks, and who listens to a new pool."""
    return [vars(owner).get(name) for (_, name), owner in hooks().items()] + list(NullPool(dict).dispatch.checkin)  # type: ignore[arg-type]  # it never connects


def functions(module: ModuleType) -> Iterator[FunctionType]:
    """All functions, methods and properties of a module."""
    members = chain.from_iterable(
        vars(value).values() if isinstance(value, type) else (value,) for value in vars(module).values()
    )
    for member in list(members):
        for outer in (member, getattr(member, "fget", None), getattr(member, "__func__", None)):
            function = outer
            while function is not None:
                if isinstance(function, FunctionType):
                    yield function
                function = getattr(function, "__wrapped__", None)


def renamed(code: CodeType, name: str, new: str) -> CodeType:
    """The code, with another name for what it looks up by that name, also in functions within."""
    constants = tuple(renamed(each, name, new) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_names=tuple(new if each == name else each for each in code.co_names), co_consts=constants)


def move(monkeypatch: pytest.MonkeyPatch, module: str, name: str, *owners: type) -> None:
    """Another version of a module: it calls something by another name, under which its classes have it, too."""
    for owner in owners:
        monkeypatch.setattr(owner, f"{name}_in_another_version", vars(owner)[name], raising=False)
    for function in functions(importlib.import_module(module)):
        code = renamed(function.__code__, name, f"{name}_in_another_version")
        if code != function.__code__:
            monkeypatch.setattr(function, "__code__", code)


def refused() -> str:
    """Why no watch can begin; nothing is left of the attempt."""
    before, threads, watch = installed(), threading.enumerate(), watch_sessions()
    try:
        with pytest.raises(EnvironmentMissing, match="the session sanitizer cannot watch here: ") as error:
            watch.start()
    finally:
        watch.stop()

    for thread in set(threading.enumerate()).difference(threads):
        thread.join(5)  # anyio's workers have been told to end, and do so in a moment

    assert all(one is other for one, other in zip(before, installed(), strict=True))
    assert (runtime.active, runtime.listeners, runtime.clocks.live) == (False, (), {})
    assert set(threading.enumerate()) <= set(threads)
    return str(error.value).removeprefix("the session sanitizer cannot watch here: ")


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [
        ("asyncio.locks", asyncio.Lock, "_wake_up_first"),
        ("asyncio.locks", asyncio.Semaphore, "_wake_up_next"),
        ("asyncio.queues", asyncio.Queue, "_wakeup_next"),
        ("asyncio.taskgroups", asyncio.TaskGroup, "_on_task_done"),
        ("sqlalchemy.orm.attributes", InstanceState, "_modified_event"),
        ("sqlalchemy.engine.base", Connection, "_commit_impl"),
        ("sqlalchemy.engine.base", Connection, "_rollback_to_savepoint_impl"),
        ("asyncpg.cursor", BaseCursor, "_bind_exec"),
        ("asyncpg.cursor", BaseCursor, "_exec"),
    ],
)
def test_a_hook_that_nothing_calls(module: str, owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The private name is still there, and the library does not use it any more."""
    move(monkeypatch, module, name, owner)

    assert refused().startswith(f"nothing calls {owner.__module__}.{owner.__qualname__}.{name}. ")


def test_all_hooks_that_nothing_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says all of them."""
    move(monkeypatch, "asyncio.queues", "_wakeup_next", asyncio.Queue)
    move(monkeypatch, "asyncio.locks", "_wake_up_first", asyncio.Lock)

    assert refused().startswith("nothing calls asyncio.locks.Lock._wake_up_first, asyncio.queues.Queue._wakeup_next. ")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (asyncio.Semaphore, "_wake_up_next"),
        (Connection, "_rollback_impl"),
        (BaseCursor, "_bind"),
    ],
)
def test_a_name_that_is_missing_at_first(owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the test itself cannot begin."""
    monkeypatch.delattr(owner, name)

    assert f"has no attribute '{name}'. It was made for asyncio of Python 3.11" in refused()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("asyncio.locks", "_value"),
        ("asyncio.queues", "_maxsize"),
        ("asyncio.tasks", "_children"),
        ("sqlalchemy.orm.attributes", "session_id"),
    ],
)
def test_a_name_that_a_hook_needs_while_it_works(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library keeps by another name what the hook looks at."""
    for each in {module, "sqlalchemy.orm.state", "sqlalchemy.orm.session"} if "orm" in module else {module}:
        move(monkeypatch, each, name)

    assert "AttributeError" in refused()


def test_a_hook_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is caught, as it would be in a program, and is the reason."""
    move(monkeypatch, "asyncio.locks", "_lock")

    assert refused().startswith("the sanitizer failed in the look-up of an object and watched no further: Traceback")


def test_a_library_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is its error, which is the cause of the refusal."""

    async def wait(barrier: asyncio.Barrier) -> NoReturn:
        raise LookupError("broken on purpose")

    monkeypatch.setattr(asyncio.Barrier, "wait", wait)

    assert refused().startswith("its self-test failed with LookupError('broken on purpose'). ")
    with pytest.raises(EnvironmentMissing) as error:
        watch_sessions().start()
    assert isinstance(error.value.__cause__, LookupError)


def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which versions are here, and which ones would do."""
    monkeypatch.delattr(asyncio.Lock, "_wake_up_first")

    reason = refused()

    assert f"this is Python {sys.version.split()[0]} with SQLAlchemy" in reason
    assert reason.endswith("Nothing is instrumented: install one of those versions, or report this one")


@pytest.mark.parametrize(
    ("module", "name", "owners"),
    [
        pytest.param("sqlalchemy.orm.session", "_is_clean", (Session,), id="flush"),
        pytest.param("sqlalchemy.orm.session", "_iterate_self_and_parents", (SessionTransaction,), id="rollback"),
        pytest.param("asyncpg.transaction", "_nested", (), id="asyncpg"),
    ],
)
def test_a_name_that_is_needed_where_the_test_does_not_look(
    module: str, name: str, owners: tuple[type, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library has it by another name, and a program would get the hook's `AttributeError`."""
    move(monkeypatch, module, name, *owners)
    for owner in owners:
        monkeypatch.delattr(owner, name)

    assert name in refused()


# -- the program --------------------------------------------------------------------------------------------------


async def program(between: Callable[[], object]) -> list[object]:
    """Tasks that wait for each other in all ways, before and after something; what comes out of it."""
    loop, lock, queue = asyncio.get_running_loop(), asyncio.Lock(), asyncio.Queue[str](1)
    future, session = loop.create_future(), Session()
    results: list[object] = []

    async def guarded(name: str) -> None:
        async with lock:
            results.append(name)
            await queue.put(name)

    async with lock, asyncio.TaskGroup() as group:
        tasks = [group.create_task(guarded(name)) for name in ("one", "two")]
        gathered = asyncio.gather(future, asyncio.sleep(0, "slept"))
        await asyncio.sleep(0)
        note = Note(body="new")
        session.add(note)
        between()
        note.body = "changed"
        results.append([len(session.new), type(future) is asyncio.Future])
        loop.call_soon(future.set_result, "set")
        lock.release()
        results.extend([await queue.get(), await queue.get(), await asyncio.to_thread(str, "threaded"), await gathered])
        await asyncio.gather(*tasks)
        await lock.acquire()
    session.close()
    return results


@pytest.mark.parametrize("name", ["_wake_up_first", "release"])
async def test_the_program_goes_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whose middle a watch was refused, by a test in a thread of its own."""

    def refuse() -> None:
        with monkeypatch.context() as patch:
            if name == "release":
                move(patch, "asyncio.locks", "_wake_up_first", asyncio.Lock)
            else:
                move(patch, "asyncio.queues", "_wakeup_next", asyncio.Queue)
            reasons.append(refused())

    reasons: list[str] = []

    assert await program(refuse) == await program(lambda: None)
    assert len(reasons) == 1


async def race() -> None:
    """Two tasks that nothing orders."""

    async def use() -> None:
        session.expire_all()
        await session.flush()

    session = AsyncSession()
    await asyncio.gather(use(), use())


async def test_a_refusal_is_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every watch asks again, until one may begin; that one is as good as any."""
    with monkeypatch.context() as patch:
        patch.delattr(asyncio.Lock, "_wake_up_first")
        watch = watch_sessions()
        for _ in range(2):
            with pytest.raises(EnvironmentMissing):
                watch.start()
        watch.stop()
        assert (watch.findings, watch.problems, watch.limits) == ((), (), ())
        await race()

    with watch:
        await race()

    assert {str(each.kind) for each in watch.findings} == {"unordered"}
    assert watch.problems == ()


async def test_the_test_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process; and watches that begin while another one watches ask nothing."""
    calls: list[str] = []
    original: Callable[[asyncio.Barrier], Awaitable[int]] = asyncio.Barrier.wait

    async def wait(barrier: asyncio.Barrier) -> int:
        calls.append(threading.current_thread().name)
        return await original(barrier)

    monkeypatch.setattr(asyncio.Barrier, "wait", wait)
    for _ in range(3):
        with watch_sessions(), watch_sessions():
            pass

    assert set(calls) == {"sessionproof self-test"}
    assert len(calls) == len(loop_factories())


@pytest.mark.parametrize(
    "name",
    [
        "after_attach",
        "after_transaction_create",
    ],
)
def test_listeners_of_the_program_do_not_hear_of_the_test(name: str) -> None:
    """Neither of its sessions nor of its rows, of which they know nothing."""
    heard: list[object] = []

    def hear(*args: object) -> None:
        heard.append(args)

    event.listen(Session, name, hear)
    try:
        with watch_sessions():
            pass
    finally:
        event.remove(Session, name, hear)

    assert heard == []


# -- the parts ----------------------------------------------------------------------------------------------------


class Library:
    """Something to be hooked."""

    def method(self, number: int) -> int:
        return number + 1

    @classmethod
    def of_class(cls, number: int) -> tuple[str, int]:
        return cls.__name__, number

    async def coroutine(self) -> str:
        return "awaited"

    class Inner:
        """A class that is looked up by its name."""


def key(name: str) -> str:
    return f"{Library.__module__}.{Library.__qualname__}.{name}"


async def test_probes_note_calls_and_change_nothing() -> None:
    """What was called is known; arguments, results and the class are as they were."""
    probes, before = Probes(), dict(vars(Library))
    for name in ("method", "of_class", "coroutine"):
        probes.replace(Library, name, vars(Library)[name])
    assert idle_names(probes) == (key("coroutine"), key("method"), key("of_class"))

    assert [Library().method(1), Library.of_class(2), await Library().coroutine()] == [2, ("Library", 2), "awaited"]

    assert idle_names(probes) == ()
    assert probes.restore() == ()
    assert dict(vars(Library)) == before


def test_a_probe_for_a_call_that_raises() -> None:
    """It was called all the same."""
    probes = Probes()
    probes.replace(Library, "method", Library.method)
    with pytest.raises(TypeError):
        Library().method("x")  # type: ignore[arg-type]  # on purpose
    probes.restore()

    assert idle_names(probes) == ()


def test_a_class_in_the_place_of_a_class() -> None:
    """It is used as it is, and nobody asks whether it is called."""
    probes = Probes()

    class Other(Library.Inner):
        """Another one."""

    probes.replace(Library, "Inner", Other)
    replaced = Library.Inner
    probes.restore()

    assert replaced is Other
    assert idle_names(probes) == ()


@pytest.mark.parametrize(
    ("owner", "name", "is_idle"),
    [
        (Connection, "_commit_impl", False),
        (Connection, "execute", False),
        (Connection, "_nobody_calls_this", True),
        (asyncpg.transaction.Transaction, "__aenter__", False),
        (asyncio.Lock, "_wake_up_first", True),
        (Session, "flush", True),
    ],
)
def test_what_a_library_calls_itself(owner: type, name: str, is_idle: bool) -> None:
    """Where the test does not get, a private name is one that the library's code calls, and a public one may be."""
    probes = Probes()
    probes.replace(owner, name, lambda: None)
    probes.restore()

    assert (idle_names(probes) != ()) is is_idle


def test_the_program_runs_on_every_loop() -> None:
    """One after another, in a thread of its own; the loops are closed."""
    made: list[asyncio.AbstractEventLoop] = []
    threads: list[str] = []

    def make() -> asyncio.AbstractEventLoop:
        made.append(asyncio.SelectorEventLoop())
        threads.append(threading.current_thread().name)
        return made[-1]

    assert exercise((make, make)) is None
    assert [loop.is_closed() for loop in made] == [True, True]
    assert threads == ["sessionproof self-test"] * 2


def test_an_error_on_one_loop_does_not_hide_behind_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is returned, and the loops are closed all the same."""
    made: list[asyncio.AbstractEventLoop] = []

    def make() -> asyncio.AbstractEventLoop:
        made.append(asyncio.SelectorEventLoop())
        return made[-1]

    async def fail(loop: asyncio.AbstractEventLoop) -> None:
        raise LookupError(f"on loop {made.index(loop)}")

    monkeypatch.setattr(self_test, "_program", fail)

    assert repr(exercise((make, make))) == "LookupError('on loop 0')"
    assert [loop.is_closed() for loop in made] == [True, True]


# -- drivers that nobody watches ----------------------------------------------------------------------------------


class Pretended(SQLiteDialect_pysqlite):
    """SQLite's, which says that it is asynchronous."""

    is_async = True
    driver = "pretended"
    supports_statement_cache = True


async def test_a_session_on_a_driver_that_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is watched itself, and the connection below it; `limits` says what is not."""
    monkeypatch.setitem(registry.impls, "sqlite.pretended", lambda: Pretended)
    engine = create_async_engine("sqlite+pretended://", poolclass=StaticPool)

    with watch_sessions() as watch:
        async with AsyncSession(engine) as session:
            rows = await asyncio.gather(*(session.scalar(text("SELECT 1")) for _ in range(2)))
        async with AsyncSession(engine) as session:
            assert await session.scalar(text("SELECT 1")) == 1
    await engine.dispose()

    assert list(rows) == [1, 1]
    assert [(str(each.kind), each.first.operation) for each in watch.findings] == [("unordered", "Session.scalar")]
    assert watch.problems == ()
    assert [each for each in watch.limits if "the driver pretended is not watched itself" in each] != []
