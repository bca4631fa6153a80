"""The harness's own costs: each way does what it says, nothing of it stays, and what cannot be measured is named."""

import asyncio
import gc
import logging
import secrets
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import pytest
from pydantic_ai import Agent
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from fixtures.backend.adapter import ReferenceBackend
from fixtures.broken.tools_without_database import backend as idle_backend
from fixtures.minimal import backend as minimal_backend
from harness.backend import Application, Backend, BackendSettings, ChatRequest, Tenant
from harness.bench import cost_database, cost_server, rivals
from harness.bench.cost import Cost, Ground, Way, Ways, measure
from harness.bench.cost_database import BACK_TO_BACK, CLONE, READY, database_ways, given_back_ways, module_ways
from harness.bench.cost_server import START, STOP, container_ways, embedded_ways
from harness.bench.cost_turn import BARE, GATED, RECORDED, WATCHED, cell_ways, turn_ways
from harness.bench.costs import costs
from harness.bench.interleave import Ended, Limits, Sample
from harness.bench.rivals import CREATE_ALL, JANITOR, started
from harness.errors import BackendError, EnvironmentMissing, MissingEvidence, UsageError
from harness.evidence import Answer
from harness.observe.attribution import current_turn
from harness.postgres import Clones, RunningServer
from harness.postgres.admin import Connection, connect
from harness.postgres.clones import Database, databases, is_template
from harness.postgres.embedded import EmbeddedServer
from harness.report.bench_document import CostDocument
from harness.sanitizer.runtime import runtime

TOOL_SECONDS = 0.01
ONCE = Limits(half_width=1e9, warm_up=0, least=5, most=5, seconds=60.0)


@pytest.fixture(scope="module")
def clones(sessionproof_server: RunningServer) -> Iterator[Clones]:
    """Databases of these tests' own, of which no other worker makes or drops any."""
    clones = Clones(sessionproof_server, secrets.token_hex(4))
    yield clones
    asyncio.run(clones.drop_all())


@pytest.fixture
async def ground(sessionproof_server: RunningServer, clones: Clones) -> Ground:
    """The reference backend on the test server."""
    backend = ReferenceBackend()
    template = await clones.template("costs", backend.prepare)
    return Ground(backend=backend, running=sessionproof_server, clones=clones, template=template)


async def names(ground: Ground) -> set[str]:
    """The copies that there are."""
    async with connect(ground.running.address, ground.running.maintenance_database) as connection:
        return {name for name in await databases(connection, ground.clones.prefix) if not is_template(name)}


@pytest.fixture
async def _nothing_stays(ground: Ground) -> AsyncIterator[None]:
    """Databases, tasks and hooks are what they were."""
    before, installed = await names(ground), hooks()
    yield
    assert await names(ground) == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert hooks() == installed


def hooks() -> tuple[Any, ...]:
    """What recorders, gate, sanitizer and the benchmark itself put something in the place of."""
    return (
        FunctionToolset.call_tool,
        logging.Logger.callHandlers,
        Agent._instrument_default,
        AsyncSession.execute,
        asyncio.Queue.get_nowait,
        runtime.listeners,
        asyncio.get_running_loop().get_exception_handler(),
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is installed while a turn is answered."""

    turn: str | None
    hooks: tuple[Any, ...]
    before_statements: int


@dataclass(kw_only=True)
class Watchful:
    """A backend that looks around while it answers."""

    inner: Any
    asked: Callable[[], None] = lambda: None
    seen: list[Seen] = field(default_factory=list)
    slept: list[Any] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[Application]:
        async with self.inner.start(settings) as application:
            event.listen(application.engine.sync_engine, "before_cursor_execute", self._before, named=True)
            yield _Watchful(application=application, asked=self.asked, seen=self.seen)

    def _before(self, *, statement: str, parameters: Any, **_: Any) -> None:
        if "pg_sleep" in statement:
            self.slept.append(parameters)


@dataclass(kw_only=True)
class _Watchful:
    application: Application
    asked: Callable[[], None]
    seen: list[Seen]

    @property
    def engine(self) -> AsyncEngine:
        return self.application.engine

    async def send(self, request: ChatRequest) -> Answer:
        self.asked()
        listeners = list(self.engine.sync_engine.dispatch.before_cursor_execute)
        self.seen.append(Seen(turn=current_turn.get(), hooks=hooks(), before_statements=len(listeners)))
        return await self.application.send(request)


def changed(before: Seen, after: Seen) -> list[bool]:
    """Which of the hooks are others."""
    return [one is not other for one, other in zip(before.hooks, after.hooks, strict=True)]


@pytest.mark.usefixtures("_nothing_stays")
async def test_turns_differ_in_what_watches_them(ground: Ground) -> None:
    """Bare: nothing but what makes tools work; then recorders; then gate and sanitizer, too; then bare again."""
    backend = Watchful(inner=ground.backend)
    async with turn_ways(replace(ground, backend=backend), tool_seconds=TOOL_SECONDS) as found:
        alone = hooks()
        seen = {}
        for name in (BARE, RECORDED, GATED, WATCHED, BARE):
            assert hooks() == alone
            backend.seen.clear()
            sample = await found.ways[name]()
            assert sample.seconds >= TOOL_SECONDS
            seen[name] = backend.seen[-1]

    bare, recorded, gated, watched = seen[BARE], seen[RECORDED], seen[GATED], seen[WATCHED]
    assert found.missing == ()
    assert bare == Seen(turn=None, hooks=alone, before_statements=2)  # its own, and that of the tools' work
    assert recorded.turn is not None
    assert recorded.before_statements > 2
    assert changed(bare, recorded) == [True, True, True, False, False, False, True]
    assert changed(bare, gated) == [True, True, True, True, False, False, True]
    assert gated.hooks[5] == ()
    assert len(watched.hooks[5]) == 1
    assert watched.hooks[4] is not bare.hooks[4]


@pytest.mark.usefixtures("_nothing_stays")
async def test_tools_work_in_the_database_in_every_turn(ground: Ground) -> None:
    """A turn without work goes before each; in the one that counts, each call sleeps once."""
    backend = Watchful(inner=ground.backend)
    async with turn_ways(replace(ground, backend=backend), tool_seconds=TOOL_SECONDS) as found:
        for name in (BARE, RECORDED, GATED, WATCHED):
            backend.seen.clear()
            backend.slept.clear()
            await found.ways[name]()
            assert len(backend.seen) == 2
            assert backend.slept == [(TOOL_SECONDS,)] * 2


class Circle:
    """Is garbage that only a collection takes away."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("name", [BARE, RECORDED, GATED, WATCHED])
@pytest.mark.usefixtures("_nothing_stays")
async def test_no_turn_that_counts_pays_for_another_one_s_garbage(ground: Ground, name: str) -> None:
    """What the turn before it left is collected when it begins; what it makes itself is its own."""
    left = list[weakref.ref[Circle]]()
    alive = list[int]()

    def leave() -> None:
        alive.append(sum(each() is not None for each in left))
        left.append(weakref.ref(Circle()))

    backend = Watchful(inner=ground.backend, asked=leave)
    gc.disable()  # or it might be collected by chance
    try:
        async with turn_ways(replace(ground, backend=backend), tool_seconds=TOOL_SECONDS) as found:
            left.clear()
            alive.clear()
            await found.ways[name]()
    finally:
        gc.enable()

    assert alive == [0, 0]


@pytest.mark.parametrize("name", [BARE, RECORDED, GATED])
@pytest.mark.usefixtures("_nothing_stays")
async def test_tools_that_do_not_work_are_no_sample(ground: Ground, name: str) -> None:
    """Whatever is installed."""
    async with turn_ways(replace(ground, backend=idle_backend), tool_seconds=3600) as found:
        with pytest.raises(BackendError, match="tools work for 3600 s in the database: they ran no statement there"):
            await found.ways[name]()


async def test_a_small_backend_has_turns_too(ground: Ground) -> None:
    """One that shares nothing with the reference backend but the protocol."""
    template = await ground.clones.template("costs_minimal", minimal_backend.prepare)
    small = replace(ground, backend=minimal_backend, template=template)
    async with turn_ways(small, tool_seconds=TOOL_SECONDS) as found:
        for name in (BARE, RECORDED, GATED, WATCHED):
            assert (await found.ways[name]()).seconds >= TOOL_SECONDS


class Toolless(ReferenceBackend):
    """A backend whose agent has no tools."""

    tenants = (Tenant(account="a", agent="b", tools={}),)


class Modeless(ReferenceBackend):
    """A backend that cannot be started in any mode."""

    modes = frozenset()


@pytest.mark.parametrize(("backend", "reason"), [(Toolless(), "no tool for the role 'read'"), (Modeless(), "none of")])
async def test_a_backend_that_lacks_the_turn_is_told(ground: Ground, backend: Backend, reason: str) -> None:
    """A document without numbers says why there are none."""
    lacking = replace(ground, backend=backend)
    for ways in (turn_ways, cell_ways):
        with pytest.raises(UsageError, match=reason):
            await ways(lacking).__aenter__()
        document = await measure(cost(lambda ways=ways: ways(lacking)))  # type: ignore[misc]  # a lambda's default
        assert (document.arms, document.reached, document.ended) == ((), False, "failure")
        assert reason in document.missing[0]


@pytest.mark.usefixtures("_nothing_stays")
async def test_a_cell_of_verify(ground: Ground) -> None:
    """Judged as the command would; one that shows something else is no sample."""
    async with cell_ways(ground, tool_seconds=TOOL_SECONDS) as found:
        assert (await found.ways["cell"]()).seconds > TOOL_SECONDS
    async with cell_ways(replace(ground, backend=idle_backend), tool_seconds=TOOL_SECONDS) as found:
        with pytest.raises(BackendError, match="the cell is unknown"):
            await found.ways["cell"]()


async def entries(database: Database) -> int:
    connection = await asyncpg.connect(database.url.replace("+asyncpg", ""))
    try:
        assert await connection.fetchval("SELECT count(*) FROM llm_requests") == 0
        return int(await connection.fetchval("SELECT count(*) FROM directory_entries"))
    finally:
        await connection.close()


@pytest.mark.usefixtures("_nothing_stays")
async def test_every_way_gives_a_database_with_the_template_s_rows(ground: Ground) -> None:
    """And takes it away again: nobody gets what another test has written."""
    seen: list[tuple[str, int]] = []

    async def look(database: Database) -> None:
        seen.append((database.name, await entries(database)))
        connection = await asyncpg.connect(database.url.replace("+asyncpg", ""))
        await connection.execute("DELETE FROM directory_entries")
        await connection.close()

    async with database_ways(ground, seen=look) as found:
        assert list(found.ways) == [READY, BACK_TO_BACK, CLONE, JANITOR, CREATE_ALL]
        assert found.missing == ()
        for _ in range(2):
            for way in found.ways.values():
                await way()

    rows = {count for _, count in seen}
    assert len(rows) == 1
    assert rows.pop() > 0
    assert len({name for name, _ in seen}) == 2 * 5 - 1  # create_all makes tables, and no database
    assert all(name.startswith(ground.clones.prefix) for name, _ in seen)


@pytest.mark.parametrize("ways", [database_ways, given_back_ways])
@pytest.mark.usefixtures("_nothing_stays")
async def test_taking_and_giving_back_are_timed_apart(
    ground: Ground, ways: Callable[..., AbstractAsyncContextManager[Ways]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that stands still but while the database is used, nothing takes any time."""
    now = 0.0

    async def use(database: Database) -> None:
        nonlocal now
        now += 1.0

    for module in (cost_database, rivals):
        monkeypatch.setattr(module, "perf_counter", lambda: now)
    async with ways(ground, seen=use) as found:
        assert [(await way()).seconds for way in found.ways.values()] == [0.0] * len(found.ways)

    assert now == len(found.ways)


class Counting(Clones):
    """Counts the copies that are made."""

    made = 0

    async def copy(self, connection: Connection, template: str, database: Database) -> None:
        await super().copy(connection, template, database)
        self.made += 1


@pytest.mark.usefixtures("_nothing_stays")
async def test_back_to_back_waits_for_a_copy_to_be_made(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time, of which a ready copy has nothing; by a clock that counts copies."""
    counting = Counting(ground.running, ground.clones.prefix.split("_")[1])
    monkeypatch.setattr(cost_database, "perf_counter", lambda: float(counting.made))
    async with database_ways(replace(ground, clones=counting)) as found:
        seconds = [(await found.ways[name]()).seconds for name in (READY, BACK_TO_BACK, CLONE, BACK_TO_BACK, READY)]

    assert seconds == [0.0, 1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("name", [READY, BACK_TO_BACK, CLONE, JANITOR, CREATE_ALL])
@pytest.mark.usefixtures("_nothing_stays")
async def test_an_interrupted_way_leaves_no_database(ground: Ground, name: str) -> None:
    """Whoever ends the benchmark in the middle of it."""

    async def interrupt(database: Database) -> None:
        interrupted.cancel()
        await asyncio.sleep(0)

    async def run() -> None:
        async with database_ways(ground, seen=interrupt) as found:
            await found.ways[name]()

    interrupted = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await interrupted


async def test_a_rival_that_is_not_installed_is_named(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; the others are measured."""
    monkeypatch.setitem(sys.modules, "pytest_postgresql.janitor", None)
    document = await measure(cost(lambda: database_ways(ground), reference=READY))

    assert [arm.name for arm in document.arms] == [READY, BACK_TO_BACK, CLONE, CREATE_ALL]
    assert len(document.missing) == 1
    assert document.missing[0].startswith("pytest-postgresql: it cannot be imported")
    assert document.missing[0].endswith("python3 -m pip install 'sessionproof[rivals]'")


async def test_a_rival_that_fails_is_named(ground: Ground) -> None:
    """With what it said, and without the password; the others go on."""
    address = replace(ground.running.address, password="not the password")
    elsewhere = replace(ground, running=replace(ground.running, address=address))
    async with rivals.janitor(elsewhere) as way:
        with pytest.raises(MissingEvidence, match="OperationalError") as raised:
            await way()
    document = await measure(cost(lambda: database_ways(elsewhere), reference=READY))

    arms = {arm.name: arm for arm in document.arms}
    assert "not the password" not in str(raised.value)
    assert arms[JANITOR].failure is not None
    assert arms[JANITOR].ratio is None
    assert arms[CREATE_ALL].failure is None
    assert len(arms[CREATE_ALL].samples) == 5


async def test_tables_that_cannot_be_made_again_are_named(ground: Ground) -> None:
    """A column of a type that SQLAlchemy does not know."""

    async def prepare(url: str) -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute("CREATE TABLE t (n int, s xid8)")
        await connection.close()

    template = await ground.clones.template("xid8", prepare)
    async with database_ways(replace(ground, template=template)) as found:
        assert list(found.ways) == [READY, BACK_TO_BACK, CLONE, JANITOR]
        assert found.missing[0].startswith("create_all: SQLAlchemy does not know the type of t.s")


async def test_what_the_database_computes_is_not_written(ground: Ground) -> None:
    """Tables with such columns are made again all the same."""

    async def prepare(url: str) -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute(
            "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, "
            "twice int GENERATED ALWAYS AS (2 * n) STORED)"
        )
        await connection.execute("INSERT INTO t (n) VALUES (1), (2)")
        await connection.close()

    seen: list[int] = []

    async def look(database: Database) -> None:
        connection = await asyncpg.connect(database.url.replace("+asyncpg", ""))
        seen.append(await connection.fetchval("SELECT sum(twice) FROM t"))
        await connection.close()

    template = await ground.clones.template("computed", prepare)
    async with rivals.create_all(replace(ground, template=template), seen=look) as way:
        await way()
        await way()

    assert seen == [6, 6]


async def test_without_an_engine_containers_are_named(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a rival, and as a server."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    module = await measure(cost(lambda: module_ways(ground), reference=READY))
    server = await measure(cost(lambda: container_ways(ground)))

    for document in (module, server):
        assert document.arms == ()
        assert document.missing[0].startswith("x: no Docker engine answered at unix:///nowhere/docker.sock")


async def test_a_start_and_a_stop_are_of_the_same_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is first starts one, and nobody leaves it running."""
    made: list[EmbeddedServer] = []

    def make() -> EmbeddedServer:
        made.append(EmbeddedServer())
        return made[-1]

    monkeypatch.setattr(cost_server, "EmbeddedServer", make)
    async with embedded_ways() as found:
        samples = [await found.ways[each]() for each in (STOP, START, START, STOP)]

    assert all(sample.seconds > 0 for sample in samples)
    assert len(made) == 2
    assert all(server._guard is None for server in made)


async def test_a_container_of_a_module_s_own(ground: Ground, image: str) -> None:
    """It has the backend's rows, and is gone afterwards; so is a server of that kind."""
    from harness.postgres import engine  # noqa: PLC0415  # half a second

    seen: list[int] = []

    async def look(database: Database) -> None:
        seen.append(await entries(database))

    def containers() -> set[str]:
        with engine.open_client() as client:
            return {str(each.name) for each in client.client.containers.list(all=True)}

    before = await asyncio.to_thread(containers)
    ready = replace(ground, image=image)
    async with module_ways(ready, seen=look) as found:
        for way in found.ways.values():
            await way()
    async with container_ways(ready) as servers:
        assert (await servers.ways[START]()).seconds > 0

    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert await asyncio.to_thread(containers) == before


class Slow:
    """Starts when it may."""

    def __init__(self, *, fails: bool) -> None:
        self.begun = threading.Event()
        self.may = threading.Event()
        self.fails = fails
        self.done: list[str] = []

    def start(self) -> None:
        self.begun.set()
        self.may.wait()
        self.done.append("started")
        if self.fails:
            raise OSError("no space")

    def stop(self) -> None:
        self.done.append("stopped")


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("everything", [False, True])
async def test_what_starts_when_it_is_cancelled_is_stopped(*, fails: bool, everything: bool) -> None:
    """Not before it has started, which nobody can keep it from; also if every task of the loop is cancelled."""
    slow = Slow(fails=fails)
    before = asyncio.all_tasks()

    async def use() -> None:
        async with started(slow):
            raise AssertionError("it was cancelled before")

    using = asyncio.create_task(use())
    await asyncio.to_thread(slow.begun.wait)
    for task in asyncio.all_tasks() - before if everything else {using}:
        task.cancel()
    waiting, _ = await asyncio.wait({using}, timeout=0)
    assert slow.done == []
    slow.may.set()
    await asyncio.wait({using})

    assert not waiting
    assert using.cancelled()
    assert slow.done == ["started", "stopped"]


async def test_what_does_not_start_is_stopped_and_told() -> None:
    """It may have started in part."""
    slow = Slow(fails=True)
    slow.may.set()
    with pytest.raises(OSError, match="no space"):
        await started(slow).__aenter__()

    assert slow.done == ["started", "stopped"]


def cost(ways: Callable[[], AbstractAsyncContextManager[Ways]], *, reference: str | None = None) -> Cost:
    return Cost(name="x", question="?", reference=reference, limits=ONCE, ways=ways)


async def of(**ways: Way) -> CostDocument:
    @asynccontextmanager
    async def found() -> AsyncIterator[Ways]:
        yield Ways(ways=ways, missing=("c: not here",))

    return await measure(cost(found, reference="a"))


def way(seconds: float, *, fails_after: int = 1000) -> Way:
    runs = iter(range(fails_after))

    async def once() -> Sample:
        if next(runs, None) is None:
            raise EnvironmentMissing("no more of these")
        return Sample(seconds=seconds)

    return once


async def test_ways_are_described_with_their_ratios() -> None:
    """The reference first; what is missing is named, what fails too, and without an interval there is no number."""
    document = await of(b=way(3.0), a=way(2.0), d=way(1.0, fails_after=3))

    a, b, d = document.arms
    assert (document.reference, document.ended, document.missing) == ("a", Ended.INTERVAL, ("c: not here",))
    assert [arm.name for arm in document.arms] == ["a", "b", "d"]
    assert a.seconds is not None
    assert a.seconds.value == 2.0
    assert b.ratio is not None
    assert b.ratio.value == pytest.approx(1.5)
    assert (len(d.samples), d.seconds, d.ratio, d.failure) == (3, None, None, "no more of these")


async def test_without_a_reference_nothing_is_compared() -> None:
    """Nor if it cannot be had here."""
    document = await of(b=way(3.0), d=way(1.0))

    assert document.reference is None
    assert [arm.ratio for arm in document.arms] == [None, None]
    assert all(arm.seconds is not None for arm in document.arms)


async def test_all_costs_by_name(ground: Ground) -> None:
    """The quick form ends in time, without containers; the full one is longer, and closer."""
    quick, full = costs(ground), costs(ground, full=True)

    assert [each.name for each in quick] == [
        "turn",
        "database",
        "database given back",
        "database for a module",
        "embedded server",
        "server in a container",
        "verify cell",
    ]
    changing = [index for index, each in enumerate(quick) if each.limits is not full[index].limits]
    assert changing == [0, 1, 2, 4, 6]
    assert sum(quick[index].limits.seconds for index in changing) <= 65
    assert all(full[index].limits.half_width < quick[index].limits.half_width for index in changing)


class Refusing(Clones):
    """The server refuses everything after some connections."""

    def __init__(self, running: RunningServer, run_id: str, *, after: int) -> None:
        super().__init__(running, run_id)
        self.left = after

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        self.left -= 1
        if self.left < 0:
            raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
        async with super().connect() as connection:
            yield connection


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncpg.DiskFullError("no space"), "DiskFullError: no space"),
        (ConnectionResetError("reset by peer"), "ConnectionResetError: reset by peer"),
        (TimeoutError("too late"), "TimeoutError: too late"),
        (asyncpg.InterfaceError("connection is closed"), "InterfaceError: connection is closed"),
    ],
)
async def test_a_server_that_fails_is_a_reason(error: Exception, said: str) -> None:
    """Of the arm, if it does in one; of the whole, before and after them. What was measured is kept."""

    async def fails() -> Sample:
        raise error

    @asynccontextmanager
    async def found(*, entered: bool) -> AsyncIterator[Ways]:
        if not entered:
            raise error
        yield Ways(ways={"a": way(1.0), "b": way(2.0)}, missing=("c: not here",))
        raise error

    arm = await of(a=way(1.0), b=fails, d=way(2.0))
    entering = await measure(cost(lambda: found(entered=False), reference="a"))
    leaving = await measure(cost(lambda: found(entered=True), reference="a"))

    assert [each.failure for each in arm.arms] == [None, said, None]
    assert (entering.arms, entering.missing) == ((), (f"x: {said}",))
    assert [len(each.samples) for each in leaving.arms] == [5, 5]
    assert leaving.missing == ("c: not here", f"x: {said}")


async def test_a_defect_of_the_harness_is_no_reason() -> None:
    """It is raised."""

    async def fails() -> Sample:
        raise LookupError("a defect")

    with pytest.raises(LookupError, match="a defect"):
        await of(a=way(1.0), b=fails)


async def test_copies_that_cannot_be_made_are_named(ground: Ground) -> None:
    """By what the server said, each for itself; and what the pool was told, once it is asked."""
    run = ground.clones.prefix.split("_")[1]
    refusing = replace(ground, clones=Refusing(ground.running, run, after=0))
    document = await measure(cost(lambda: database_ways(refusing), reference=READY))

    said = "TooManyConnectionsError: sorry, too many clients already"
    failures = {arm.name: arm.failure or "" for arm in document.arms}
    assert document.ended == Ended.FAILURE
    assert list(failures) == [READY, BACK_TO_BACK, CLONE, JANITOR]
    assert all(failure.startswith(said) for failure in failures.values())
    assert document.missing[0] == f"create_all: {said}"
    assert document.missing[1].startswith(f"x: {said}")
