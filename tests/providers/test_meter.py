"""The invoice that is read from a provider's answers: every protocol, plain and streamed, whole and broken off."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from harness.evidence import Charge
from harness.providers.metered_transport import Meter

turn: ContextVar[str | None] = ContextVar("turn", default=None)

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens_details": {"reasoning_tokens": 60},
    },
}
CHAT_EVENTS: list[dict[str, Any]] = [
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}],
        "usage": None,
    }
    for text in ("Hel", "lo.")
]
CHAT_USAGE = CHAT_EVENTS[0] | {"choices": [], "usage": CHAT["usage"]}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 800},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 60},
        "total_tokens": 1100,
    },
}
RESPONSE_EVENTS: list[dict[str, Any]] = [
    {
        "type": "response.created",
        "sequence_number": 0,
        "response": RESPONSE | {"status": "in_progress", "usage": None, "output": []},
    },
    {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": RESPONSE["output"][0]},  # type: ignore[index] # a list
    {
        "type": "response.output_text.delta",
        "sequence_number": 2,
        "output_index": 0,
        "content_index": 0,
        "item_id": "msg_1",
        "delta": "Hello.",
        "logprobs": [],
    },
    {"type": "response.completed", "sequence_number": 3, "response": RESPONSE},
]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 150,
        "cache_read_input_tokens": 800,
        "cache_creation_input_tokens": 50,
        "output_tokens": 100,
    },
}
MESSAGE_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": MESSAGE | {"content": [], "stop_reason": None, "usage": MESSAGE["usage"] | {"output_tokens": 1}},  # type: ignore[operator] # a mapping
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 100, "input_tokens": None, "cache_read_input_tokens": None},
    },
    {"type": "message_stop"},
]
GENERATED = {
    "responseId": "gen-1",
    "modelVersion": "gemini-2.5-flash",
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 800,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 60,
        "totalTokenCount": 1100,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
    },
}
GENERATED_EVENTS: list[dict[str, Any]] = [
    {
        "responseId": "gen-1",
        "modelVersion": "gemini-2.5-flash",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 1000, "cachedContentTokenCount": 800, "candidatesTokenCount": 3},
    },
    GENERATED | {"usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 40, "thoughtsTokenCount": 60}},
]

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages?beta=true",
    "google": "/v1beta/models/gemini-2.5-flash:generateContent",
}
PLAIN: dict[str, dict[str, Any]] = {"chat": CHAT, "responses": RESPONSE, "messages": MESSAGE, "google": GENERATED}
EVENTS = {
    "chat": [*CHAT_EVENTS, CHAT_USAGE],
    "responses": RESPONSE_EVENTS,
    "messages": MESSAGE_EVENTS,
    "google": GENERATED_EVENTS,
}
TOLD = {
    "chat": ("chatcmpl-1", "openai", "gpt-4o-2024-08-06", 0),
    "responses": ("resp_1", "openai", "gpt-4o-2024-08-06", 0),
    "messages": ("msg_1", "anthropic", "claude-haiku-4-5", 50),
    "google": ("gen-1", "google", "gemini-2.5-flash", 0),
}
REASONING = {"chat": 60, "responses": 60, "messages": 0, "google": 60}

Answer = Callable[[httpx2.Request], httpx2.Response]


class Broken(httpx2.AsyncByteStream):
    """A body that breaks off after these chunks, or ends with them."""

    def __init__(self, chunks: Sequence[bytes], *, breaks: bool = True) -> None:
        self.chunks, self.breaks = chunks, breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self.breaks:
            raise httpx2.ReadError("the connection broke")


def sse(events: Sequence[Mapping[str, Any]], *, done: bool = True) -> bytes:
    named = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    blocks = [f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(named, events, strict=True)]
    if done and events and str(events[0].get("object", "")).startswith("chat"):
        blocks.append("data: [DONE]\n\n")
    return "".join(blocks).encode()


def metered(answer: Answer, **options: Any) -> tuple[Meter, httpx2.AsyncClient]:
    meter = Meter(turn.get, **options)
    client = httpx2.AsyncClient(transport=meter.transport(httpx2.MockTransport(answer)), base_url="http://127.0.0.1")
    return meter, client


def streamed(body: bytes, *, breaks: bool | None = None) -> httpx2.Response:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    if breaks is None:
        return httpx2.Response(200, headers=headers, content=body)
    return httpx2.Response(200, headers=headers, stream=Broken([body], breaks=breaks))


async def charged(answer: httpx2.Response, protocol: str = "chat", **options: Any) -> tuple[Charge, ...]:
    """The invoice after one request, whose body was read to its end or broke off."""
    meter, client = metered(lambda _: answer, **options)
    turn.set("t1")
    async with client:
        with suppress(httpx2.TransportError):
            await client.post(PATHS[protocol], json={"model": "gpt-4o"})
    return meter.invoice()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("protocol", PATHS)
async def test_an_answer_is_charged_as_it_says(protocol: str, stream: bool) -> None:
    """With its own identifier and model; what a cache had is a part of the prompt, however the provider says so."""
    answer = streamed(sse(EVENTS[protocol])) if stream else httpx2.Response(200, json=PLAIN[protocol])

    (charge,) = await charged(answer, protocol)

    identifier, provider, model, written = TOLD[protocol]
    assert (charge.response_id, charge.provider, charge.model, charge.turn) == (identifier, provider, model, "t1")
    assert (charge.prompt_tokens, charge.completion_tokens) == (1000, 100)
    assert (charge.cached_tokens, charge.cache_write_tokens) == (800, written)
    assert charge.reasoning_tokens == REASONING[protocol]
    assert (charge.stream, charge.delivered, charge.untold) == (stream, True, None)


@pytest.mark.parametrize("packing", ["gzip", None])
async def test_bytes_pass_through_unchanged_and_as_they_come(packing: str | None) -> None:
    """Also packed ones; each chunk is there before the next one is asked for."""
    body = sse(EVENTS["chat"])
    sent = gzip.compress(body) if packing else body
    chunks = [sent[first : first + 50] for first in range(0, len(sent), 50)]
    asked: list[bytes] = []

    class Watched(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in chunks:
                asked.append(chunk)
                yield chunk

    headers = {"content-type": "text/event-stream"} | ({"content-encoding": packing} if packing else {})
    meter, client = metered(lambda _: httpx2.Response(200, headers=headers, stream=Watched()))
    async with client, client.stream("POST", PATHS["chat"], json={}) as response:
        got = []
        async for chunk in response.aiter_raw():
            got.append(chunk)
            assert len(asked) == len(got)

    assert got == chunks
    assert [charge.prompt_tokens for charge in meter.invoice()] == [1000]


async def test_a_provider_has_the_name_that_its_client_has() -> None:
    """A ledger row names it so."""
    (charge,) = await charged(httpx2.Response(200, json=CHAT), provider="local")

    assert charge.provider == "local"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_what_was_refused_is_not_charged(status: int) -> None:
    """Whatever it says."""
    assert await charged(httpx2.Response(status, json=CHAT)) == ()


async def test_what_asks_no_model_is_not_charged() -> None:
    """Lists, stored answers and counts of tokens, for example."""
    meter, client = metered(lambda _: httpx2.Response(200, json=CHAT))
    async with client:
        await client.get(PATHS["chat"])
        await client.post("/v1/messages/count_tokens", json={})
        await client.post("/v1/embeddings", json={})

    assert meter.invoice() == ()


async def test_each_repetition_is_charged() -> None:
    """A client that asks again has been served twice, if it has; the same identifier may come twice."""
    meter, client = metered(lambda _: httpx2.Response(200, json=CHAT))
    async with client:
        await client.post(PATHS["chat"], json={})
        await client.post(PATHS["chat"], json={})

    assert [charge.response_id for charge in meter.invoice()] == ["chatcmpl-1", "chatcmpl-1"]


WITHOUT_USAGE = {key: value for key, value in CHAT.items() if key != "usage"}


@pytest.mark.parametrize(
    ("answer", "reason", "identifier"),
    [
        (httpx2.Response(200, text="<html>"), "it could not be read", "untold-1"),
        (httpx2.Response(200, json=[1]), "it could not be read", "untold-1"),
        (httpx2.Response(200, json=WITHOUT_USAGE), "it did not tell its tokens", "chatcmpl-1"),
        (
            httpx2.Response(200, json=CHAT | {"usage": {"prompt_tokens": "many"}}),
            "it did not tell its tokens",
            "chatcmpl-1",
        ),
        (
            httpx2.Response(200, json=CHAT | {"usage": {"prompt_tokens": -1, "completion_tokens": 2}}),
            "it did not tell its tokens",
            "chatcmpl-1",
        ),
        (
            httpx2.Response(
                200,
                json=CHAT
                | {
                    "usage": {
                        "prompt_tokens": 10,
                        "completion_tokens": 1,
                        "prompt_tokens_details": {"audio_tokens": 5},
                    }
                },
            ),
            "it counts what has a price of its own (input_audio_tokens)",
            "chatcmpl-1",
        ),
        (streamed(sse(CHAT_EVENTS)), "it did not tell its tokens", "chatcmpl-1"),
        (streamed(sse(CHAT_EVENTS, done=False), breaks=True), "it broke off before its tokens were told", "chatcmpl-1"),
        (streamed(b"data: {\n\n"), "it did not tell its tokens", "untold-1"),
        (streamed(b""), "it did not tell its tokens", "untold-1"),
        (
            httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=Broken([b"no gzip"], breaks=False)),
            "it could not be unpacked",
            "untold-1",
        ),
    ],
)
async def test_an_answer_that_does_not_tell_is_on_the_invoice(
    answer: httpx2.Response, reason: str, identifier: str
) -> None:
    """With the reason, and under the model that was asked for."""
    meter, client = metered(lambda _: answer)
    async with client, client.stream("POST", PATHS["chat"], json={"model": "gpt-4o"}) as response:
        with suppress(httpx2.ReadError, httpx2.DecodingError):
            async for _ in response.aiter_bytes():
                pass

    (charge,) = meter.invoice()
    assert (charge.untold, charge.response_id) == (reason, identifier)
    assert (charge.prompt_tokens, charge.completion_tokens) == (0, 0)
    assert charge.model in {"gpt-4o", "gpt-4o-2024-08-06"}


@pytest.mark.parametrize("protocol", ["responses", "messages", "google"])
async def test_what_a_stream_tells_before_its_end_is_not_all(protocol: str) -> None:
    """Anthropic tells the prompt's tokens first, Google what was used so far."""
    (charge,) = await charged(streamed(sse(EVENTS[protocol][:1]), breaks=True), protocol)

    assert charge.untold == "it broke off before its tokens were told"
    assert (charge.response_id, charge.delivered) == (TOLD[protocol][0], False)


async def test_a_client_may_leave_a_stream_at_its_end_without_reading_the_end_of_its_body() -> None:
    """What the protocol calls the end is one."""
    body = sse(EVENTS["chat"])
    meter, client = metered(lambda _: streamed(body, breaks=True))
    async with client, client.stream("POST", PATHS["chat"], json={}) as response:
        async for _ in response.aiter_raw():
            break

    (charge,) = meter.invoice()
    assert (charge.prompt_tokens, charge.delivered, charge.untold) == (1000, True, None)


async def test_a_garbled_event_keeps_an_answer_from_being_delivered() -> None:
    """It was served all the same."""
    body = sse([CHAT_EVENTS[0]], done=False) + b'data: {"choices": [\n\n' + sse([CHAT_USAGE])

    (charge,) = await charged(streamed(body))

    assert (charge.prompt_tokens, charge.delivered, charge.untold) == (1000, False, None)


async def test_a_request_that_never_left_is_not_charged() -> None:
    """No connection, no answer."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    meter, client = metered(refuse)
    async with client:
        with pytest.raises(httpx2.ConnectError):
            await client.post(PATHS["chat"], json={})

    assert meter.invoice() == ()


@pytest.mark.parametrize("charges_abandoned", [True, False])
async def test_what_became_of_a_request_that_was_given_up_is_not_known(charges_abandoned: bool) -> None:
    """Unless the provider charges nothing for it; while it is under way, too."""
    waiting = asyncio.Event()

    async def hang(_: httpx2.Request) -> httpx2.Response:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    meter = Meter(turn.get, charges_abandoned=charges_abandoned)
    async with httpx2.AsyncClient(transport=meter.transport(httpx2.MockTransport(hang))) as client:
        asking = asyncio.create_task(client.post(f"http://127.0.0.1{PATHS['chat']}", json={"model": "gpt-4o"}))
        await waiting.wait()
        under_way = meter.invoice()
        asking.cancel()
        await asyncio.wait([asking])

    reasons = [charge.untold for charge in meter.invoice()]
    assert [charge.untold for charge in under_way] == reasons
    assert reasons == (["nobody waited for the answer, or it never came"] if charges_abandoned else [])


async def test_turns_that_run_at_the_same_time_are_told_apart() -> None:
    """By the task that asks."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        return httpx2.Response(200, json=CHAT | {"id": json.loads(request.content)["model"]})

    meter = Meter(turn.get)
    async with httpx2.AsyncClient(transport=meter.transport(httpx2.MockTransport(answer))) as client:

        async def ask(name: str) -> None:
            turn.set(name)
            await client.post(f"http://127.0.0.1{PATHS['chat']}", json={"model": name})

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(ask(f"t{number}"))

    assert {charge.turn: charge.response_id for charge in meter.invoice()} == {f"t{n}": f"t{n}" for n in range(5)}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("protocol", ["chat", "responses", "messages"])
async def test_an_agent_sees_the_same_as_the_invoice(protocol: str, stream: bool) -> None:
    """By real clients: tokens, model and identifier."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        wants_stream = json.loads(request.content).get("stream", False)
        return streamed(sse(EVENTS[protocol])) if wants_stream else httpx2.Response(200, json=PLAIN[protocol])

    meter, client = metered(answer)
    async with client:
        agent = Agent(_model(protocol, client))
        if stream:
            async with agent.run_stream("Hello?") as run:
                await run.get_output()
                response = run.response
        else:
            response = (await agent.run("Hello?")).response

    (charge,) = meter.invoice()
    assert (charge.response_id, charge.model) == (response.provider_response_id, response.model_name)
    assert (charge.prompt_tokens, charge.completion_tokens) == (
        response.usage.input_tokens,
        response.usage.output_tokens,
    )
    assert (charge.cached_tokens, charge.cache_write_tokens) == (
        response.usage.cache_read_tokens,
        response.usage.cache_write_tokens,
    )
    assert charge.provider == response.provider_name
    assert charge.delivered


def _model(protocol: str, client: httpx2.AsyncClient) -> Any:
    if protocol == "messages":
        from anthropic import AsyncAnthropic  # noqa: PLC0415  # it takes seconds, of every worker
        from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415  # it imports that
        from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415  # and so does this

        anthropic = AsyncAnthropic(api_key="none", http_client=client, max_retries=0)
        return AnthropicModel("claude-haiku-4-5", provider=AnthropicProvider(anthropic_client=anthropic))
    openai = AsyncOpenAI(api_key="none", http_client=client, max_retries=0, base_url="http://127.0.0.1/v1")
    made = OpenAIChatModel if protocol == "chat" else OpenAIResponsesModel
    return made("gpt-4o", provider=OpenAIProvider(openai_client=openai))
