"""A model that is offered tools by a grammar: for servers that hold a model to a JSON schema, and know no tools.

Problem: a small model on such a server is offered tools, and answers in prose: `tools` and `tool_choice` are ignored.

Mechanism: a Pydantic AI model around the one that speaks to the server. Instead of the tools it sends a list of them,
an example of calls, and the schema of what may be said (`harness.providers.grammar_schema`, as `response_format`); it
reads the calls back from the text. The history is written as text, because the server's template knows no tools either.
Whoever waits for a stream gets the calls when all of them are there; an answer comes as the server sends it.

What is forced: the form; that a response which calls tools says nothing else; and that the model answers in words once
the tools that it called have returned. A turn has therefore one round of calls, and another for each one that asks to
be called again. What is not forced: which tools, how many (up to three), in which order, with which arguments within
their schemas, whether one is called again, and, where the agent takes a text for an answer, whether any is called at
all. The example shows one or two of the tools that are offered, and a small model follows it more often than not.

Guarantee: usage and identifier of a response are the server's. The identifiers of calls follow from it, so that the
same response read again is the same. A text that is cut short, or otherwise no choice, stays what it is.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, cast

from openai import AsyncOpenAI
from pydantic_ai import RunContext
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import CompletedStreamedResponse, Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.profiles import InlineDefsJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from harness.providers.grammar_schema import JsonSchema, arguments_schema, choice_schema, example_of
from harness.providers.local_price import MODEL, PROVIDER

__all__ = ["GrammarModel", "grammar_model"]

CALL_TOKENS = 200
"""How many tokens calls have at most, if the application does not say."""

ANSWER_TOKENS = 24
"""The same for answers: nobody reads them, and each takes its time."""

RESULT_CHARACTERS = 160
"""How much of a tool's result the model is told: it reads a hundred tokens a second."""

_EXAMPLE_CALLS = 2
_EXAMPLE_QUESTION = "What do you have on opening hours?"
_EXAMPLE_RESULT = "9 to 5"
_EXAMPLE_ANSWER = "We are open from 9 to 5."
_TOOL_CALLS_BY_CHOICE = frozenset({"tool_choice", "parallel_tool_calls"})


def grammar_model(client: AsyncOpenAI) -> Model:
    """SmolLM2 behind `client`, as a model that can call tools; temperature 0 and a fixed seed, unless an agent differs.

    Its responses name the provider and the model that `harness.providers.local_price` has a price for.
    """
    profile = OpenAIModelProfile(
        json_schema_transformer=InlineDefsJsonSchemaTransformer,  # the one that changes nothing else
        openai_chat_supports_max_completion_tokens=False,
    )
    provider = OpenAICompatibleProvider(PROVIDER, openai_client=client, profile=profile)
    return GrammarModel(OpenAIChatModel(MODEL, provider=provider, settings=ModelSettings(temperature=0.0, seed=1)))


class GrammarModel(WrapperModel):
    """The wrapped model, to which tools are offered by a grammar.

    Raises, in place of a request, `UsageError` for a tool of which no grammar can be made.
    """

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The wrapped model's response, with the calls that it chose."""
        asked = self._asked(messages, model_settings, model_request_parameters)
        response = await self.wrapped.request(asked.messages, asked.settings, asked.parameters)
        return _with_choice(response) if asked.to_choose else response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The wrapped model's stream, or, where it could choose, its whole choice when it has ended."""
        asked = self._asked(messages, model_settings, model_request_parameters)
        async with self.wrapped.request_stream(asked.messages, asked.settings, asked.parameters, run_context) as stream:
            if asked.to_choose:
                async for _ in stream:
                    pass
                yield CompletedStreamedResponse(
                    _with_choice(stream.get()), model_request_parameters=model_request_parameters, replay_events=True
                )
            else:
                yield stream

    def _asked(
        self, messages: Sequence[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> "_Asked":
        _, resolved = self.wrapped.prepare_request(settings, parameters)
        offered = _allowed(resolved.declared_function_tools, settings)
        schema = _schema(offered, resolved, settings, may_call=_may_call(messages))
        by_tool = resolved.output_mode == "tool"
        bare = replace(
            parameters,
            function_tools=[],
            output_tools=[],
            tool_visibility=None,
            output_mode="text" if by_tool else resolved.output_mode,
            output_object=None if by_tool else resolved.output_object,
            allow_text_output=True,
        )
        return _Asked(
            messages=[*_preface([*offered, *resolved.output_tools]), *map(_as_text, messages)],
            settings=_settings(settings, schema),
            parameters=bare,
            to_choose=schema is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked of the wrapped model; `to_choose` if it has to answer by a choice."""

    messages: list[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters
    to_choose: bool


def _allowed(tools: Sequence[ToolDefinition], settings: ModelSettings | None) -> list[ToolDefinition]:
    """The tools that the application's `tool_choice` leaves."""
    choice = (settings or {}).get("tool_choice")
    names = getattr(choice, "function_tools", choice)
    if names == "none":
        return []
    return [tool for tool in tools if tool.name in names] if isinstance(names, list) else list(tools)


def _schema(
    offered: Sequence[ToolDefinition],
    resolved: ModelRequestParameters,
    settings: ModelSettings | None,
    *,
    may_call: bool,
) -> JsonSchema | None:
    """What the model may say; `None` if that is free."""
    tools = offered if may_call else []
    takes_text = resolved.allow_text_output and resolved.output_mode in {"text", "tool"}
    if not tools and (resolved.allow_text_output or not resolved.output_tools):
        return None
    answer = takes_text and (settings or {}).get("tool_choice") != "required"
    return choice_schema(tools, answer=answer, results=resolved.output_tools)


def _settings(settings: ModelSettings | None, schema: JsonSchema | None) -> ModelSettings:
    """The application's settings, without what is said of tools, and with the schema."""
    kept: dict[str, Any] = {key: value for key, value in (settings or {}).items() if key not in _TOOL_CALLS_BY_CHOICE}
    kept.setdefault("max_tokens", ANSWER_TOKENS if schema is None else CALL_TOKENS)
    if schema is not None:
        form = {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}
        kept["extra_body"] = {**(kept.get("extra_body") or {}), "response_format": form}
    return cast("ModelSettings", kept)


def _may_call(messages: Sequence[ModelMessage]) -> bool:
    """Whether the model may call tools now: a user has spoken, or one that it called asks to be called again."""
    said: list[ModelRequestPart] = []
    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            break
        said += message.parts
    if any(_asks_again(part) for part in said):
        return True
    return not any(isinstance(part, ToolReturnPart) for part in said)


def _asks_again(part: ModelRequestPart) -> bool:
    """Whether it refuses a call: by the result's outcome, or, in older releases, by a part of its own."""
    return getattr(part, "outcome", None) == "retried" or (
        part.part_kind == "retry-prompt" and getattr(part, "tool_name", None) is not None
    )


def _preface(offered: Sequence[ToolDefinition]) -> Iterator[ModelMessage]:
    """The tools, and an example of how they are called: the same in each request, so that the server has read it."""
    if offered:
        tools = "\n".join(map(_line, offered))
        shown = [*offered[::2], *offered[1::2]][:_EXAMPLE_CALLS]  # neighbours are often of a kind
        calls = [{"tool": tool.name, "arguments": example_of(arguments_schema(tool))} for tool in shown]
        yield ModelRequest([SystemPromptPart(f"Tools:\n{tools}"), UserPromptPart(_EXAMPLE_QUESTION)])
        yield ModelResponse([TextPart(_compact({"calls": calls}))])
        yield ModelRequest([UserPromptPart(f"{shown[0].name}: {_EXAMPLE_RESULT}")])
        yield ModelResponse([TextPart(_EXAMPLE_ANSWER)])


def _line(tool: ToolDefinition) -> str:
    arguments = ", ".join(tool.parameters_json_schema.get("properties", {}))
    about = next(iter((tool.description or "").strip().splitlines()), "")
    return f"{tool.name}({arguments}): {about}" if about else f"{tool.name}({arguments})"


def _as_text(message: ModelMessage) -> ModelMessage:
    """The message without tools: calls as the model wrote them, results and refusals as the user's words."""
    if isinstance(message, ModelResponse):
        return replace(message, parts=[*_said(message.parts)])
    return replace(message, parts=[*_told(message.parts)])


def _said(parts: Iterable[ModelResponsePart]) -> Iterator[ModelResponsePart]:
    calls = []
    for part in parts:
        if isinstance(part, ToolCallPart):
            calls.append({"tool": part.tool_name, "arguments": part.args_as_dict()})
        else:
            yield part
    if calls:
        yield TextPart(_compact({"calls": calls}))


def _told(parts: Iterable[ModelRequestPart]) -> Iterator[ModelRequestPart]:
    results = []
    for part in parts:
        if isinstance(part, ToolReturnPart):
            results.append(f"{part.tool_name}: {_shortened(part.model_response_str())}")
        elif _asks_again(part):  # an older release's, which has its text elsewhere
            results.append(f"{getattr(part, 'tool_name', '')}: {_shortened(cast('Any', part).model_response())}")
        else:
            yield part
    if results:
        yield UserPromptPart("\n".join(results))


def _shortened(text: str) -> str:
    return text if len(text) <= RESULT_CHARACTERS else f"{text[: RESULT_CHARACTERS - 1]}…"


def _with_choice(response: ModelResponse) -> ModelResponse:
    """The response with what its text chooses; as it is, if that is no choice."""
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    try:
        choice = json.loads(text)
    except ValueError:
        return response
    others = [part for part in response.parts if not isinstance(part, TextPart)]
    match choice:
        case {"answer": str(answer)}:
            return replace(response, parts=[*others, TextPart(answer)])
        case {"calls": [_, *_] as calls} if all(map(_is_call, calls)):
            return replace(response, parts=[*others, *_call_parts(calls, response, text)], finish_reason="tool_call")
        case _:
            return response


def _is_call(call: Any) -> bool:
    return isinstance(call, dict) and isinstance(call.get("tool"), str) and isinstance(call.get("arguments"), dict)


def _call_parts(calls: Sequence[Mapping[str, Any]], response: ModelResponse, text: str) -> Iterator[ToolCallPart]:
    named = response.provider_response_id or text
    digest = blake2b(named.encode(), digest_size=6).hexdigest()
    for number, call in enumerate(calls):
        yield ToolCallPart(call["tool"], _compact(call["arguments"]), tool_call_id=f"call-{digest}-{number}")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
