"""Other ways to a database, beside the harness's own: what one lacks is named, and what it starts is stopped."""

import asyncio
import sys
import threading
from dataclasses import replace

import asyncpg
import pytest

from harness.bench import rivals
from harness.bench.cost import Ground, measure
from harness.bench.cost_database import BACK_TO_BACK, CLONE, READY, database_ways
from harness.bench.rivals import CREATE_ALL, JANITOR, started
from harness.errors import MissingEvidence
from harness.postgres.clones import Database
from tests.bench.grounds import cost


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
