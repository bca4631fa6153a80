"""The scripted model, watched: which tools it was offered, whether it was streamed, and what it is to try again."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from pydantic_ai import RunContext
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from harness.providers.scripted import ScriptedProvider

__all__ = ["RequestSeen", "WatchedProvider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSeen:
    """One model request: its user messages, the tools that it offered, and what tools had answered by a retry."""

    text: str
    tools: frozenset[str]
    streamed: bool
    retries: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class WatchedProvider:
    """A scripted provider, and every request to its model, in their order."""

    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    requests: list[RequestSeen] = field(default_factory=list)

    @property
    def model(self) -> Model:
        """The model to give to the application."""
        return _Watched(self.provider.model, self.requests)

    def of(self, reference: str) -> list[RequestSeen]:
        """The requests of the turn whose message has this reference."""
        return [request for request in self.requests if reference in request.text]

    def retry_of(self, tool_call_id: str) -> str:
        """What a tool call was answered by in place of a result; empty if it was not asked for again."""
        found = [text for request in self.requests for call, text in request.retries if call == tool_call_id]
        return found[0] if found else ""


class _Watched(WrapperModel):
    def __init__(self, wrapped: Model, requests: list[RequestSeen]) -> None:
        super().__init__(wrapped)
        self._requests = requests

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The wrapped model's response."""
        self._requests.append(_seen(messages, model_request_parameters, streamed=False))
        return await self.wrapped.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The wrapped model's stream."""
        self._requests.append(_seen(messages, model_request_parameters, streamed=True))
        async with self.wrapped.request_stream(
            messages, model_settings, model_request_parameters, run_context
        ) as stream:
            yield stream


def _seen(messages: Sequence[ModelMessage], parameters: ModelRequestParameters, *, streamed: bool) -> RequestSeen:
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    return RequestSeen(
        text="\n".join(str(part.content) for part in parts if isinstance(part, UserPromptPart)),
        tools=frozenset(tool.name for tool in parameters.function_tools),
        streamed=streamed,
        retries=tuple((p.tool_call_id, _said(p.content)) for p in parts if _asks_again(p)),
    )


def _asks_again(part: ModelRequestPart) -> TypeGuard[RetryPromptPart | ToolReturnPart]:
    """Whether a tool call is answered by the wish to try again, which newer versions tell as an outcome."""
    if isinstance(part, ToolReturnPart):
        return part.outcome == "retried"
    return isinstance(part, RetryPromptPart)


def _said(content: object) -> str:
    """The text, or what each argument is refused for."""
    if isinstance(content, list):
        return "; ".join(_of_argument(each) for each in content)
    return str(content)


def _of_argument(error: object) -> str:
    if not isinstance(error, Mapping):
        return str(error)
    return f"{'.'.join(map(str, error.get('loc', ())))}: {error.get('msg', error)}"
