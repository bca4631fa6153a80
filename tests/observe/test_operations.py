"""Transactional events of sessions, and who caused them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.evidence import OperationKind, SessionOperation
from harness.observe.attribution import current_tool_call
from harness.observe.observation import Observation

BEGIN, FLUSH, COMMIT, ROLLBACK, CLOSE = OperationKind


class Base(DeclarativeBase):
    """Tables of these tests."""


class Note(Base):
    """A row of the table that the fixture makes."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str | None]


def operations_of(observation: Observation) -> tuple[SessionOperation, ...]:
    return observation.records["operations"].items


def kinds_of(observation: Observation) -> list[OperationKind]:
    return [operation.kind for operation in operations_of(observation)]


async def test_a_flush_counts_what_it_wrote(engine: AsyncEngine) -> None:
    """New, changed and deleted objects count, unchanged ones do not."""
    async with Observation(engine) as observation, AsyncSession(engine) as session:
        session.add_all([Note(id=1, body="a"), Note(id=2, body="b"), Note(id=3, body="c")])
        await session.commit()
        first, second, third = [await session.get_one(Note, key) for key in (1, 2, 3)]
        first.body, second.body = "changed", second.body
        await session.delete(third)
        await session.commit()

    assert kinds_of(observation) == [BEGIN, FLUSH, COMMIT, BEGIN, FLUSH, COMMIT]
    assert [each.rows for each in operations_of(observation) if each.kind is FLUSH] == [3, 2]


async def test_the_first_end_of_a_transaction_counts(engine: AsyncEngine) -> None:
    """A rollback ends a transaction; closing afterwards discards nothing more."""
    async with Observation(engine) as observation, AsyncSession(engine) as session:
        session.add(Note(id=1, body="a"))
        await session.flush()
        await session.rollback()

    assert kinds_of(observation) == [BEGIN, FLUSH, ROLLBACK]


async def test_closing_an_open_transaction_is_recorded(engine: AsyncEngine) -> None:
    """A session that is closed without commit loses what it flushed."""
    async with Observation(engine) as observation, AsyncSession(engine) as session:
        session.add(Note(id=1, body="a"))
        await session.flush()

    assert kinds_of(observation) == [BEGIN, FLUSH, CLOSE]


async def test_a_failed_flush_rolls_back_once(engine: AsyncEngine) -> None:
    """SQLAlchemy rolls the transaction back itself; the application's rollback afterwards is not a second one."""
    async with Observation(engine) as observation, AsyncSession(engine) as session:
        session.add(Note(id=1, body=None))
        with pytest.raises(IntegrityError):
            await session.flush()
        await session.rollback()

    assert kinds_of(observation) == [BEGIN, ROLLBACK]


async def test_savepoints_are_not_transactions(engine: AsyncEngine) -> None:
    """Neither the commit nor the rollback of a savepoint ends anything."""
    async with Observation(engine) as observation, AsyncSession(engine) as session:
        async with session.begin_nested():
            session.add(Note(id=1, body="a"))
        savepoint = await session.begin_nested()
        await savepoint.rollback()
        await session.commit()

    assert kinds_of(observation) == [BEGIN, FLUSH, COMMIT]


async def test_each_operation_names_who_did_it(engine: AsyncEngine) -> None:
    """On a shared session, one tool's commit covers the other's flush, and the record tells them apart."""

    async def work(name: str, *, commits: bool) -> None:
        current_tool_call.set(name)
        if commits:
            await session.commit()
        else:
            session.add(Note(id=1, body="a"))
            await session.flush()

    async with Observation(engine) as observation, AsyncSession(engine) as session:
        await asyncio.create_task(work("writer", commits=False), name="writer")
        await asyncio.create_task(work("committer", commits=True), name="committer")

    _, flush, commit = operations_of(observation)
    assert (flush.session, flush.tool_call_id, flush.task) == (1, "writer", "writer")
    assert (commit.session, commit.tool_call_id, commit.task) == (1, "committer", "committer")
    assert commit.stack[-1].endswith("work")


@pytest.fixture
async def other(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    other = create_async_engine(engine.url)
    yield other
    await other.dispose()


async def test_only_sessions_of_the_engine_are_recorded(engine: AsyncEngine, other: AsyncEngine) -> None:
    """Another engine's sessions are not of interest; those of the engine with other options are."""
    options = engine.execution_options(isolation_level="SERIALIZABLE")

    async with Observation(engine) as observation:
        async with AsyncSession(other) as session:
            await session.execute(insert(Note).values(id=1, body="a"))
        async with AsyncSession(options) as session:
            await session.execute(insert(Note).values(id=2, body="b"))
            await session.commit()

    assert kinds_of(observation) == [BEGIN, COMMIT]
