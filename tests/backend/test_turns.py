"""What a user gets for one message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import pytest
from dirty_equals import IsUUID
from logfire.testing import CaptureLogfire
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from sqlalchemy import Pool, QueuePool

from fixtures.backend.app.settings import SessionMode
from tests.backend.conftest import Start
from tests.backend.product import (
    FAILING_SEARCH,
    LEAVE_MESSAGE,
    REQUEST_CALLBACK,
    SEARCH_DIRECTORY,
    SEARCH_DOCUMENTS,
    script,
    tool_results,
)


@pytest.mark.parametrize("mode", SessionMode)
async def test_one_tool_answers_in_every_mode(start: Start, mode: SessionMode) -> None:
    """A turn with a single tool is right in every mode: there is nobody to collide with."""
    product = await start(script(SEARCH_DIRECTORY), session_mode=mode)

    answer = await product.ask()

    assert "Cardiologist" in answer["text"]
    assert answer == {
        "text": answer["text"],
        "llm_request_id": IsUUID,
        "conversation_id": IsUUID,
        "tools": ["search_directory"],
    }


@pytest.mark.parametrize("mode", [SessionMode.PER_OPERATION, SessionMode.LOCKED, SessionMode.SEQUENTIAL])
async def test_four_tools_answer_where_no_two_use_a_session_at_once(start: Start, mode: SessionMode) -> None:
    """Reads and writes side by side all succeed, and every row is there."""
    product = await start(
        script(SEARCH_DIRECTORY, SEARCH_DOCUMENTS, LEAVE_MESSAGE, REQUEST_CALLBACK), session_mode=mode
    )

    answer = await product.ask()

    assert "failed" not in answer["text"]
    assert answer["llm_request_id"] == str((await product.rows("llm_requests"))[0]["id"])
    assert len(await product.rows("messages")) == 1
    assert len(await product.rows("callbacks")) == 1


async def test_a_shared_session_fails_a_second_tool_on_a_cold_pool(start: Start) -> None:
    """The session refuses the second tool while it connects for the first."""
    product = await start(script(SEARCH_DIRECTORY, SEARCH_DOCUMENTS), session_mode=SessionMode.SHARED)

    answer = await product.ask()

    assert "search_documents failed (InvalidRequestError)" in answer["text"]


async def test_a_shared_session_loses_the_bill_with_a_tool(start: Start, logs: CaptureLogfire) -> None:
    """One tool's failure fails its sibling and the cost row: the user gets an answer that is not billed."""
    product = await start(script(FAILING_SEARCH, SEARCH_DOCUMENTS), session_mode=SessionMode.SHARED)

    answer = await product.ask()

    assert "search_directory failed (DBAPIError)" in answer["text"]
    assert "search_documents failed (InvalidRequestError)" in answer["text"]
    assert answer["llm_request_id"] is None
    assert await product.rows("llm_requests") == []
    assert "cost_tracking_failed" in _names(logs)


async def test_a_failing_tool_is_told_to_the_model(start: Start, logs: CaptureLogfire) -> None:
    """The tool logs its failure; the model reads a failed result; the sibling and the bill are untouched."""
    product = await start(script(FAILING_SEARCH, SEARCH_DOCUMENTS))

    answer = await product.ask()

    assert "search_directory failed (DBAPIError). Answer without it, and say so." in answer["text"]
    assert "Cardiology: visiting hours" in answer["text"]
    assert answer["llm_request_id"] == IsUUID
    assert "search_directory_failed" in _names(logs)
    assert "llm_request_tracked" in _names(logs)


@pytest.mark.parametrize("mode", SessionMode)
async def test_a_streamed_answer_ends_with_the_fields_of_the_plain_one(start: Start, mode: SessionMode) -> None:
    """The pieces add up to the text, and the last event is what the plain endpoint would have answered."""
    product = await start(script(SEARCH_DIRECTORY), session_mode=mode)

    plain = await product.ask()
    *pieces, last = await product.stream()

    assert last == ("answer", plain | {"llm_request_id": IsUUID, "conversation_id": IsUUID})
    assert "".join(data["text"] for _, data in pieces) == plain["text"]
    assert len(await product.rows("llm_requests")) == 2


async def test_a_conversation_continues_under_its_identifier(start: Start) -> None:
    """Its rows carry the identifier that the client sent."""
    product = await start(script())
    first = await product.ask()

    second = await product.ask(conversation_id=first["conversation_id"])

    assert second["conversation_id"] == first["conversation_id"]
    assert {row["session_id"] for row in await product.rows("llm_requests")} == {UUID(first["conversation_id"])}


@pytest.mark.parametrize(("account", "agent"), [("nobody", "simple-chat-1"), ("wyckoff", "simple-chat-9")])
async def test_an_unknown_account_or_agent_is_not_found(start: Start, account: str, agent: str) -> None:
    """404, with a sentence that names both."""
    product = await start(script())

    response = await product.client.post(f"/accounts/{account}/agents/{agent}/chat", json={"message": "Hi"})

    assert response.status_code == 404
    assert response.json() == {"detail": f"There is no agent {agent!r} of {account!r}."}


async def test_agrofresh_has_one_tool(start: Start) -> None:
    """The tenant's model is offered the directory, and nothing else."""
    offered: list[str] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        offered.extend(tool.name for tool in info.function_tools)
        return ModelResponse(parts=[TextPart("Hello.")])

    product = await start(FunctionModel(respond))

    await product.ask(account="agrofresh")

    assert offered == ["search_directory"]


async def test_tenants_do_not_see_each_other(start: Start) -> None:
    """A search finds the entries of the account that is asked, and no others."""
    product = await start(script(("search_directory", {"query": "", "schema_name": "distributors"})))

    assert "example.org" not in (await product.ask(account="wyckoff"))["text"]
    assert "example.org" in (await product.ask(account="agrofresh"))["text"]


async def test_a_model_that_fails_is_a_bad_gateway(start: Start) -> None:
    """Nothing was answered, so nothing is billed."""
    product = await start(FunctionModel(_refuse, model_name="gpt-4o"))

    response = await product.post()

    assert response.status_code == 502
    assert await product.rows("llm_requests") == []


async def test_a_model_that_fails_late_is_billed_for_what_it_answered(start: Start) -> None:
    """The row says that the turn did not complete."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if tool_results(messages):
            _refuse(messages, info)
        return ModelResponse(parts=[ToolCallPart("search_documents", {"query": "parking"})])

    product = await start(FunctionModel(respond, model_name="gpt-4o"))

    response = await product.post()

    assert response.status_code == 502
    assert [row["completion_status"] for row in await product.rows("llm_requests")] == ["failed"]


async def test_a_model_that_fails_while_it_streams_ends_the_stream_with_an_error(start: Start) -> None:
    """The pieces so far stay; the last event says that the answer is not whole."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield "The first "
        _refuse(messages, info)

    product = await start(FunctionModel(stream_function=respond, model_name="gpt-4o"))

    events = await product.stream()

    assert events == [
        ("text", {"text": "The first "}),
        ("error", {"detail": "The answer was cut off.", "error": "ModelHTTPError"}),
    ]


@pytest.mark.parametrize("mode", SessionMode)
async def test_a_turn_gives_every_connection_back(start: Start, mode: SessionMode) -> None:
    """No connection stays checked out. Before the first turn there is none: the pool starts cold."""
    product = await start(script(SEARCH_DIRECTORY, LEAVE_MESSAGE), session_mode=mode)
    pool: Pool = product.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == 0

    await product.ask()

    assert pool.checkedout() == 0
    assert pool.checkedin() > 0


async def test_a_cancelled_turn_is_billed_once(start: Start) -> None:
    """What the model had answered until then is a row; the connections are back."""
    waiting = asyncio.Event()

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if tool_results(messages):
            waiting.set()
            await asyncio.Event().wait()
        return ModelResponse(parts=[ToolCallPart("search_documents", {"query": "parking"})])

    product = await start(FunctionModel(respond, model_name="gpt-4o"))
    turn = asyncio.create_task(product.chat.answer("Where can I park?"))
    await waiting.wait()

    turn.cancel()
    await asyncio.wait([turn])

    assert turn.cancelled()
    assert [row["completion_status"] for row in await product.rows("llm_requests")] == ["failed"]


@pytest.mark.parametrize("mode", SessionMode)
async def test_a_user_who_leaves_during_the_stream_leaves_nothing_open(start: Start, mode: SessionMode) -> None:
    """The turn ends with the stream: billed for its first request, every connection back."""
    product = await start(script(SEARCH_DIRECTORY), session_mode=mode)
    pool: Pool = product.engine.pool
    assert isinstance(pool, QueuePool)

    async with aclosing(product.chat.stream("Who is there?")) as pieces:
        await anext(pieces)

    assert pool.checkedout() == 0
    assert [row["completion_status"] for row in await product.rows("llm_requests")] == ["failed"]


def _refuse(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    raise ModelHTTPError(503, "gpt-4o")


def _names(logs: CaptureLogfire) -> list[str]:
    return [span["name"] for span in logs.exporter.exported_spans_as_dict()]
