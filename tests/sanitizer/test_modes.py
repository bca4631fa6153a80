"""What a watch does with a finding: raise, warn, log, or keep it."""

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from harness.evidence import SessionRace
from harness.sanitizer import SessionRaceError, SessionRaceWarning, watch_sessions
from tests.sanitizer.ablation_programs.pairs import by_luck, during
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.racy_programs.consequences import shared_session
from tests.sanitizer.world import Note, Steps, World

Step = Callable[[], Awaitable[object]]


async def caught(step: Step) -> SessionRaceError | None:
    """What the sanitizer raises in it."""
    try:
        await step()
    except SessionRaceError as error:
        return error
    return None


async def race(world: World, one: Step, other: Step) -> SessionRaceError | None:
    """The other begins, by luck, when the one has ended; returns what it raises."""
    raised: list[SessionRaceError | None] = []

    async def watched() -> None:
        raised.append(await caught(other))

    await by_luck(world, one, watched)
    return raised[0]


async def count(world: World) -> int:
    """How many notes are committed; there were 20."""
    async with world.engine_with() as engine, engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(Note)) or 0)


async def insert(session: AsyncSession, body: str) -> None:
    """Write a row."""
    await session.execute(text("INSERT INTO notes (body) VALUES (:body)"), {"body": body})


# -- raise ------------------------------------------------------------------------------------------------------


async def test_the_second_access_raises(make_world: MakeWorld) -> None:
    """The error carries the finding, which is kept, too; the operation is not made, and the session can go on."""
    async with make_world() as world, world.session() as session:
        with watch_sessions("raise") as watch:
            error = await race(world, partial(insert, session, "one"), partial(insert, session, "other"))
            await session.commit()
        committed = await count(world)

    assert error is not None
    assert [error.finding] == list(watch.findings)
    assert str(error).startswith("session race (unordered) on Session 1: nothing orders the two operations")
    assert committed == 21
    assert watch.problems == ()


async def test_an_operation_in_flight_is_left_alone(make_world: MakeWorld) -> None:
    """The second one raises at once, without waiting for the driver's mutex, and the first one returns its rows."""
    results: list[object] = []
    async with make_world() as world, world.session() as session:
        hold = world.hold()

        async def slow() -> None:
            results.append(await session.scalar(hold.statement))

        async def quick() -> None:
            results.append(await caught(partial(session.execute, text("SELECT 1"))))

        with watch_sessions("raise"):
            await during(world, hold, slow, quick)

    assert isinstance(results[0], SessionRaceError)
    assert results[1] == 1


@pytest.mark.parametrize("staging", ["add", "expire", "change"])
async def test_staging_raises(staging: str, make_world: MakeWorld) -> None:
    """And then changes nothing."""
    async with make_world() as world, shared_session(world) as session:
        note = await session.get_one(Note, 1)
        hold = world.hold()

        async def quick() -> None:
            with pytest.raises(SessionRaceError):  # noqa: PT012  # one of several
                if staging == "add":
                    session.add(Note(body="added"))
                elif staging == "expire":
                    session.expire(note)
                else:
                    note.body = "changed"

        with watch_sessions("raise"):
            await during(world, hold, partial(session.execute, hold.statement), quick)
        seen = (list(session.new), "body" in note.__dict__)
        await session.commit()
        await session.refresh(note)

    assert seen == ([], True)
    assert note.body == "note 1"


async def test_a_commit_of_anothers_rows_raises(make_world: MakeWorld) -> None:
    """A bleed is raised before anything is committed, and the rows can be rolled back."""
    lock = asyncio.Lock()
    raised: list[SessionRaceError | None] = []
    async with make_world() as world, world.session() as session:

        async def write() -> None:
            async with lock:
                await insert(session, "one")
            world.steps.reach("written")
            await world.steps.until("ended")

        async def commit() -> None:
            await world.steps.until("written")
            async with lock:
                raised.append(await caught(session.commit))
            world.steps.reach("ended")

        with watch_sessions("raise"):
            await asyncio.gather(write(), commit())
            await session.rollback()
        committed = await count(world)

    assert [error and str(error.finding.kind) for error in raised] == ["bleed"]
    assert committed == 20


async def test_a_close_is_made_all_the_same(make_world: MakeWorld) -> None:
    """What cleans up does not raise, or connections would be lost; it is found."""
    async with make_world() as world:
        session = world.session()
        with watch_sessions("raise") as watch:
            error = await race(world, partial(session.execute, text("SELECT 1")), session.close)
            assert error is None
            assert not session.in_transaction()

    assert [(str(each.kind), each.second.operation) for each in watch.findings] == [("unordered", "Session.close")]


async def test_a_block_that_raises_closes_its_session(make_world: MakeWorld) -> None:
    """The error goes through `async with`, and the connection is back in the pool."""
    async with make_world() as world, world.engine_with(pool_size=1, max_overflow=0, pool_timeout=5) as engine:
        with watch_sessions("raise"), suppress(SessionRaceError):
            async with AsyncSession(engine) as session, asyncio.timeout(10):
                error = await race(world, partial(insert, session, "one"), partial(insert, session, "other"))
                assert error is not None
                raise error
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1


async def test_a_swallowed_error_is_recorded(make_world: MakeWorld) -> None:
    """Whoever catches everything hides nothing."""
    told: list[SessionRace] = []

    async def swallow(session: AsyncSession) -> None:
        with suppress(Exception):
            await session.execute(text("SELECT 2"))

    async with make_world() as world, world.session() as session:
        with watch_sessions("raise", on_finding=told.append) as watch:
            await by_luck(world, partial(session.execute, text("SELECT 1")), partial(swallow, session))

    assert [str(each.kind) for each in watch.findings] == ["unordered"]
    assert told == list(watch.findings)


async def test_a_raw_connection_raises(make_world: MakeWorld) -> None:
    """The driver does not get to see the second query, and the connection goes on."""
    async with make_world() as world:
        connection = await asyncpg.connect(world.dsn)
        with watch_sessions("raise"):
            error = await race(
                world, partial(connection.execute, "SELECT 1"), partial(connection.execute, "CREATE TABLE late ()")
            )
            assert await connection.fetchval("SELECT to_regclass('late')") is None
        await connection.close()

    assert error is not None


async def test_another_thread_raises(make_world: MakeWorld) -> None:
    """A session that is used in a thread is not used at all."""
    async with make_world() as world, world.session() as session:
        await session.execute(text("SELECT 1"))
        with watch_sessions("raise"):
            await session.execute(text("SELECT 1"))
            with pytest.raises(SessionRaceError, match="foreign_thread"):
                await asyncio.to_thread(session.add, Note(body="by a thread"))
        assert list(session.new) == []


async def test_the_strictest_of_several_watches(make_world: MakeWorld) -> None:
    """All of them are told, and if one of them raises, the program sees it."""
    async with make_world() as world, world.session() as session:
        with watch_sessions() as first, watch_sessions("raise") as second, watch_sessions() as third:
            error = await race(world, partial(insert, session, "one"), partial(insert, session, "other"))

    assert error is not None
    assert [len(watch.findings) for watch in (first, second, third)] == [1, 1, 1]


# -- warn, log, collect -----------------------------------------------------------------------------------------


async def repeat(world: World, session: AsyncSession, times: int) -> None:
    """The same race, again and again."""

    async def use() -> None:
        await session.execute(text("SELECT 1"))

    for _ in range(times):
        world.steps = Steps()
        await by_luck(world, use, use)


async def test_a_warning_comes_once(make_world: MakeWorld) -> None:
    """However often the two places meet; the finding counts."""
    async with make_world() as world, world.session() as session:
        with watch_sessions("warn") as watch, pytest.warns(SessionRaceWarning, match="session race") as seen:
            await repeat(world, session, 3)

    assert len(seen) == 1
    assert len(watch.findings) == 1
    assert watch.findings[0].count >= 3


async def test_where_warnings_are_errors_the_program_goes_on(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning is logged instead."""
    async with make_world() as world, world.session() as session:
        with watch_sessions("warn") as watch, warnings.catch_warnings():
            warnings.simplefilter("error")
            await repeat(world, session, 2)
            assert await session.scalar(text("SELECT 1")) == 1

    assert len(watch.findings) == 1
    assert watch.problems == ()
    assert [record.message.startswith("session race") for record in caplog.records] == [True]


async def test_a_log_record_comes_once(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """A warning of the logger `harness.sanitizer`, with both stacks; at the end, how often it was left out."""
    async with make_world() as world, world.session() as session:
        with watch_sessions("log", stacks=1.0) as watch:
            await repeat(world, session, 3)

    assert [(record.name, record.levelno) for record in caplog.records] == [("harness.sanitizer", logging.WARNING)] * 2
    assert caplog.records[1].message.startswith("the log of session races ends, and 2 were not logged")
    assert caplog.records[0].message.count("test_modes.py") >= 2
    assert len(watch.findings) == 1


@pytest.mark.filterwarnings("error")
async def test_collecting_is_silent(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised, warned of, or logged."""
    async with make_world() as world, world.session() as session:
        with watch_sessions() as watch:
            await repeat(world, session, 3)

    assert caplog.records == []
    assert len(watch.findings) == 1


async def test_a_listener_hears_of_a_finding_once(make_world: MakeWorld) -> None:
    """In the task of the second access, at that moment."""
    heard: list[tuple[str, str]] = []

    def listen(finding: SessionRace) -> None:
        task = asyncio.current_task()
        heard.append((finding.second.task, task.get_name() if task is not None else ""))

    async with make_world() as world, world.session() as session:
        with watch_sessions(on_finding=listen):
            await repeat(world, session, 3)

    assert len(heard) == 1
    assert heard[0][0] == heard[0][1]


async def test_what_cleans_up_is_made_to_its_end(make_world: MakeWorld) -> None:
    """Also if what lies below it races: nothing is raised, the finding is there, and the connection is in its pool."""
    async with make_world(warm=1) as world:
        session = world.session()
        with watch_sessions("raise") as watch:
            driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
            await by_luck(world, partial(driver.fetchval, "SELECT 1"), session.close)

        pool: Any = world.engine.pool
        assert [str(each.kind) for each in watch.findings] == ["unordered"]
        assert pool.checkedout() == 0
