"""The composition: what fails is absent, and nothing stays behind."""

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import Any

import logfire
import pytest
from pydantic_ai import Agent
from pydantic_ai.toolsets import FunctionToolset
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

from harness.errors import MissingEvidence
from harness.evidence import Evidence, Record
from harness.observe.observation import Observation
from harness.observe.recorder import Context
from harness.observe.tools import ToolsRecorder

ENGINE_EVENTS = ("before_cursor_execute", "after_cursor_execute")
POOL_EVENTS = ("connect", "checkout", "checkin", "invalidate", "close", "close_detached")
SESSION_EVENTS = ("after_begin", "after_flush", "after_commit", "after_rollback", "after_transaction_end")


def footprint(engine: AsyncEngine) -> dict[str, object]:
    """Everything that an observation changes in a process."""
    sync, session = engine.sync_engine, Session()
    return {
        **{name: len(getattr(sync.dispatch, name)) for name in ENGINE_EVENTS},
        **{f"pool {name}": len(getattr(sync.pool.dispatch, name)) for name in POOL_EVENTS},
        **{f"session {name}": len(getattr(session.dispatch, name)) for name in SESSION_EVENTS},
        "handle_error": len(sync.dialect.dispatch.handle_error),
        "provider": logfire.DEFAULT_LOGFIRE_INSTANCE.config.get_tracer_provider().provider,
        "configured": logfire.DEFAULT_LOGFIRE_INSTANCE.config._initialized,
        "agents": Agent._instrument_default,
        "tools": FunctionToolset.call_tool,
        "logging": logging.Logger.callHandlers,
        "loop": asyncio.get_running_loop().get_exception_handler(),
        "threads": sum(thread.name.startswith("sessionproof") for thread in threading.enumerate()),
    }


async def test_nothing_stays_behind_however_often_it_runs(engine: AsyncEngine) -> None:
    """After any number of observations, also when the engine is disposed of in one, the process is as it was."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    before = footprint(engine)

    for round_ in range(3):
        async with Observation(engine):
            assert footprint(engine) != before
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            if round_ == 1:
                await engine.dispose()

    assert footprint(engine) == before


async def test_nothing_stays_behind_when_the_application_fails(engine: AsyncEngine) -> None:
    """An exception passes through, and everything is restored."""
    before = footprint(engine)

    with pytest.raises(ZeroDivisionError):
        async with Observation(engine) as observation:
            raise ZeroDivisionError

    assert footprint(engine) == before
    assert observation.records["statements"].items == ()


async def test_records_fit_into_evidence(engine: AsyncEngine) -> None:
    """The records are the fields of `Evidence`, each of them made."""
    async with Observation(engine) as observation, engine.connect() as connection:
        await connection.execute(text("SELECT 1"))

    evidence = Evidence(**observation.records)

    assert [record.missing for record in vars_of(observation)] == [None] * 9
    assert [statement.sql for statement in evidence.statements] == ["SELECT 1"]
    assert evidence.errors.items == ()


def vars_of(observation: Observation) -> list[Record[Any]]:
    return [record for record in observation.records.values() if isinstance(record, Record)]


async def test_records_are_not_given_before_the_end(engine: AsyncEngine) -> None:
    """Half a record would look like a whole one."""
    async with Observation(engine) as observation:
        with pytest.raises(RuntimeError, match="still runs"):
            _ = observation.records


class Broken:
    """A recorder that fails at one step."""

    fields = ("statements",)

    def __init__(self, step: str, *, name: str = "statements") -> None:
        self.name = name
        self.step = step

    def start(self, context: Context) -> None:
        self._fail("start")

    def stop(self) -> None:
        self._fail("stop")

    def records(self) -> Mapping[str, Record[Any]]:
        self._fail("records")
        return {"statements": Record.of("statements", ())}

    def _fail(self, step: str) -> None:
        if step == self.step:
            raise OSError("no password=hunter22 here")


@pytest.mark.parametrize("step", ["start", "stop", "records"])
async def test_a_recorder_that_raises_leaves_an_absent_record(engine: AsyncEngine, step: str) -> None:
    """Neither a crash nor an empty record: the reason, raised when the record is read, without secrets."""
    async with Observation(engine, recorders=(Broken(step),)) as observation:
        pass

    with pytest.raises(MissingEvidence, match="OSError") as raised:
        _ = observation.records["statements"].items
    assert "hunter22" not in str(raised.value)


async def test_errors_are_absent_if_one_of_their_sources_is(engine: AsyncEngine) -> None:
    """Without its tools or its spans, the list of errors may lack some, and says so."""
    usual = Observation(engine)._recorders
    recorders = [Broken("start", name="tools") if isinstance(each, ToolsRecorder) else each for each in usual]

    async with Observation(engine, recorders=recorders) as observation:
        pass

    with pytest.raises(MissingEvidence):
        _ = observation.records["errors"].items


async def test_a_record_without_recorder_is_absent(engine: AsyncEngine) -> None:
    """What nobody records is not empty."""
    async with Observation(engine, recorders=()) as observation:
        pass

    assert all(record.missing for record in vars_of(observation))
