"""Shops whose tools have ORM sessions, from factories that keep them apart, and from factories that only look so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from dishka import Provider, Scope, make_async_container
from pydantic_ai import Agent, RunContext
from sqlalchemy import StaticPool, insert, text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)

from fixtures.minimal import BILLS, MinimalBackend, Shop
from harness.backend import BackendSettings, ChatRequest, ToolUse
from harness.evidence import Answer
from harness.scenario import SessionMode, ToolRole

__all__ = ["APART", "ONE_CONNECTION", "SHARING"]

Opening = Callable[[], AbstractAsyncContextManager[AsyncSession | AsyncConnection]]
"""What an operation calls for a session of its own; an application's factory, as the tools see it."""

AGENT: Agent[Opening, str] = Agent(defer_model_check=True)


async def _asked(opening: Opening, sql: str) -> str:
    async with opening() as session:
        return str(await session.scalar(text(sql)))


@AGENT.tool
async def opening_hours(ctx: RunContext[Opening]) -> str:
    """When the shop is open."""
    return await _asked(ctx.deps, "SELECT 'from nine to five'")


@AGENT.tool
async def stock(ctx: RunContext[Opening], article: str) -> str:
    """How many of an article there are."""
    return await _asked(ctx.deps, f"SELECT length('{article}')")


Bill = Callable[[UUID, str], Awaitable[None]]


async def billed(opening: Opening, identifier: UUID, conversation: str) -> None:
    """Write the bill, and commit it."""
    async with opening() as session:
        await session.execute(insert(BILLS).values(id=identifier, conversation=conversation))
        await session.commit()


@dataclass(frozen=True)
class OrmShop(Shop):
    """The shop with sessions of `opening`; `turns` gives what one turn's tools have, `bills` what its bill has."""

    turns: Callable[[], AbstractAsyncContextManager[Opening]]
    bills: Opening

    async def send(self, request: ChatRequest) -> Answer:
        """Ask the agent, and write the bill."""
        async with self.turns() as opening:
            result = await AGENT.run(request.message, deps=opening, model=self.settings.model)
        await billed(self.bills, identifier := uuid4(), request.conversation_id)
        return Answer(text=result.output, llm_request_id=identifier)


@dataclass(frozen=True)
class Wiring:
    """What an application gives its tools in each turn, and whoever writes its bill."""

    turns: Callable[[], AbstractAsyncContextManager[Opening]]
    bills: Opening


Wire = Callable[[AsyncEngine], AbstractAsyncContextManager[Wiring]]


class OrmBackend(MinimalBackend):
    """The minimal backend, wired in another way."""

    wire: Wire

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[Any]:
        """Start the minimal application, and give the other one."""
        async with super().start(settings) as shop, type(self).wire(shop.engine) as wiring:
            yield OrmShop(engine=shop.engine, settings=settings, turns=wiring.turns, bills=wiring.bills)


def wired(wire: Wire, **parts: Any) -> MinimalBackend:
    """A backend with that wiring."""
    made = {"name": f"shop {uuid4().hex[:6]}", "wire": staticmethod(wire)} | parts
    backend: MinimalBackend = type("Wired", (OrmBackend,), made)()
    return backend


def for_all(factory: Callable[[AsyncEngine], Opening]) -> Wire:
    """One way to sessions, for every tool and bill."""

    @asynccontextmanager
    async def wire(engine: AsyncEngine) -> AsyncIterator[Wiring]:
        opening = factory(engine)

        @asynccontextmanager
        async def turns() -> AsyncIterator[Opening]:
            yield opening

        yield Wiring(turns, opening)

    return wire


def kept(session: Callable[[], AsyncSession | AsyncConnection]) -> Opening:
    """A context manager that yields whatever is given, and leaves it open, as one that belongs to somebody else."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncSession | AsyncConnection]:
        yield session()

    return opening


# One for everybody


@asynccontextmanager
async def _global(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    async with AsyncSession(engine) as session, for_all(lambda _: kept(lambda: session))(engine) as wiring:
        yield wiring


@asynccontextmanager
async def _global_connection(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    async with engine.connect() as connection, for_all(lambda _: kept(lambda: connection))(engine) as wiring:
        yield wiring


@asynccontextmanager
async def _sessions_of_one_connection(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    async with engine.connect() as connection, for_all(lambda _: async_sessionmaker(connection))(engine) as wiring:
        yield wiring


def _scoped_to_nothing(engine: AsyncEngine) -> Opening:
    return async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: None)


def _cached(engine: AsyncEngine) -> Opening:
    return lru_cache(lambda: AsyncSession(engine))


def _locked(engine: AsyncEngine) -> Opening:
    session, lock = AsyncSession(engine), asyncio.Lock()

    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncSession]:
        async with lock:
            yield session
            await session.rollback()

    return opening


class Proxy:
    """Hands everything on to the session that is behind it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _proxies(engine: AsyncEngine) -> Opening:
    session = AsyncSession(engine)
    return kept(lambda: Proxy(session))  # type: ignore[arg-type,return-value]  # that is what a proxy is for


def _in_container(scope: Scope) -> Wire:
    @asynccontextmanager
    async def wire(engine: AsyncEngine) -> AsyncIterator[Wiring]:
        provider = Provider(scope=scope)
        provider.provide(lambda: AsyncSession(engine), provides=AsyncSession)
        container = make_async_container(provider)

        @asynccontextmanager
        async def opening() -> AsyncIterator[AsyncSession]:
            async with container() as inner:
                session = await inner.get(AsyncSession)
                yield session
                await session.close()

        async with for_all(lambda _: opening)(engine) as wiring:
            yield wiring
        await container.close()

    return wire


@asynccontextmanager
async def _one_for_a_turn(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    sessions = async_sessionmaker(engine)

    @asynccontextmanager
    async def turns() -> AsyncIterator[Opening]:
        async with sessions() as session:
            await session.connection()
            yield kept(lambda: session)

    yield Wiring(turns, sessions)


@asynccontextmanager
async def _one_connection_for_a_turn(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    @asynccontextmanager
    async def turns() -> AsyncIterator[Opening]:
        async with engine.connect() as connection:
            yield async_sessionmaker(connection)

    yield Wiring(turns, async_sessionmaker(engine))


@asynccontextmanager
async def _one_for_all_bills(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    async with AsyncSession(engine) as session, for_all(async_sessionmaker)(engine) as wiring:
        yield replace(wiring, bills=kept(lambda: session))


@asynccontextmanager
async def _one_connection(_self: Any, settings: BackendSettings) -> AsyncIterator[Shop]:
    engine = create_async_engine(settings.database_url, poolclass=StaticPool)
    yield Shop(engine, settings)
    await engine.dispose()


ONE_CONNECTION = type("OneConnection", (MinimalBackend,), {"name": "pool of one", "start": _one_connection})()
"""Its pool lends one connection to everybody; each session is one of its own."""

ONE_TOOL = (replace(MinimalBackend.tenants[0], tools={ToolRole.READ: ToolUse(tool="opening_hours")}),)
DURABLE = frozenset({SessionMode.DURABLE})
SHARED = frozenset({SessionMode.SHARED})
BOTH = "two tool calls of a turn and two turns used one"

SHARING: Mapping[str, tuple[MinimalBackend, str]] = {
    "a global session": (wired(_global), f"{BOTH} session"),
    "a session that is scoped to nothing": (wired(for_all(_scoped_to_nothing)), f"{BOTH} session"),
    "a factory that is cached": (wired(for_all(_cached)), f"{BOTH} session"),
    "a session that is locked": (wired(for_all(_locked)), f"{BOTH} session"),
    "proxies before one session": (wired(for_all(_proxies)), f"{BOTH} session"),
    "a container's singleton": (wired(_in_container(Scope.APP)), f"{BOTH} session"),
    "a session for each turn": (wired(_one_for_a_turn), "two tool calls of a turn used one session"),
    "a session for each turn, with one tool": (
        wired(_one_for_a_turn, tenants=ONE_TOOL),
        "two tool calls of a turn used one session",
    ),
    "a durable mode with a session for each turn": (
        wired(_one_for_a_turn, modes=DURABLE),
        "in the mode 'durable' two tool calls of a turn used one session",
    ),
    "a session for all bills": (wired(_one_for_all_bills), "two turns used one session: the turn's own code"),
    "a connection for all": (wired(_global_connection), f"{BOTH} database connection"),
    "sessions on one connection": (wired(_sessions_of_one_connection), f"{BOTH} database connection"),
    "sessions of their own in the mode of one": (
        wired(for_all(async_sessionmaker), modes=SHARED),
        "in the mode 'shared' two tool calls of a turn had sessions of their own",
    ),
}
"""A shop whose sessions are not those of its mode, and a piece of what is seen."""


# One for each operation


def _scoped_to_tasks(engine: AsyncEngine) -> Opening:
    scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)

    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncSession]:
        yield scoped()
        await scoped.remove()

    return opening


def _one_after_the_other(engine: AsyncEngine) -> Opening:
    sessions, lock = async_sessionmaker(engine), asyncio.Lock()

    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncSession]:
        async with lock, sessions() as session:
            yield session

    return opening


@asynccontextmanager
async def _with_a_writer(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    """Bills go to a task that writes them one after the other, on a session that is its own."""
    queue: asyncio.Queue[tuple[AsyncSession, asyncio.Future[None]]] = asyncio.Queue()
    sessions = async_sessionmaker(engine)

    async def write(own: AsyncSession) -> None:
        while True:
            asked, done = await queue.get()
            for statement in asked.info["statements"]:
                await own.execute(statement)
            await own.commit()
            done.set_result(None)

    class Recording(AsyncSession):
        async def execute(self, statement: Any, *_: Any, **__: Any) -> Any:
            self.info.setdefault("statements", []).append(statement)

        async def commit(self) -> None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            queue.put_nowait((self, done))
            await done

    async with AsyncSession(engine) as own, for_all(lambda _: sessions)(engine) as wiring:
        writer = asyncio.create_task(write(own), name="writer of bills")
        yield replace(wiring, bills=Recording)
        writer.cancel()
        await asyncio.wait({writer})


@asynccontextmanager
async def _with_a_lock_in_the_database(engine: AsyncEngine) -> AsyncIterator[Wiring]:
    """Each turn holds a lock of the database's for a moment, on a connection that is there for nothing else."""
    sessions, lock = async_sessionmaker(engine), asyncio.Lock()
    async with engine.connect() as listening:

        @asynccontextmanager
        async def turns() -> AsyncIterator[Opening]:
            async with lock:
                await listening.execute(text("SELECT pg_advisory_lock(7), pg_advisory_unlock(7)"))
            yield sessions

        yield Wiring(turns, sessions)


APART: Mapping[str, MinimalBackend] = {
    "a factory": wired(for_all(async_sessionmaker)),
    "a factory, with one tool": wired(for_all(async_sessionmaker), tenants=ONE_TOOL),
    "sessions that are scoped to tasks": wired(for_all(_scoped_to_tasks)),
    "a container's sessions for each operation": wired(_in_container(Scope.REQUEST)),
    "connections": wired(for_all(lambda engine: engine.connect)),
    "sessions one after the other": wired(for_all(_one_after_the_other)),
    "a writer of bills": wired(_with_a_writer),
    "a connection for locks": wired(_with_a_lock_in_the_database),
    "a durable mode": wired(for_all(async_sessionmaker), modes=DURABLE),
    "a session for each turn in the mode of one": wired(_one_for_a_turn, modes=SHARED),
    "one connection for a turn in the mode of one": wired(_one_connection_for_a_turn, modes=SHARED),
}
"""Shops whose sessions are those of their mode."""
