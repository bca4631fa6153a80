"""Copies that are there before anybody asks: taken at once, waited for if there is none, and all gone at the end."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from harness.errors import UsageError
from harness.postgres import Clones, RunningServer
from harness.postgres.admin import Connection, connect
from harness.postgres.clones import Database, databases
from harness.postgres.ready import ReadyClones


async def prepare(url: str) -> None:
    async with connected(url) as connection:
        await connection.execute("CREATE TABLE t AS SELECT 1 AS n")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def rows(url: str) -> int:
    async with connected(url) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM t"))


async def names(running: RunningServer, clones: Clones) -> list[str]:
    async with connect(running.address, running.maintenance_database) as connection:
        return await databases(connection, clones.prefix)


@pytest.fixture
async def template(clones: Clones) -> str:
    """The name of a template with one table of one row."""
    return await clones.template("base", prepare)


class Held(Clones):
    """Makes copies one at a time, and only as many as are let through."""

    def __init__(self, running: RunningServer, run_id: str, *, let: int = 0) -> None:
        super().__init__(running, run_id)
        self.through = asyncio.Semaphore(let)
        self.begun = asyncio.Event()
        self.copies = 0
        self.lost = asyncio.Event()
        self.opened: list[Connection] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        async with super().connect() as connection:
            self.opened.append(connection)
            connection.add_termination_listener(lambda *_: self.lost.set())
            yield connection

    async def copy(self, connection: Connection, template: str, database: Database) -> None:
        self.begun.set()
        self.copies += 1
        await self.through.acquire()
        await super().copy(connection, template, database)


@pytest.fixture
async def held(running: RunningServer, clones: Clones) -> Held:
    """The same run's databases, with copies that must be let through."""
    return Held(running, clones.prefix.split("_")[1])


async def test_a_copy_that_is_ready_needs_no_server(held: Held, template: str) -> None:
    """Nothing is made for whoever takes it, beyond what was made before; and it has the template's rows."""
    held.through = asyncio.Semaphore(2)
    async with ReadyClones(held, ready=2) as pool:
        pool.expect(template)
        await pool.settled()
        async with pool.clone(template, label="one") as one, pool.clone(template, label="two") as two:
            assert one.name != two.name
            assert [await rows(each.url) for each in (one, two)] == [1, 1]


async def test_copies_are_isolated_from_each_other(clones: Clones, template: str) -> None:
    """What is written to one is seen in no other, nor in one made later."""
    async with ReadyClones(clones, ready=1) as pool, pool.clone(template, label="one") as one:
        async with connected(one.url) as connection:
            await connection.execute("INSERT INTO t VALUES (2)")
        async with pool.clone(template, label="two") as two:
            assert [await rows(each.url) for each in (one, two)] == [2, 1]


async def test_an_empty_pool_waits_for_the_copy_that_is_being_made(held: Held, template: str) -> None:
    """Who comes first gets the first one; nobody makes one of their own."""
    order = list[str]()

    async def take(name: str) -> None:
        async with pool.clone(template, label=name):
            order.append(name)

    async with ReadyClones(held, ready=1) as pool, asyncio.TaskGroup() as group:
        first = group.create_task(take("first"))
        second = group.create_task(take("second"))
        held.through.release()
        await first
        assert not second.done()
        held.through.release()
        await second

    assert order == ["first", "second"]


async def test_whoever_gives_up_leaves_the_copy_to_the_next(held: Held, template: str) -> None:
    """A copy that nobody waits for any more is not lost, and not made twice."""
    async with ReadyClones(held, ready=1) as pool:
        waiting = asyncio.ensure_future(pool.clone(template, label="gives up").__aenter__())
        await held.begun.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        held.through.release()
        async with pool.clone(template, label="next") as database:
            assert await rows(database.url) == 1
        assert waiting.cancelled()


async def test_nothing_is_left_behind(held: Held, running: RunningServer, template: str) -> None:
    """Copies that were used, are used, and were never taken; both tasks, and their connections."""
    held.through = asyncio.Semaphore(99)
    tasks = asyncio.all_tasks()
    async with ReadyClones(held, ready=3) as pool:
        async with pool.clone(template, label="used"):
            pass
        never_given_back = pool.clone(template, label="x")
        await never_given_back.__aenter__()
        await pool.settled()
        assert len(await names(running, held)) == 1 + 1 + 3

    assert await names(running, held) == [template]
    assert asyncio.all_tasks() == tasks
    assert len(held.opened) == 2
    assert all(connection.is_closed() for connection in held.opened)


async def test_a_fill_that_is_interrupted_leaves_no_database(
    clones: Clones, running: RunningServer, template: str
) -> None:
    """The pool is closed while the server copies; once with the copy half made, once with it just done."""
    for looks in (1, 2, 5, 50):
        async with ReadyClones(clones, ready=5) as pool:
            pool.expect(template)
            async with connect(running.address, running.maintenance_database) as connection:
                for _ in range(looks):
                    await databases(connection, clones.prefix)

        assert await names(running, clones) == [template]


async def test_a_copy_is_dropped_though_somebody_is_connected_or_fails(
    clones: Clones, running: RunningServer, template: str
) -> None:
    """An exception in the body goes through, and the database goes in the background."""
    async with ReadyClones(clones, ready=1) as pool:
        context = pool.clone(template, label="x")
        database = await context.__aenter__()
        held = await asyncpg.connect(database.url.replace("+asyncpg", ""))
        assert not await context.__aexit__(LookupError, LookupError(), None)
        await pool.settled()
        assert database.name not in await names(running, clones)
        await held.close()


async def test_the_connections_are_kept(held: Held, template: str) -> None:
    """One to make copies, and one to drop them, however many there are."""
    held.through = asyncio.Semaphore(99)
    async with ReadyClones(held, ready=2) as pool:
        for _ in range(5):
            async with pool.clone(template, label="x"):
                pass
        await pool.settled()
        assert len(held.opened) == 2


async def test_what_goes_wrong_in_the_background_reaches_the_next(clones: Clones, template: str) -> None:
    """With what it was wanted for; and once the cause is gone, there are copies again."""
    async with ReadyClones(clones, ready=1) as pool:
        gone = f"{clones.prefix}t_gone"
        pool.expect(gone)
        await pool.settled()
        with pytest.raises(asyncpg.InvalidCatalogNameError, match=gone) as raised:
            await pool.clone(gone, label="my test").__aenter__()
        async with pool.clone(template, label="x") as database:
            assert await rows(database.url) == 1

    assert raised.value.__notes__ == [f"while a copy of {gone!r} was to be had for 'my test'"]


async def test_a_lost_connection_is_opened_anew(held: Held, running: RunningServer, template: str) -> None:
    """Whoever waits for the copy that it was lost with is told; whoever comes next gets a copy."""
    async with ReadyClones(held, ready=1) as pool:
        waiting = asyncio.ensure_future(pool.clone(template, label="x").__aenter__())
        await held.begun.wait()
        await end_sessions(running)
        await held.lost.wait()
        held.through.release()
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await waiting
        held.through.release()
        async with pool.clone(template, label="x") as database:
            assert await rows(database.url) == 1

    assert await names(running, held) == [template]


async def end_sessions(running: RunningServer) -> None:
    """End every other connection to the maintenance database."""
    async with connect(running.address, running.maintenance_database) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


@dataclass
class Losing:
    """A connection that is lost when it is to drop something."""

    inner: Connection

    def is_closed(self) -> bool:
        return self.inner.is_closed()

    async def execute(self, query: str) -> str:
        if query.startswith("DROP"):
            self.inner.terminate()
        return await self.inner.execute(query)


class LosingOnce(Clones):
    """The first two connections are such: that which makes copies, and that which drops them."""

    opened = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        async with super().connect() as connection:
            self.opened += 1
            yield cast("Connection", Losing(connection)) if self.opened <= 2 else connection


async def test_a_drop_that_fails_once_is_nobody_s_business(
    clones: Clones, running: RunningServer, template: str
) -> None:
    """It is tried again on a new connection; whoever asks next has nothing to do with it."""
    losing = LosingOnce(running, clones.prefix.split("_")[1])
    async with ReadyClones(losing, ready=1) as pool:
        async with pool.clone(template, label="one") as one:
            pass
        await pool.settled()
        assert losing.opened == 3
        assert one.name not in await names(running, clones)
        async with pool.clone(template, label="two") as two:
            assert await rows(two.url) == 1

    assert await names(running, clones) == [template]


def test_tasks_that_are_all_cancelled_leave_nothing(running: RunningServer) -> None:
    """As `asyncio.run` does to those that are left when its own has ended: the pool's among them, and its user's."""
    clones = Clones(running, secrets.token_hex(4))
    reached = asyncio.Event()

    async def use(template: str) -> None:
        async with ReadyClones(clones, ready=2) as pool:
            pool.expect(template)
            await pool.settled()
            async with pool.clone(template, label="x"):
                reached.set()
                await asyncio.Event().wait()

    async def main() -> tuple[str, asyncio.Task[None]]:
        template = await clones.template("base", prepare)
        using = asyncio.create_task(use(template))
        await reached.wait()
        return template, using

    template, using = asyncio.run(main())

    assert using.cancelled()
    assert asyncio.run(names(running, clones)) == [template]
    asyncio.run(clones.drop_all())


class Patient(Clones):
    """Its connections take some rounds of the loop to close, and note who does not let them."""

    def __init__(self, running: RunningServer, run_id: str) -> None:
        super().__init__(running, run_id)
        self.closed = 0
        self.broken_off = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        async with super().connect() as connection:
            try:
                yield connection
            finally:
                try:
                    for _ in range(20):
                        await asyncio.sleep(0)
                except asyncio.CancelledError:
                    self.broken_off += 1
                    raise
                self.closed += 1


@pytest.mark.parametrize("user_first", [False, True])
async def test_a_copy_that_is_cancelled_with_its_user_is_taken_back_in_peace(
    running: RunningServer, clones: Clones, template: str, user_first: bool
) -> None:
    """All are cancelled in one go; leaving the pool does not cancel those a second time who close their connections."""
    patient = Patient(running, clones.prefix.split("_")[1])
    before = asyncio.all_tasks()
    using_it = asyncio.Event()

    async def use() -> None:
        async with ReadyClones(patient, ready=1) as pool:
            async with pool.clone(template, label="one"):
                pass
            await pool.settled()
            async with pool.clone(template, label="two"):  # whose place is being filled again when all is cancelled
                using_it.set()
                await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await using_it.wait()
    for task in sorted(asyncio.all_tasks() - before, key=lambda task: (task is using) is not user_first):
        task.cancel()
    await asyncio.wait({using})

    assert using.cancelled()
    assert patient.broken_off == 0
    assert patient.closed == 3  # that which copied, that which dropped, and that which dropped the rest
    assert await names(running, clones) == [template]


@pytest.mark.parametrize("everything", [False, True])
async def test_a_leaving_that_is_cancelled_leaves_nothing(
    clones: Clones, running: RunningServer, template: str, everything: bool
) -> None:
    """The cancellation goes on when all is dropped; whether the pool's own tasks are cancelled with it or not."""
    leaving = asyncio.Event()
    before = asyncio.all_tasks()

    async def use() -> None:
        async with ReadyClones(clones, ready=2) as pool:
            async with pool.clone(template, label="x"):
                pass
            pool.expect(template)
            await pool.settled()
            leaving.set()

    using = asyncio.create_task(use())
    await leaving.wait()
    for task in asyncio.all_tasks() - before if everything else {using}:
        task.cancel()
    await asyncio.wait({using})

    assert using.cancelled()
    assert await names(running, clones) == [template]
    assert asyncio.all_tasks() == before


class Unreachable(Clones):
    """There is one connection, and who wants another waits for ever."""

    opened = 0

    def __init__(self, running: RunningServer, run_id: str) -> None:
        super().__init__(running, run_id)
        self.waited_for = asyncio.Event()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        self.opened += 1
        if self.opened > 1:
            self.waited_for.set()
            await asyncio.Event().wait()
        async with super().connect() as connection:
            yield connection


async def test_a_second_cancellation_says_what_it_left(clones: Clones, running: RunningServer, template: str) -> None:
    """Whoever cannot wait for the clean-up is told what there is to clean up."""
    unreachable = Unreachable(running, clones.prefix.split("_")[1])
    pool = await ReadyClones(unreachable, ready=1).__aenter__()
    pool.expect(template)
    await pool.settled()
    (ready,) = set(await names(running, clones)) - {template}

    async def leave() -> list[str]:
        try:
            await pool.__aexit__(None, None, None)
        except asyncio.CancelledError as error:
            return error.__notes__
        raise AssertionError("it was not cancelled")

    leaving = asyncio.create_task(leave())
    await unreachable.waited_for.wait()  # the task that drops wants one
    unreachable.waited_for.clear()
    leaving.cancel()
    await unreachable.waited_for.wait()  # the clean-up wants one
    leaving.cancel()

    assert await leaving == [f"left on the server, until `Clones.drop_all`: {ready}"]


@pytest.mark.parametrize("which", ["makes", "drops"])
async def test_a_pool_without_a_task_does_not_wait_for_it(
    clones: Clones, running: RunningServer, template: str, which: str
) -> None:
    """Whoever cancels one of them is told, instead of waiting for ever; at the end there is nothing left."""
    async with ReadyClones(clones, ready=1) as pool:
        pool.expect(template)
        await pool.settled()
        (task,) = [each for each in asyncio.all_tasks() if each.get_name() == f"{which} copies of databases"]
        task.cancel()
        await asyncio.wait({task})
        with pytest.raises(UsageError, match="not open"):
            await pool.settled()

    assert await names(running, clones) == [template]


class Undroppable(Clones):
    """Gives names of databases that cannot be dropped."""

    def database(self, label: str) -> Database:
        database = super().database(label)
        return Database(name="template1", url=database.url, masked_url=database.masked_url)

    async def copy(self, connection: Connection, template: str, database: Database) -> None:
        """There is one of that name."""


async def test_what_cannot_be_dropped_is_told_at_the_end(running: RunningServer, template: str) -> None:
    """A pool that leaves something behind does not end in silence; nor is it kept from the next who asks."""
    pool = await ReadyClones(Undroppable(running, "x")).__aenter__()
    async with pool.clone(template, label="x"):
        pass
    await pool.settled()

    with pytest.raises(asyncpg.WrongObjectTypeError, match="template"):
        await pool.clone(template, label="next").__aenter__()
    with pytest.raises(asyncpg.WrongObjectTypeError, match="template"):
        await pool.__aexit__(None, None, None)


async def test_a_pool_that_is_not_open_gives_nothing(clones: Clones, held: Held, template: str) -> None:
    """Not before, not after, and not to those who still wait when it is closed."""
    pool = ReadyClones(clones)
    with pytest.raises(UsageError, match="not open"):
        pool.expect(template)
    async with ReadyClones(held, ready=1) as closing:
        waiting = [asyncio.ensure_future(closing.clone(template, label="x").__aenter__()) for _ in range(3)]
        await held.begun.wait()
    for each in waiting:
        with pytest.raises(UsageError, match="not open"):
            await each
    with pytest.raises(UsageError, match="not open"):
        await closing.clone(template, label="x").__aenter__()
    with pytest.raises(UsageError, match="keeps 0 copies"):
        ReadyClones(clones, ready=0)


def test_a_pool_needs_no_event_loop_to_be_made(running: RunningServer, tmp_path: Path) -> None:
    """It belongs to the loop in which it is entered."""
    clones = Clones(running, "noloop")
    pool = ReadyClones(clones, ready=1)

    async def use() -> int:
        template = await clones.template("base", prepare)
        async with pool, pool.clone(template, label="x") as database:
            found = await rows(database.url)
        await clones.drop_all()
        return found

    assert asyncio.run(use()) == 1
