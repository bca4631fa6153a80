"""A database of a test's own, had in each of the ways: what is timed, that none stays, and that a server may refuse."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from harness.bench import cost_database, rivals
from harness.bench.cost import Ground, Ways, measure
from harness.bench.cost_database import BACK_TO_BACK, CLONE, READY, database_ways, given_back_ways
from harness.bench.interleave import Ended
from harness.bench.rivals import CREATE_ALL, JANITOR
from harness.postgres import Clones, RunningServer
from harness.postgres.admin import Connection
from harness.postgres.clones import Database
from tests.bench.grounds import cost, entries


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
