"""Calls that the agent refuses are told, and nothing of the agent's run is changed."""

import pytest
from pydantic_ai import Agent, ModelRetry, UnexpectedModelBehavior
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tool_manager import ToolManager

from harness.explorer.tool_refusals import ToolRefusals


def agent(*parts: ToolCallPart, rounds: int = 1) -> Agent[None, str]:
    """One that calls these tools, so often, and then answers."""

    def decide(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        done = sum(isinstance(message, ModelResponse) for message in messages)
        if done >= rounds:
            return ModelResponse([TextPart("done")])
        return ModelResponse([ToolCallPart(part.tool_name, part.args, f"{part.tool_call_id}-{done}") for part in parts])

    made = Agent(FunctionModel(decide), retries=1)

    @made.tool_plain
    def double(number: int) -> int:
        if number == 0:
            raise ModelRetry("not 0")
        return 2 * number

    return made


async def test_what_is_refused_is_told_and_what_runs_is_not() -> None:
    """An unknown tool, and arguments that do not fit; a tool that asks to be called again has run."""
    told: list[str] = []
    calls = (
        ToolCallPart("double", {"number": 2}, "good"),
        ToolCallPart("double", {"number": "two"}, "unfit"),
        ToolCallPart("halve", {}, "unknown"),
        ToolCallPart("double", {"number": 0}, "again"),
    )

    with ToolRefusals(told.append):
        result = await agent(*calls).run("go")

    assert result.output == "done"
    assert sorted(told) == ["unfit-0", "unknown-0"]


async def test_the_call_that_is_one_too_many_is_told_too() -> None:
    """And the agent's error is what it was."""
    told: list[str] = []

    with ToolRefusals(told.append), pytest.raises(UnexpectedModelBehavior):
        await agent(ToolCallPart("double", {"number": "two"}, "unfit"), rounds=9).run("go")

    assert told == ["unfit-0", "unfit-1"]


async def test_nothing_is_left_behind() -> None:
    """The class is what it was."""
    before = ToolManager.validate_tool_call

    with ToolRefusals(lambda _: None):
        assert ToolManager.validate_tool_call is not before

    assert ToolManager.validate_tool_call is before
