"""Signals that order two tasks, each given before it is asked for, so that nobody has to be woken up."""

import asyncio
import asyncio.futures
import types
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.sanitizer.ablation_programs.pairs import by_luck
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs import primitives
from tests.sanitizer.legal_programs.primitives import Baton, relay
from tests.sanitizer.racy_programs.consequences import shared_session
from tests.sanitizer.world import World

CORPUS = Corpus()


# -- gathering --------------------------------------------------------------------------------------------------


@types.coroutine
def delegate(future: "asyncio.Future[Any]") -> Generator[Any, None, Any]:
    """Await it as generators did."""
    return (yield from future)


async def read(future: "asyncio.Future[Any]") -> object:
    """Its result, without asking whether there is one."""
    return future.result()


async def poll(future: "asyncio.Future[Any]") -> None:
    """Ask again and again whether it is done."""
    while not future.done():  # noqa: ASYNC110  # polling is the subject
        await asyncio.sleep(0)


async def wait(future: "asyncio.Future[Any]") -> object:
    """Await it, whatever it says."""
    with suppress(LookupError):
        return await future
    return None


def gathering(take: Callable[["asyncio.Future[Any]"], Awaitable[object]], *, fails: bool = False) -> Baton:
    """A future among others that are gathered; whoever takes the baton sees only what gathers them."""
    loop = asyncio.get_running_loop()
    given, other = loop.create_future(), loop.create_future()
    gathered = asyncio.gather(other, given)
    other.set_result(None)
    if fails:
        return Baton(lambda: given.set_exception(LookupError()), lambda: take(gathered))
    return Baton(lambda: given.set_result(None), lambda: take(gathered))


# -- futures and conditions -------------------------------------------------------------------------------------


def future_of_the_module() -> Baton:
    """A future that is made by its class, by the name that `asyncio.futures` has for it."""
    result: asyncio.Future[None] = asyncio.futures.Future()

    async def take() -> None:
        await result

    return Baton(lambda: result.set_result(None), take)


def condition_without_a_block() -> Baton:
    """A condition whose lock is taken by hand; the predicate is true already."""
    changed = asyncio.Condition()
    ready = False

    async def give() -> None:
        nonlocal ready
        async with changed:
            ready = True
            changed.notify_all()

    async def take() -> None:
        await changed.acquire()
        try:
            await changed.wait_for(lambda: ready)
        finally:
            changed.release()

    return Baton(give, take)


# -- anyio ------------------------------------------------------------------------------------------------------


def anyio_condition() -> Baton:
    """A condition of anyio's, of which one is notified."""
    changed = anyio.Condition()
    ready = False

    async def give() -> None:
        nonlocal ready
        async with changed:
            ready = True
            changed.notify()

    async def take() -> None:
        async with changed:
            while not ready:
                await changed.wait()

    return Baton(give, take)


def anyio_semaphore() -> Baton:
    """A semaphore of anyio's, as a signal."""
    signal = anyio.Semaphore(0)
    return Baton(signal.release, signal.acquire)


def polled_anyio_semaphore() -> Baton:
    """The same, and whoever waits for it asks again and again."""
    signal = anyio.Semaphore(0)

    async def take() -> None:
        while True:
            with suppress(anyio.WouldBlock):
                signal.acquire_nowait()
                return
            await asyncio.sleep(0)

    return Baton(signal.release, take)


def anyio_stream(*, is_closed: bool) -> Baton:
    """An item sent, or the end of the stream."""
    sender, receiver = anyio.create_memory_object_stream[str](1)

    async def take() -> None:
        with receiver, suppress(anyio.EndOfStream):
            await receiver.receive()
        sender.close()

    return Baton(sender.close if is_closed else lambda: sender.send_nowait("go on"), take)


BATONS: dict[str, Callable[[], Baton]] = {
    "gathered and awaited": partial(gathering, wait),
    "gathered and awaited by a generator": partial(gathering, delegate),
    "gathered and polled": partial(gathering, poll),
    "gathered and read": partial(gathering, read),
    "gathered and failed": partial(gathering, wait, fails=True),
    "future of the module": future_of_the_module,
    "condition without a block": condition_without_a_block,
    "anyio notify": anyio_condition,
    "anyio semaphore": anyio_semaphore,
    "polled anyio semaphore": polled_anyio_semaphore,
    "anyio send_nowait": partial(anyio_stream, is_closed=False),
    "anyio close": partial(anyio_stream, is_closed=True),
}

for label, make in BATONS.items():
    CORPUS.add(f"{label} given before", partial(relay, make, waited_for=False))


# -- uvloop -----------------------------------------------------------------------------------------------------


async def on_uvloop(world: World, *, program: Callable[[World], Awaitable[None]]) -> None:
    """A program in a loop of uvloop's."""

    async def run() -> None:
        engine = create_async_engine(world.url)
        try:
            await program(World(url=world.url, engine=engine))
        finally:
            await engine.dispose()

    await asyncio.to_thread(uvloop.run, run())


@CORPUS.racy("unordered")
async def two_children_on_uvloop(world: World) -> None:
    """Of two tasks that one has created, the one comes, by luck, after the other."""

    async def program(world: World) -> None:
        async with shared_session(world) as session:

            async def one() -> None:
                await session.scalar(text("SELECT 1"))  # first

            async def other() -> None:
                await session.scalar(text("SELECT 2"))  # second

            await by_luck(world, one, other)

    await on_uvloop(world, program=program)


ON_UVLOOP = (
    "call_soon given before",
    "call_soon_threadsafe given before",
    "call_later given before",
    "future of the loop given before",
)

for program in primitives.CORPUS.programs:
    if program.name in {name.replace(" ", "_") for name in ON_UVLOOP}:
        CORPUS.add(f"{program.name} on uvloop", partial(on_uvloop, program=program.run))
