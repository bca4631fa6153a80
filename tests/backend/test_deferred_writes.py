"""Writes that wait for the end of their turn: all in one transaction, none of a turn that fails."""

import asyncio
from contextlib import aclosing
from datetime import datetime
from typing import Any

import logfire
import pytest
from dirty_equals import IsUUID
from inline_snapshot import snapshot
from logfire.testing import CaptureLogfire
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from sqlalchemy import QueuePool, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.backend.app.agents.base.writes import DeferredWrites, DeferredWritesError
from fixtures.backend.app.database import Database
from fixtures.backend.app.models import Callback
from fixtures.backend.app.seed_data import account_id
from fixtures.backend.app.settings import SessionMode, Settings
from tests.backend.conftest import Start
from tests.backend.product import (
    LEAVE_MESSAGE,
    REQUEST_CALLBACK,
    SEARCH_DIRECTORY,
    Call,
    Product,
    script,
    tool_results,
)

DEFERRED: dict[str, Any] = {"session_mode": SessionMode.DEFERRED}
FREE_SLOT: Call = ("reserve_appointment", {"slot": "2026-03-02T10:00"})
TAKEN_SLOT: Call = ("reserve_appointment", {"slot": "2026-03-02T09:00"})
WAITING_SECONDS = 0.2
"""How long anybody waits for a connection that will not come."""


async def stored(product: Product) -> dict[str, int]:
    """How many messages, callbacks and appointments there are, those of the seed data left out."""
    rows = {name: await product.rows(name) for name in ("messages", "callbacks", "appointments")}
    return {name: sum(row["conversation_id"] is not None for row in each) for name, each in rows.items()}


def logged(logs: CaptureLogfire, name: str) -> list[dict[str, Any]]:
    """The attributes of what was logged under `name`."""
    return [span["attributes"] for span in logs.exporter.exported_spans_as_dict() if span["name"] == name]


async def test_what_the_model_is_told_promises_nothing(start: Start) -> None:
    """No number is known yet, nor whether the slot is free; the answer is billed as any other."""
    product = await start(script(LEAVE_MESSAGE, REQUEST_CALLBACK, FREE_SLOT), **DEFERRED)

    answer = await product.ask()

    assert answer["text"].splitlines() == snapshot(
        [
            "The message for Cardiology is to be left after your answer, unless that fails. It has no number yet.",
            "The wish to call Jordan Example at 555-0199 is to be passed on after your answer, unless that fails.",
            "The slot 2026-03-02 10:00 is to be reserved after your answer, if it is free then. Nobody knows yet.",
        ]
    )
    assert answer["llm_request_id"] == IsUUID
    assert [row["completion_status"] for row in await product.rows("llm_requests")] == ["complete"]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_writes_of_a_turn_are_one_transaction(start: Start, *, stream: bool) -> None:
    """Their default for `created_at` is the time at which the transaction began: for all of them the same.

    The message is addressed, as it is in the other modes.
    """
    product = await start(script(LEAVE_MESSAGE, REQUEST_CALLBACK, FREE_SLOT), **DEFERRED)

    await (product.stream() if stream else product.ask())

    assert await stored(product) == {"messages": 1, "callbacks": 1, "appointments": 1}
    [message], [callback] = await product.rows("messages"), await product.rows("callbacks")
    [slot] = [row for row in await product.rows("appointments") if row["conversation_id"] is not None]
    assert message["created_at"] == callback["created_at"] == slot["created_at"]
    assert message["recipient"] is not None


async def test_writes_at_once_are_transactions_of_their_own(start: Start) -> None:
    """The same tools in the ordinary mode: what tells one transaction from several does tell them apart."""
    product = await start(script(LEAVE_MESSAGE, REQUEST_CALLBACK))

    await product.ask()

    [message], [callback] = await product.rows("messages"), await product.rows("callbacks")
    assert message["created_at"] != callback["created_at"]


async def test_nothing_is_written_before_the_answer(start: Start) -> None:
    """When the model is asked for it, all tools have returned and no row is there, nor is a connection in use."""
    seen: list[dict[str, int]] = []

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if not tool_results(messages):
            return ModelResponse(parts=[ToolCallPart(name, dict(given)) for name, given in (LEAVE_MESSAGE, FREE_SLOT)])
        seen.append(await stored(product))
        return ModelResponse(parts=[TextPart("Done.")])

    product = await start(FunctionModel(respond, model_name="gpt-4o"), **DEFERRED)

    await product.ask()

    assert seen == [{"messages": 0, "callbacks": 0, "appointments": 0}]
    assert await stored(product) == {"messages": 1, "callbacks": 0, "appointments": 1}


async def test_a_write_that_the_database_refuses_takes_no_other_with_it(start: Start, logs: CaptureLogfire) -> None:
    """Those before it and those after it are there; whether each went through is logged, in their order."""
    product = await start(script(LEAVE_MESSAGE, TAKEN_SLOT, FREE_SLOT, FREE_SLOT, REQUEST_CALLBACK), **DEFERRED)

    answer = await product.ask()

    assert await stored(product) == {"messages": 1, "callbacks": 1, "appointments": 1}
    assert [(each["tool"], each["went_through"]) for each in logged(logs, "deferred_write_carried_out")] == [
        ("leave_message", True),
        ("reserve_appointment", False),
        ("reserve_appointment", True),
        ("reserve_appointment", False),
        ("request_callback", True),
    ]
    assert "is reserved" not in answer["text"]


async def test_what_is_logged_of_a_write_has_nothing_of_what_its_user_said(start: Start, logs: CaptureLogfire) -> None:
    """No name and no number to call, whether it went through or not."""
    product = await start(script(REQUEST_CALLBACK, TAKEN_SLOT), **DEFERRED)

    await product.ask()

    found = logged(logs, "deferred_write_carried_out")
    assert len(found) == 2
    for said in (*REQUEST_CALLBACK[1].values(), "2026-03-02 09:00"):
        assert said not in repr(found)


async def test_what_a_write_logs_belongs_to_its_tool_call(clone_url: str, logs: CaptureLogfire) -> None:
    """Each write runs in the context of the call that asked for it, also after that has returned."""
    database = Database(Settings(database_url=clone_url))
    writes = DeferredWrites(database)

    async def work(_: AsyncSession) -> str:
        logfire.info("inside")
        return "written"

    with logfire.span("tool"):
        await writes.write(work, tool="tool", later="later")
    await writes.carry_out()
    await database.dispose()

    spans = {span["name"]: span for span in logs.exporter.exported_spans_as_dict()}
    assert spans["inside"]["parent"]["span_id"] == spans["tool"]["context"]["span_id"]


async def test_writes_of_several_rounds_are_carried_out_together(start: Start) -> None:
    """In the order in which the model asked for them."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        name, given = (LEAVE_MESSAGE, REQUEST_CALLBACK, ("", {}))[len(messages) // 2]
        return ModelResponse(parts=[ToolCallPart(name, dict(given)) if name else TextPart("Done.")])

    product = await start(FunctionModel(respond, model_name="gpt-4o"), **DEFERRED)

    await product.ask()

    [message], [callback] = await product.rows("messages"), await product.rows("callbacks")
    assert message["created_at"] == callback["created_at"]


async def test_a_turn_that_fails_writes_nothing(start: Start) -> None:
    """It is billed all the same, for what the model had answered."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if tool_results(messages):
            raise ModelHTTPError(503, "gpt-4o")
        return ModelResponse(parts=[ToolCallPart(REQUEST_CALLBACK[0], dict(REQUEST_CALLBACK[1]))])

    product = await start(FunctionModel(respond, model_name="gpt-4o"), **DEFERRED)

    response = await product.post()

    assert response.status_code == 502
    assert await stored(product) == {"messages": 0, "callbacks": 0, "appointments": 0}
    assert [row["completion_status"] for row in await product.rows("llm_requests")] == ["failed"]


async def test_a_turn_that_is_cancelled_writes_nothing(start: Start) -> None:
    """What its tools had asked for goes with it."""
    waiting = asyncio.Event()

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if tool_results(messages):
            waiting.set()
            await asyncio.Event().wait()
        return ModelResponse(parts=[ToolCallPart(REQUEST_CALLBACK[0], dict(REQUEST_CALLBACK[1]))])

    product = await start(FunctionModel(respond, model_name="gpt-4o"), **DEFERRED)
    turn = asyncio.create_task(product.chat.answer("Call me back."))
    await waiting.wait()

    turn.cancel()
    await asyncio.wait([turn])

    assert turn.cancelled()
    assert await stored(product) == {"messages": 0, "callbacks": 0, "appointments": 0}


async def test_a_user_who_leaves_during_the_answer_has_nothing_written(start: Start) -> None:
    """The turn ends with the stream."""
    product = await start(script(REQUEST_CALLBACK, SEARCH_DIRECTORY), **DEFERRED)

    async with aclosing(product.chat.stream("Call me back.")) as pieces:
        await anext(pieces)

    assert await stored(product) == {"messages": 0, "callbacks": 0, "appointments": 0}


async def test_a_turn_without_writes_takes_no_connection_for_them(clone_url: str) -> None:
    """The pool has never opened one."""
    database = Database(Settings(database_url=clone_url))

    await DeferredWrites(database).carry_out()

    assert isinstance(database.engine.pool, QueuePool)
    assert database.engine.pool.checkedin() == 0


async def test_a_transaction_that_cannot_begin_fails_the_turn(start: Start, logs: CaptureLogfire) -> None:
    """Its user must not be told that what was noted is done; plain it is 503, streamed an event. Nothing is there."""
    pool = {"pool_size": 1, "max_overflow": 0, "pool_timeout": WAITING_SECONDS}
    product = await start(script(REQUEST_CALLBACK), **DEFERRED, **pool)

    async with product.engine.connect():
        plain, streamed = await product.post(), await product.stream()

    assert (plain.status_code, plain.json()) == (503, {"detail": "What was to be stored may not be."})
    assert streamed[-1] == ("error", {"detail": "The answer was cut off.", "error": "DeferredWritesError"})
    assert await stored(product) == {"messages": 0, "callbacks": 0, "appointments": 0}
    assert len(logged(logs, "deferred_writes_failed")) == 2


async def _wish(session: AsyncSession) -> str:
    given = {"account_id": account_id("wyckoff"), "conversation_id": func.gen_random_uuid(), "name": "", "phone": ""}
    await session.execute(insert(Callback).values(given))
    await session.commit()
    return "wished"


async def _forget_to_commit(session: AsyncSession) -> str:
    given = {"account_id": account_id("wyckoff"), "conversation_id": func.gen_random_uuid(), "name": "", "phone": ""}
    await session.execute(insert(Callback).values(given))
    return "wished"


async def _break(_: AsyncSession) -> str:
    raise ValueError("a bug")


async def _refuse(session: AsyncSession) -> str:
    await session.execute(text("SELECT 1 / 0"))
    return "divided"


async def _lose_connection(session: AsyncSession) -> str:
    await session.execute(select(func.pg_terminate_backend(func.pg_backend_pid())))
    return "lost"


@pytest.mark.parametrize("failing", [_break, _refuse, _forget_to_commit])
async def test_a_write_that_fails_leaves_nothing_behind(clone_url: str, logs: CaptureLogfire, failing: Any) -> None:
    """Whatever it failed by: an error of its own, one of the database, or that it forgot to commit."""
    database = Database(Settings(database_url=clone_url))
    writes = DeferredWrites(database)
    for work in (_wish, failing, _wish):
        assert await writes.write(work, tool="tool", later="later") == "later"

    await writes.carry_out()

    async with database.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(Callback)) == 2
    await database.dispose()
    assert len(logged(logs, "deferred_write_failed")) == (failing is not _forget_to_commit)
    through = [each["went_through"] for each in logged(logs, "deferred_write_carried_out")]
    assert through == ([True, False, True] if failing is _forget_to_commit else [True, True])


async def test_a_connection_that_is_lost_takes_all_with_it(clone_url: str) -> None:
    """And that is raised: nobody may be told that the first write is there."""
    database = Database(Settings(database_url=clone_url))
    writes = DeferredWrites(database)
    for work in (_wish, _lose_connection, _wish):
        await writes.write(work, tool="tool", later="later")

    with pytest.raises(DeferredWritesError, match="3 deferred writes could not be committed"):
        await writes.carry_out()

    async with database.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(Callback)) == 0
    await database.dispose()


async def test_a_cancellation_while_they_are_carried_out_takes_all_with_it(clone_url: str) -> None:
    """The transaction is rolled back, and its connection is given back."""
    database, reached = Database(Settings(database_url=clone_url)), asyncio.Event()
    writes = DeferredWrites(database)

    async def wait(_: AsyncSession) -> str:
        reached.set()
        await asyncio.Event().wait()
        return "never"

    await writes.write(_wish, tool="tool", later="later")
    await writes.write(wait, tool="tool", later="later")
    carrying_out = asyncio.create_task(writes.carry_out())
    await reached.wait()

    carrying_out.cancel()
    await asyncio.wait([carrying_out])

    assert carrying_out.cancelled()
    async with database.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(Callback)) == 0
    await database.dispose()


async def test_the_seed_has_the_slot_that_is_taken(start: Start) -> None:
    """What the test of a refusal needs."""
    product = await start(script(), **DEFERRED)

    slots = [row["slot"] for row in await product.rows("appointments")]

    assert datetime(2026, 3, 2, 9) in slots  # noqa: DTZ001  # the hospital's own time
