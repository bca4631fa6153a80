"""Whether every hook takes hold on this machine's versions, asked once before anything is watched.

Problem: many hooks replace private names. A version that renamed one, or no longer calls it, makes half a detector: it
misses races, or accuses programs whose order it cannot see any more.

Mechanism: a small program runs in a thread with an event loop of its own and uses everything that is hooked in asyncio,
anyio, threads and the ORM, on sessions without an engine, while each hook notes that it was called. Hooks on
connections and drivers need a database for that: of those, every private name must be one that the library's own code
calls.

Guarantee: nothing of the program is touched, no connection is made, and no listener on sessions, engines or pools hears
of it.
"""

import asyncio
import concurrent.futures
import functools
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType
from typing import Any

from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from harness.patching import Patches

__all__ = ["Probes", "exercise", "idle_names", "unused_names"]

_Key = tuple[str, str]
_PATIENCE = 60.0
"""Seconds after which a library that no longer wakes up who waits is given up."""
_UNREACHED_MODULES = ("pydantic_ai", "asyncpg", "psycopg", "psycopg_pool", "sqlalchemy.engine", "sqlalchemy.dialects")


class Probes(Patches):
    """Patches whose replacements note that they were called."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[_Key, Any] = {}
        self.fired: set[_Key] = set()

    def replace(self, owner: type | ModuleType, name: str, replacement: Any) -> None:
        """Replace one more attribute, by something that notes its calls."""
        key = (f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else owner.__name__, name)
        self.owners[key] = owner
        if isinstance(replacement, type):
            self.fired.add(key)  # a class that stands under another name: it is used as it is
        super().replace(owner, name, self._noting(key, replacement))

    def _noting(self, key: _Key, replacement: Any) -> Any:
        if isinstance(replacement, type):
            return replacement
        if isinstance(replacement, classmethod):
            return classmethod(self._noting(key, replacement.__func__))

        @functools.wraps(replacement)
        def note(*args: Any, **kwargs: Any) -> Any:
            self.fired.add(key)
            return replacement(*args, **kwargs)

        return note


def idle_names(probes: Probes) -> tuple[str, ...]:
    """The hooks that nothing calls: `asyncio.locks.Lock._wake_up_first`."""
    idle = [key for key in probes.owners if key not in probes.fired and not _is_called_by_its_library(probes, key)]
    return tuple(f"{owner}.{name}" for owner, name in sorted(idle))


def unused_names(needed: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Of attributes, by the module whose code has to use them, those that it does not: `asyncpg.pool: _con`."""
    return tuple(
        f"{module}: {name}"
        for module, name in needed
        if module in sys.modules and not any(name in code.co_names for code in _codes(sys.modules[module]))
    )


def _is_called_by_its_library(probes: Probes, key: _Key) -> bool:
    owner, name = key
    if not owner.startswith(_UNREACHED_MODULES):
        return False
    if not name.startswith("_") or name.startswith("__"):
        return True
    module = sys.modules[probes.owners[key].__module__]
    return any(name in code.co_names for code in _codes(module) if code.co_name != name)


def _codes(module: ModuleType) -> Iterator[CodeType]:
    """All code of a module's functions and methods."""
    for value in vars(module).values():
        members = vars(value).values() if isinstance(value, type) else (value,)
        for member in members:
            function = getattr(member, "__wrapped__", member)
            if isinstance(function, FunctionType):
                yield function.__code__


def exercise(loops: tuple[Callable[[], asyncio.AbstractEventLoop], ...]) -> BaseException | None:
    """Use everything that is hooked, on each kind of event loop, in a thread; returns the error, if there was one."""
    errors: list[BaseException] = []

    def run() -> None:
        for make in loops:
            try:
                with asyncio.Runner(loop_factory=make) as runner:
                    runner.run(asyncio.wait_for(_program(runner.get_loop()), _PATIENCE))
            except Exception as error:  # noqa: BLE001  # whoever asked wants to know what it was
                errors.append(error)

    thread = threading.Thread(target=run, name="sessionproof self-test")
    thread.start()
    thread.join()
    return errors[0] if errors else None


async def _program(loop: asyncio.AbstractEventLoop) -> None:
    _silent_session().expire_all()  # as long as nothing was accessed, nothing is ordered
    await _futures(loop)
    await _primitives()
    await _queues()
    await _threads()
    _sessions()
    if "anyio._backends._asyncio" in sys.modules:
        await _anyio()


async def _nothing() -> None:
    """A coroutine with nothing in it."""


async def _failure() -> None:
    raise ValueError("intended")


async def _futures(loop: asyncio.AbstractEventLoop) -> None:
    reached = loop.create_future()
    loop.call_soon(lambda: loop.call_later(0, lambda: loop.call_at(loop.time(), reached.set_result, None)))
    loop.call_soon_threadsafe(int)
    await reached
    one, other = socket.socketpair()
    with one, other:
        loop.add_reader(one, int)
        loop.remove_reader(one)
    with suppress(Exception):  # signals are the main thread's
        loop.add_signal_handler(signal.SIGTERM, int)
    with suppress(Exception):  # there is no address
        await loop.create_server(asyncio.Protocol, None, None)  # type: ignore[call-overload]  # as it says
    with suppress(Exception):  # as above
        await loop.create_unix_server(asyncio.Protocol)
    gathered = asyncio.gather(_nothing(), _nothing())
    await gathered
    gathered.done()
    gathered.result()
    iter(gathered)
    with suppress(ValueError):
        await asyncio.gather(_failure())
    async with asyncio.TaskGroup() as group:
        await group.create_task(_nothing())


async def _primitives() -> None:
    lock, semaphore, event = asyncio.Lock(), asyncio.Semaphore(1), asyncio.Event()
    async with lock, semaphore:
        event.set()
    event.is_set()
    await event.wait()
    condition, waiting = asyncio.Condition(), asyncio.Event()

    async def wait() -> None:
        async with condition:
            waiting.set()
            await condition.wait()

    waiter = asyncio.create_task(wait())
    await waiting.wait()
    async with condition:
        condition.notify()
        await condition.wait_for(lambda: True)
    await waiter
    await asyncio.Barrier(1).wait()


async def _queues() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    await queue.put(1)
    await queue.get()
    queue.task_done()
    await queue.join()


async def _threads() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        done, failed = executor.submit(int), executor.submit(int, "x")
        done.result()
        failed.exception()
        done.done()
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


class _Base(DeclarativeBase):
    """A registry of the self-test's own."""


class _Row(_Base):
    """A row of no table."""

    __tablename__ = "sessionproof_self_test"
    id: Mapped[int] = mapped_column(primary_key=True)


class _NoListeners:
    """In the place of a session's listeners: there are none."""

    def __getattr__(self, name: str) -> "_NoListeners":
        return self

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Tell nobody."""


def _silent_session() -> Session:
    session = Session()
    vars(session)["dispatch"] = _NoListeners()
    return session


def _sessions() -> None:
    session, row = _silent_session(), _Row(id=1)
    session.add(row)
    row.id = 2
    session.expunge(row)
    calls: dict[str, tuple[Any, ...]] = {
        "add_all": ((),),
        "bulk_insert_mappings": (_Row, ()),
        "bulk_save_objects": ((),),
        "bulk_update_mappings": (_Row, ()),
        "delete": (row,),
        "delete_all": ((),),
        "enable_relationship_loading": (row,),
        "execute": ("",),
        "expire": (row,),
        "get": (_Row, 1),
        "get_one": (_Row, 1),
        "merge": (None,),
        "merge_all": ((),),
        "refresh": (row,),
        "scalar": ("",),
        "scalars": ("",),
    }
    for name, args in calls.items():
        with suppress(Exception):  # without an engine most fail, after they were called
            getattr(session, name)(*args)
    for name in ("begin", "begin_nested", "prepare", "connection", "flush", "expire_all", "expunge_all"):
        with suppress(Exception):  # as above
            getattr(session, name)()
    for name in ("rollback", "commit", "invalidate", "reset", "close"):
        with suppress(Exception):  # as above
            getattr(session, name)()


async def _anyio() -> None:
    import anyio  # noqa: PLC0415  # only where it is loaded

    lock, semaphore, limiter = anyio.Lock(), anyio.Semaphore(1), anyio.CapacityLimiter(1)
    for mutex in (lock, semaphore):
        async with mutex:
            pass
        mutex.acquire_nowait()
        mutex.release()
    async with limiter:
        pass
    condition, waiting = anyio.Condition(), anyio.Event()

    async def wait() -> None:
        async with condition:
            waiting.set()
            await condition.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await waiting.wait()
        async with condition:
            condition.notify()
            condition.notify_all()
    sender, receiver = anyio.create_memory_object_stream[int](1)
    async with sender, receiver:
        await sender.send(1)
        await receiver.receive()
    await anyio.to_thread.run_sync(int)
