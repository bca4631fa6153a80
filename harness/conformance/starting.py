"""`start`, in each session mode and pool state: is what it is given used, and is everything gone when it has stopped?

Mechanism: each start has a clone of the database, a model and pool settings of its own, which no default is equal to;
one turn without tools is sent. What is left of it afterwards is looked for on the server, in the event loop, and among
threads, of which only those count that there are more of with every start: what a process makes once, it may keep.

Guarantee: a mode that failed is not started again, so that a backend that hangs does not do so twenty times.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AssertionPool, NullPool, QueuePool, SingletonThreadPool, StaticPool

from harness.backend import Application, Backend, BackendSettings, PoolSettings, Violation
from harness.backend.reading import Unreadable, read
from harness.backend.violation import place_of
from harness.conformance.conversing import Conversing
from harness.conformance.limits import GUARDED, within
from harness.conformance.outcome import Conformance, Step, StepFailed
from harness.conformance.server_side import connections_of, watched_targets
from harness.conformance.watched import WatchedProvider
from harness.observe.stuck import stuck_tasks
from harness.postgres.clones import Clones, Database
from harness.providers.guard import Refusals, only_local_models
from harness.scenario import PoolState, SessionMode

__all__ = ["POOL", "Starts", "entered"]

POOL = PoolSettings(size=3, max_overflow=4, timeout=7.0)
"""Other than any library's default, so that whoever does not pass it on is seen."""

_ASKED = "it starts the application with the settings that it is given, and stops it on leaving"
_REPAIR = "repair what raised there"
_CLOSING_SECONDS = 1.0
_SETTLE_SECONDS = 1.0
_STATES = (PoolState.COLD, PoolState.PRE_PING, PoolState.NULL)
"""Those with settings of their own: a warm pool is a matter of what is done with it."""
_OF_ONE = (NullPool, StaticPool, SingletonThreadPool, AssertionPool)
"""Pools that keep none, or lend one to everybody; of all others the sizes are compared, as far as they have any."""
_KEPT_THREADS = ("asyncio_", "AnyIO worker thread", "ThreadPoolExecutor-")
"""Threads of pools that belong to the event loop or to a library, and end with it."""


@asynccontextmanager
async def entered(backend: Backend, settings: BackendSettings, *, seconds: float) -> AsyncIterator[Application]:
    """The started application; what goes wrong in starting and in stopping it is raised as `StepFailed`."""
    where = f"start in mode {settings.session_mode.value!r}"
    place = place_of(backend.start)
    opened: list[AbstractAsyncContextManager[Application]] = []

    async def open_it() -> None:
        opened.append(_as_context(backend.start(settings), where, place))

    await within(seconds, open_it, part=where, asked=_ASKED, change=_REPAIR, place=place)
    context = opened[0]
    generator: object = getattr(context, "gen", None)
    application = await within(
        seconds, context.__aenter__, part=where, asked=_ASKED, change=_REPAIR, place=place, generator=generator
    )
    try:
        yield application
    finally:
        await within(
            seconds,
            lambda: context.__aexit__(None, None, None),
            part=f"{where}, on leaving",
            asked=_ASKED,
            change=_REPAIR,
            place=place,
            generator=generator,
        )


def _as_context(context: object, where: str, place: str) -> "AbstractAsyncContextManager[Application]":
    if isinstance(context, AbstractAsyncContextManager):
        return context
    seen = f"it returned a {type(context).__name__}, which is no async context manager"
    change = (
        "write @asynccontextmanager above async def start(self, settings), and in it `yield` what it returns now, "
        "with the engine's dispose() after that"
    )
    raise StepFailed(Violation(part=where, seen=seen, asked=_ASKED, change=change, place=place))


@dataclass(slots=True, kw_only=True)
class Starts:
    """The starts of one backend, one after the other.

    `found` is what came of them, `works` the modes in which a turn was answered, that of the repair first.
    """

    backend: Backend
    clones: Clones
    template: str
    seconds: float
    found: Conformance
    _threads: dict[str, int] = field(default_factory=dict)
    works: list[SessionMode] = field(default_factory=list)
    _starts: int = 0
    _clean: bool = True

    async def every_mode(self) -> None:
        """Start in each mode, in each pool state, until something is violated in the mode."""
        modes = sorted(self.backend.modes, key=lambda mode: (mode is not SessionMode.PER_OPERATION, mode))
        for mode in modes:
            self._clean = True
            started = [state for state in _STATES if self._clean and await self._start(mode, state)]
            name, left_out = f"start in mode {mode.value!r}, with each kind of pool", _STATES[len(started) :]
            reason = f"what is violated with {started[-1].value!r} comes before {_listed(left_out)}" if left_out else ""
            self.found += Conformance(backend=self.found.backend, steps=(Step(name=name, undecided=reason),))

    async def _start(self, mode: SessionMode, state: PoolState) -> bool:
        """Look at one start, whatever comes of it; returns that this was done."""
        tasks = asyncio.all_tasks()
        async with self.clones.clone(self.template, label=f"check_{mode}_{state}") as database:
            try:
                with TemporaryDirectory(prefix="sessionproof-") as folder:
                    await self._run(mode, state, database, Path(folder))
            except StepFailed as failed:
                self._violated(failed.violation)
            await self._look_for_what_is_left(mode, database, tasks)
        return True

    async def _run(self, mode: SessionMode, state: PoolState, database: Database, folder: Path) -> None:
        provider = WatchedProvider()
        settings = BackendSettings(
            database_url=database.url,
            session_mode=mode,
            pool=replace(POOL, pre_ping=state is PoolState.PRE_PING, null=state is PoolState.NULL),
            model=provider.model,
            state_directory=folder,
        )
        with only_local_models(GUARDED) as refusals, watched_targets(database.url) as targets:
            async with entered(self.backend, settings, seconds=self.seconds) as application:
                for violation in _application_violations(application, settings, place_of(self.backend.start)):
                    self._violated(violation)
                if _is_application(application):
                    conversing = Conversing(application=application, provider=provider, seconds=self.seconds)
                    await self._one_turn(conversing, mode, refusals)
        if targets.others:
            self._start_violated(
                f"it connected to {targets.others[0]}",
                "it connects to the database of `settings.database_url`, and to no other",
                "make every engine from that URL",
            )
        if refusals.messages:
            self._start_violated(
                refusals.messages[0],
                "only `settings.model` answers",
                "give `settings.model` to the agent, and no other model",
            )

    async def _one_turn(self, conversing: Conversing, mode: SessionMode, refusals: Refusals) -> None:
        heard = await conversing.send(self.backend.tenants[0])
        if heard.answer is not None and conversing.provider.of(heard.turn) and mode not in self.works:
            self.works.append(mode)
        if refusals.messages:
            return  # why it was not answered is told by these
        if heard.failure is not None:
            self._violated(heard.failure)
        elif not conversing.provider.of(heard.turn):
            asked = bool(conversing.provider.requests)
            self._violated(
                Violation(
                    part="send",
                    seen="the model was asked something else than the message" if asked else "it did not ask the model",
                    asked="the message goes to `settings.model` as it is, with whatever else the agent says",
                    change="pass `request.message` on, and `settings.model` to the agent",
                    place=place_of(type(conversing.application).send),
                )
            )

    async def _look_for_what_is_left(
        self, mode: SessionMode, database: Database, before: "set[asyncio.Task[object]]"
    ) -> None:
        left = await connections_of(self.clones, database.name, seconds=_CLOSING_SECONDS)
        part = f"start in mode {mode.value!r}, on leaving"
        if left:
            counted = "1 connection was" if left == 1 else f"{left} connections were"
            self._start_violated(
                f"{counted} open to the database {_CLOSING_SECONDS:g} s after it had stopped",
                "leaving it closes every connection",
                "dispose of each engine on leaving: await engine.dispose()",
                part,
            )
        if running := await _tasks_left(before):
            self._start_violated(
                f"tasks went on after it had stopped: {', '.join(running)}",
                "leaving it ends everything that it began",
                "cancel and await what it starts",
                part,
            )
        if more := self._threads_left():
            self._start_violated(
                f"there are more threads after each start: {', '.join(more)}",
                "leaving it ends everything that it began",
                "shut down executors and workers on leaving",
                part,
            )

    def _threads_left(self) -> list[str]:
        """Kinds of threads of which there are more than after the start before; the first start tells nothing."""
        now: dict[str, int] = {}
        for thread in threading.enumerate():
            if thread.is_alive() and not thread.name.startswith(_KEPT_THREADS):
                kind = thread.name.rstrip("0123456789 ()_-")
                now[kind] = now.get(kind, 0) + 1
        more = [kind for kind, count in now.items() if self._starts and count > self._threads.get(kind, 0)]
        self._starts += 1
        self._threads = {kind: max(count, self._threads.get(kind, 0)) for kind, count in now.items()}
        return more

    def _start_violated(self, seen: str, asked: str, change: str, part: str = "start") -> None:
        place = place_of(self.backend.start)
        self._violated(Violation(part=part, seen=seen, asked=asked, change=change, place=place))

    def _violated(self, violation: Violation) -> None:
        self._clean = False
        self.found += Conformance(backend=self.found.backend, violations=(violation,))


async def _tasks_left(before: "set[asyncio.Task[object]]") -> list[str]:
    """The names of tasks that were not there before, and do not end by themselves, with where they wait."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=_SETTLE_SECONDS)
    names = {task.get_name() for task in left if not task.done()}
    stacks = {task.name: task.stack for task in stuck_tasks() if task.name in names}
    for task in left:
        task.cancel()
    return [f"{name!r} at {stacks[name][-1]}" if stacks.get(name) else repr(name) for name in sorted(names)]


def _listed(states: Sequence[PoolState]) -> str:
    return " and ".join(repr(state.value) for state in states)


def _is_application(application: object) -> bool:
    return isinstance(read(application, "engine"), AsyncEngine) and callable(read(application, "send"))


def _application_violations(application: object, settings: BackendSettings, place: str) -> Iterator[Violation]:
    asked = "what it gives has the `engine` that sessions are made from, and an async `send`"
    kind = type(application).__name__
    send = read(application, "send")
    if not callable(send):
        yield Violation(
            part="start",
            seen=(
                f"reading `send` of a {kind} raises {send.said}"
                if isinstance(send, Unreadable) and not send.missing
                else f"a {kind} has no `send`"
            ),
            asked=asked,
            change="write async def send(self, request)",
            place=place,
        )
    engine = read(application, "engine")
    if not isinstance(engine, AsyncEngine):
        seen = f"the `engine` of a {kind} is {_kind_of_engine(engine)}"
        change = "give the AsyncEngine of create_async_engine(settings.database_url)"
        yield Violation(part="start", seen=seen, asked=asked, change=change, place=place)
        return
    pool = engine.sync_engine.pool
    for name, wanted, got in _pool_differences(pool, settings.pool):
        yield Violation(
            part="start",
            seen=f"the pool's {name} is {got}, and `settings.pool` asks for {wanted}",
            asked="the pool is as the settings have it, because the symptoms of sharing depend on it",
            change=f"pass it on to create_async_engine (see `PoolSettings`): {name}",
            place=place,
        )


def _kind_of_engine(engine: object) -> str:
    if isinstance(engine, Unreadable) and not engine.missing:
        return f"a property, reading which raises {engine.said}"
    return "missing" if engine is None or isinstance(engine, Unreadable) else f"a {type(engine).__name__}"


def _pool_differences(pool: object, settings: PoolSettings) -> Iterator[tuple[str, object, object]]:
    if settings.null and not isinstance(pool, NullPool):
        yield "poolclass", "NullPool", type(pool).__name__
    elif not settings.null and isinstance(pool, _OF_ONE):
        yield "poolclass", "a pool of several connections", type(pool).__name__
    if settings.null or isinstance(pool, _OF_ONE):
        return
    if isinstance(pool, QueuePool):
        seen = {"pool_size": pool.size(), "max_overflow": pool._max_overflow, "pool_timeout": pool.timeout()}  # noqa: SLF001  # the pool tells it nowhere else
        asked = {"pool_size": settings.size, "max_overflow": settings.max_overflow, "pool_timeout": settings.timeout}
        yield from ((name, asked[name], seen[name]) for name in asked if asked[name] != seen[name])
    pre_ping = bool(getattr(pool, "_pre_ping", settings.pre_ping))
    if pre_ping is not settings.pre_ping:
        yield "pool_pre_ping", settings.pre_ping, pre_ping
