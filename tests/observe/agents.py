"""An agent without a network: its model calls all its tools at once, and then answers."""

from collections.abc import Callable
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage


def agent_with(*tools: Callable[..., Any], **options: Any) -> Agent[Any, str]:
    """An agent whose model calls each tool once, as `call-<tool>`, all in one response."""

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse(parts=[TextPart("done")], usage=RequestUsage(input_tokens=20, output_tokens=2))
        calls = [ToolCallPart(tool.name, {}, tool_call_id=f"call-{tool.name}") for tool in info.function_tools]
        return ModelResponse(parts=calls, usage=RequestUsage(input_tokens=10, output_tokens=1))

    return Agent(FunctionModel(model), tools=tools, name="tested", **options)
