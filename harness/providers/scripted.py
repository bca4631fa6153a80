"""The tier `scripted`: the model is played in this process, without HTTP.

Pydantic AI's `FunctionModel` estimates the usage of what it is told to say, always when it streams, and gives
its responses no identifier; neither can be reconciled with an invoice. `ScriptedModel` is a `FunctionModel`
(so that Pydantic AI knows that it reaches no provider) whose responses, plain and streamed, carry exactly the
scripted tokens, a response identifier of their own, and a provider name by which `genai-prices` prices them.

A response is put on the invoice when it is ready. A client that gives up before that is not charged. There is no
wire, so that no wire fault can strike.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextContent,
    TextPart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.function import (
    AgentInfo,
    DeltaToolCall,
    DeltaToolCalls,
    FunctionModel,
    FunctionStreamedResponse,
)
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from harness.errors import UsageError
from harness.evidence import Charge, FaultSeen
from harness.providers.provider import ScriptedResponse, TurnScript
from harness.providers.script import PROVIDER_NAME, Said, ScriptBook, arguments_of, pieces_of
from harness.scenario import ModelTier

__all__ = ["ScriptedModel", "ScriptedProvider"]


class ScriptedProvider:
    """Plays the model in this process; nothing is started or stopped."""

    tier: ModelTier = ModelTier.SCRIPTED

    def __init__(self, *, model_name: str = "gpt-4o") -> None:
        self._book = ScriptBook()
        self._model = ScriptedModel(self._book, model_name=model_name)

    async def start(self) -> None:
        """Nothing to do: it is ready at once."""

    async def stop(self) -> None:
        """Nothing to free."""

    @property
    def model(self) -> Model:
        """The model to give to the application; always the same one."""
        return self._model

    @property
    def fallback_model(self) -> Model | None:
        """There is none: nothing fails in this tier."""
        return None

    def expect(self, script: TurnScript) -> None:
        """Learn what to do when `script.message` comes; raises `UsageError` if that cannot be played.

        Nor can a script with faults be.
        """
        if script.faults:
            raise UsageError(
                f"the script of turn {script.turn!r} has faults ({', '.join(fault.label for fault in script.faults)}), "
                f"and the model tier {self.tier.value!r} has no wire for them to strike; use {ModelTier.WIRE.value!r}"
            )
        self._book.expect(script)

    def invoice(self) -> tuple[Charge, ...]:
        """What was served so far, in the order of serving."""
        return self._book.invoice()

    def faults(self) -> tuple[FaultSeen, ...]:
        """The scripted faults that were carried out so far."""
        return self._book.faults()


class ScriptedModel(FunctionModel):
    """Answers by the book; where that is silent, the agent's run raises `UnscriptedRequestError`."""

    def __init__(self, book: ScriptBook, *, model_name: str) -> None:
        super().__init__(self._answer, model_name=model_name)
        self._book = book

    @property
    def system(self) -> str:
        """The provider that it stands for."""
        return PROVIDER_NAME

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The due response, under the name of the model that answers, which `FunctionModel` replaces by its own."""
        response = await super().request(messages, model_settings, model_request_parameters)
        response.model_name = self._book.charged(response.provider_response_id).model
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002 - the signature is the library's
    ) -> AsyncGenerator[StreamedResponse]:
        """The due response as a stream, which begins when the model's scripted time is over."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        response, charge = await self._serve(messages, parameters, stream=True)
        async with aclosing(_deltas(response)) as deltas:
            streamed = _ScriptedStream(
                model_request_parameters=parameters,
                _model_name=charge.model,
                _iter=deltas,
                charge=charge,
            )
            streamed.provider_response_id = charge.response_id
            streamed.finish_reason = _finish_reason(response)
            yield streamed

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        response, charge = await self._serve(messages, info.model_request_parameters, stream=False)
        return ModelResponse(
            parts=_parts(response),
            usage=_usage(charge),
            provider_name=charge.provider,
            provider_response_id=charge.response_id,
            finish_reason=_finish_reason(response),
        )

    async def _serve(
        self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters, *, stream: bool
    ) -> tuple[ScriptedResponse, Charge]:
        offered = {tool.name for tool in (*parameters.function_tools, *parameters.output_tools)}
        due = self._book.due(_conversation(messages), offered=offered)
        await asyncio.sleep(due.response.seconds)
        return due.response, self._book.charge(due, model=self.model_name, stream=stream)


@dataclass
class _ScriptedStream(FunctionStreamedResponse):
    """A stream whose usage is the scripted one; as from a provider, it comes with the last event."""

    _: KW_ONLY
    charge: Charge
    exhausted: bool = False

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        async for event in super()._get_event_iterator():
            yield event
        self.exhausted = True

    @property
    def usage(self) -> RequestUsage:
        return _usage(self.charge) if self.exhausted else RequestUsage()

    @property
    def provider_name(self) -> str:  # type: ignore[override] # the base says that it has none
        return self.charge.provider


def _conversation(messages: Iterable[ModelMessage]) -> list[Said]:
    said: list[Said] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            prompts = [part for part in message.parts if isinstance(part, UserPromptPart)]
            said.extend(Said(by_model=False, text=_text(prompt.content)) for prompt in prompts)
        else:
            said.append(Said(by_model=True))
    return said


def _text(content: str | Sequence[UserContent]) -> str:
    if isinstance(content, str):
        return content
    texts = (item.content if isinstance(item, TextContent) else item for item in content)
    return "\n".join(text for text in texts if isinstance(text, str))


def _parts(response: ScriptedResponse) -> list[ModelResponsePart]:
    text = [TextPart(response.text)] if response.text else []
    calls = [ToolCallPart(call.tool, arguments_of(call), call.tool_call_id) for call in response.calls]
    return [*text, *calls]


async def _deltas(response: ScriptedResponse) -> AsyncGenerator[str | DeltaToolCalls]:
    for piece in pieces_of(response.text):
        yield piece
    for index, call in enumerate(response.calls):
        yield {index: DeltaToolCall(call.tool, "", tool_call_id=call.tool_call_id)}
        for piece in pieces_of(arguments_of(call)):
            yield {index: DeltaToolCall(json_args=piece)}


def _usage(charge: Charge) -> RequestUsage:
    return RequestUsage(
        input_tokens=charge.prompt_tokens,
        cache_read_tokens=charge.cached_tokens,
        output_tokens=charge.completion_tokens,
        details={"reasoning_tokens": charge.reasoning_tokens},
    )


def _finish_reason(response: ScriptedResponse) -> FinishReason:
    return "tool_call" if response.calls else "stop"
