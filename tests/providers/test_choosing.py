"""A model that decides by itself is watched, and answers as if it were not."""

from collections.abc import AsyncIterator

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from harness.providers.choosing import ChoosingModel


class Heard:
    """What a listener is told, in its order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self) -> int:
        self.said.append(f"begin {len(self.said)}")
        return len(self.said) - 1

    def end(self, number: int, *, response: ModelResponse | None = None, error: BaseException | None = None) -> None:
        calls = [part.tool_name for part in response.tool_calls] if response is not None else None
        self.said.append(f"end {number}: {calls if error is None else type(error).__name__}")


def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    if any(isinstance(message, ModelResponse) for message in messages):
        return ModelResponse([TextPart("done")])
    return ModelResponse([ToolCallPart("look", {}, "one"), ToolCallPart("look", {}, "two")])


async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    if any(isinstance(message, ModelResponse) for message in messages):
        yield "do"
        yield "ne"
    else:
        yield {0: DeltaToolCall("look", "{}", tool_call_id="one")}
        yield {1: DeltaToolCall("look", "{}", tool_call_id="two")}


def agent_of(model: FunctionModel, heard: Heard) -> Agent[None, str]:
    agent = Agent(ChoosingModel(model, heard))

    @agent.tool_plain
    def look() -> str:
        heard.said.append("look")
        return "nothing"

    return agent


EXPECTED = ["begin 0", "end 0: ['look', 'look']", "look", "look", "begin 4", "end 4: []"]


async def test_calls_are_told_before_the_agent_runs_them() -> None:
    """And each response, the last one too."""
    heard = Heard()

    result = await agent_of(FunctionModel(answer), heard).run("go")

    assert result.output == "done"
    assert heard.said == EXPECTED


async def test_those_of_a_stream_are_told_when_it_has_ended() -> None:
    """Its pieces pass through."""
    heard, pieces = Heard(), []

    agent = agent_of(FunctionModel(stream_function=stream), heard)
    async with agent.run_stream("go") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    assert "".join(pieces) == "done"
    assert heard.said == EXPECTED


async def test_an_error_is_told_and_passes() -> None:
    """It is the model's own."""
    heard = Heard()

    def fail(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        raise ConnectionError("no network")

    with pytest.raises(ConnectionError, match="no network"):
        await agent_of(FunctionModel(fail), heard).run("go")

    assert heard.said == ["begin 0", "end 0: ConnectionError"]
