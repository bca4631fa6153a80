"""What may happen within a turn: tools that ask again, refused answers, a second agent, another model, a limit."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from logfire.testing import CaptureLogfire
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.usage import RequestUsage

from fixtures.backend.adapter import AGROFRESH, WYCKOFF
from fixtures.backend.app.settings import LedgerGrain, SessionMode
from tests.backend.conftest import Start
from tests.backend.product import SEARCH_DIRECTORY, SEARCH_DOCUMENTS, Call, Product, script, tool_results

MODES = pytest.mark.parametrize("mode", [SessionMode.PER_OPERATION, SessionMode.DURABLE])
STREAM = pytest.mark.parametrize("stream", [False, True])


def saying(*texts: str, model_name: str = "gpt-4o") -> FunctionModel:
    """A model that says one text after the other."""
    rest = iter(texts)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart(next(rest))], usage=RequestUsage(input_tokens=100, output_tokens=10))

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield next(rest)

    return FunctionModel(respond, stream_function=stream, model_name=model_name)


def failing(*, after: str | None = None) -> FunctionModel:
    """A model that is not available; streamed, it may say something before that shows."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(503, "gpt-4o")

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        if after is not None:
            yield after
        raise ModelHTTPError(503, "gpt-4o")

    return FunctionModel(respond, stream_function=stream, model_name="gpt-4o")


async def ask(product: Product, *, stream: bool) -> dict[str, Any]:
    """The whole answer, plain or streamed."""
    return (await product.stream())[-1][1] if stream else await product.ask()


@MODES
async def test_a_tool_asks_for_another_call_without_a_statement(
    start: Start, logs: CaptureLogfire, mode: SessionMode
) -> None:
    """The model is told what there is; nothing is logged as a failure, and its sibling is untouched."""
    told: list[str] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            calls: list[Call] = [("search_directory", {"query": "cardio", "schema_name": "planets"}), SEARCH_DOCUMENTS]
            return ModelResponse(parts=[ToolCallPart(name, dict(arguments)) for name, arguments in calls])
        told.extend(str(part.content) for part in messages[-1].parts if hasattr(part, "content"))
        return ModelResponse(parts=[TextPart("Hello.")])

    product = await start(FunctionModel(respond, model_name="gpt-4o"), session_mode=mode)

    answer = await product.ask()

    assert answer["text"] == "Hello."
    assert any("no part 'planets'; it has 'people', 'departments', 'distributors'" in content for content in told)
    assert any("visiting hours" in content for content in told)
    assert "search_directory_failed" not in [span["name"] for span in logs.exporter.exported_spans_as_dict()]


@STREAM
@MODES
async def test_an_answer_with_a_placeholder_is_asked_for_again(
    start: Start, mode: SessionMode, *, stream: bool
) -> None:
    """The user's answer is the second one, and both are billed."""
    product = await start(
        saying(WYCKOFF.rejected_answer, "Talk to [Dr. Example](https://example.org)."),
        session_mode=mode,
        ledger_grain=LedgerGrain.REQUEST,
    )

    answer = await ask(product, stream=stream)

    assert answer["text"] == "Talk to [Dr. Example](https://example.org)."
    assert len(await product.rows("llm_requests")) == 2


def test_both_tenants_name_a_text_that_is_refused() -> None:
    """The adapter's examples are what the agent refuses."""
    assert all("[" in tenant.rejected_answer for tenant in (WYCKOFF, AGROFRESH))


async def test_an_agent_that_never_fills_in_its_answer_fails(start: Start) -> None:
    """After as many retries as there are, the user gets no answer; every request is billed."""
    product = await start(saying(*["Dear [name]"] * 9), ledger_grain=LedgerGrain.REQUEST)

    response = await product.post()

    assert response.status_code == 502
    assert len(await product.rows("llm_requests")) == 4


@STREAM
@MODES
async def test_a_specialist_is_asked_and_billed_with_the_turn(start: Start, mode: SessionMode, *, stream: bool) -> None:
    """It gets the question as it is, and the documents; its answer goes to the model that asked."""
    asked: list[list[ModelMessage]] = []

    def specialist(messages: list[ModelMessage]) -> bool:
        return "specialist" in str(messages[-1].instructions if hasattr(messages[-1], "instructions") else "")

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=100, output_tokens=10)
        if specialist(messages):
            asked.append(messages)
            return ModelResponse(parts=[TextPart("Bring your papers.")], usage=usage)
        if results := tool_results(messages):
            return ModelResponse(parts=[TextPart(str(results[0].content))], usage=usage)
        call = ToolCallPart("ask_specialist", {"question": "What to bring to maternity?"})
        return ModelResponse(parts=[call], usage=usage)

    product = await start(_streaming(respond), session_mode=mode)

    answer = await ask(product, stream=stream)
    [row] = await product.rows("llm_requests")

    assert answer["text"] == "Bring your papers."
    assert answer["tools"] == ["ask_specialist"]
    assert len(row["response_body"]["responses"]) == 3
    [[request]] = asked
    assert request.parts[0].content == "What to bring to maternity?"  # type: ignore[union-attr]  # the user's
    assert "Maternity: discharge" in str(request)
    if not stream:
        assert (row["prompt_tokens"], row["completion_tokens"]) == (300, 30)


@STREAM
@MODES
async def test_another_model_answers_where_the_first_fails(start: Start, mode: SessionMode, *, stream: bool) -> None:
    """The row names the one that answered."""
    product = await start(failing(), fallback_model=saying("Hello.", model_name="gpt-4o-mini"), session_mode=mode)

    answer = await ask(product, stream=stream)
    [row] = await product.rows("llm_requests")

    assert answer["text"] == "Hello."
    assert row["model"] == "gpt-4o-mini"
    assert row["total_cost"] > 0


async def test_a_stream_that_breaks_in_the_middle_is_not_begun_again(start: Start) -> None:
    """The user has read the first half already."""
    product = await start(failing(after="Hel"), fallback_model=saying("Hello."))

    assert (await product.stream())[-1][0] == "error"


async def test_a_turn_asks_the_model_only_so_often(start: Start) -> None:
    """A model that calls tools for ever is stopped, and billed for what it answered."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        name, arguments = SEARCH_DIRECTORY
        return ModelResponse(parts=[ToolCallPart(name, dict(arguments))], usage=RequestUsage(input_tokens=1))

    product = await start(FunctionModel(respond, model_name="gpt-4o"), request_limit=3)

    response = await product.post()
    [row] = await product.rows("llm_requests")

    assert response.status_code == 502
    assert row["prompt_tokens"] == 3


async def test_a_specialist_s_requests_count(start: Start) -> None:
    """The limit is the turn's."""
    product = await start(script(("ask_specialist", {"question": "What?"})), request_limit=2)

    response = await product.post()

    assert response.status_code == 502


async def test_the_ledger_counts_beyond_two_to_the_31(start: Start) -> None:
    """A provider may count that far."""
    usage = RequestUsage(input_tokens=2**33, output_tokens=1)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart("Hello.")], usage=usage)

    product = await start(FunctionModel(respond, model_name="gpt-4o"))

    await product.ask()

    assert [row["prompt_tokens"] for row in await product.rows("llm_requests")] == [2**33]


def _streaming(respond: Callable[[list[ModelMessage], AgentInfo], ModelResponse]) -> FunctionModel:
    """A model that gives the same answers plain and streamed."""

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        for part in respond(messages, info).parts:
            if isinstance(part, TextPart):
                yield part.content
            elif isinstance(part, ToolCallPart):
                yield {0: DeltaToolCall(part.tool_name, part.args_as_json_str())}

    return FunctionModel(respond, stream_function=stream, model_name="gpt-4o")
