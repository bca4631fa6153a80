"""The local provider as a client meets it over HTTP, and what it leaves behind."""

import asyncio
import gc
import json
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

import httpx2
import psutil
import pytest
from dirty_equals import IsInt, IsStr
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, InternalServerError, NotFoundError
from pydantic_ai import Agent

from harness.errors import EnvironmentMissing, UsageError
from harness.providers.chat_completions import ChatCompletions
from harness.providers.provider import Provider, TurnScript
from harness.providers.script import Due, Said, ScriptBook
from harness.providers.server import ServerThread
from harness.providers.wire import WireProvider

TwoCalls = Callable[..., TurnScript]
MakeAgent = Callable[[Provider], Agent[None, str]]

MESSAGE = "Who is on duty?"
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("directory", "documents")]
USAGE = {
    "prompt_tokens": 211,
    "completion_tokens": 37,
    "total_tokens": 248,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": MESSAGE}], "tools": TOOLS}


class BookThatTells(ScriptBook):
    """Tells the loop in which it was made when it is asked for a response."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def due(self, conversation: Sequence[Said], *, offered: Collection[str]) -> Due:
        self._loop.call_soon_threadsafe(self.asked.set)
        return super().due(conversation, offered=offered)


def post(wire: WireProvider, body: object, *, key: str | None = None) -> httpx2.Response:
    """A request that holds the event loop of the test until it is answered."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {wire.api_key if key is None else key}"}
    return httpx2.post(f"{wire.base_url}/chat/completions", content=content, headers=headers, trust_env=False)


def events_of(response: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_held_application_loop_does_not_stop_it(wire: WireProvider, two_calls: TwoCalls) -> None:
    """The provider answers, and takes the model's time, while the application's event loop runs nothing."""
    wire.expect(two_calls("t1", MESSAGE, seconds=0.05))

    response = post(wire, ASKED)

    assert response.json() == {
        "id": wire.invoice()[0].response_id,
        "object": "chat.completion",
        "created": IsInt(),
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {
                            "id": "t1-directory",
                            "type": "function",
                            "function": {"name": "directory", "arguments": IsStr(regex=r'\{"query".*3\}')},
                        },
                        {
                            "id": "t1-documents",
                            "type": "function",
                            "function": {"name": "documents", "arguments": IsStr(regex=r'\{"query".*\}')},
                        },
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": USAGE,
    }


async def test_stream_splits_calls_into_deltas(wire: WireProvider, two_calls: TwoCalls) -> None:
    """A streamed call comes as its name, then its arguments in pieces; usage comes last, once."""
    script = two_calls("t1", MESSAGE)
    wire.expect(script)

    events = events_of(post(wire, {**ASKED, "stream": True, "stream_options": {"include_usage": True}}))

    *chunks, end, last = events
    deltas = [chunk["choices"][0]["delta"].get("tool_calls", [{}])[0] for chunk in chunks]
    directory = [delta["function"] for delta in deltas if delta.get("index") == 0]
    assert len(directory) == 4
    assert directory[0] == {"name": "directory", "arguments": ""}
    arguments = "".join(function["arguments"] for function in directory)
    assert json.loads(arguments) == script.responses[0].calls[0].arguments
    assert end["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    assert [event["usage"] for event in (*chunks, end)] == [None] * (len(chunks) + 1)
    assert last["choices"] == []
    assert last["usage"] == USAGE
    assert {event["id"] for event in events} == {wire.invoice()[0].response_id}


async def test_stream_without_usage(wire: WireProvider, two_calls: TwoCalls) -> None:
    """A client that does not ask for the usage of a stream is not told; the invoice has it all the same."""
    wire.expect(two_calls("t1", MESSAGE))

    events = events_of(post(wire, {**ASKED, "stream": True}))

    assert all("usage" not in event for event in events)
    assert [(charge.prompt_tokens, charge.stream) for charge in wire.invoice()] == [(211, True)]


async def test_same_request_gets_the_same_response(wire: WireProvider, two_calls: TwoCalls) -> None:
    """A repeated request is answered alike, and charged again under another identifier."""
    wire.expect(two_calls("t1", MESSAGE))

    first, second = post(wire, ASKED).json(), post(wire, ASKED).json()

    assert first["choices"] == second["choices"]
    assert [charge.response_id for charge in wire.invoice()] == [first["id"], second["id"]]


async def test_message_in_parts_and_inside_a_prompt(wire: WireProvider, two_calls: TwoCalls) -> None:
    """A user message is known in content parts too, and within the text that a backend puts around it."""
    wire.expect(two_calls("t1", MESSAGE))
    parts = [{"type": "text", "text": f"Today is Monday. Question: {MESSAGE}"}, {"type": "image_url"}]

    response = post(wire, {**ASKED, "messages": [{"role": "user", "content": parts}]})

    assert response.status_code == 200


async def test_wrong_key(wire: WireProvider, two_calls: TwoCalls) -> None:
    """Without the key nothing is served or listed, and a real client raises its own error."""
    wire.expect(two_calls("t1", MESSAGE))

    response = post(wire, ASKED, key="wrong")
    async with AsyncOpenAI(base_url=wire.base_url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(AuthenticationError):
            await client.models.list()

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert wire.api_key not in response.text
    assert wire.invoice() == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request could not be read: Invalid JSON"),
        (b"\xff", "The request could not be read: Invalid JSON"),
        ({"model": "gpt-4o"}, "The request could not be read: messages: Field required"),
        ({"model": "gpt-4o", "messages": []}, "The request could not be read: messages: List should have"),
    ],
)
async def test_unreadable_request(wire: WireProvider, body: object, message: str) -> None:
    """What cannot be read is refused with OpenAI's error object, which says what is wrong with it."""
    response = post(wire, body)

    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "message": IsStr(regex=f"{message}.*"),
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


async def test_unknown_message_is_a_bad_request(wire: WireProvider, two_calls: TwoCalls) -> None:
    """A real client raises its own error for what is not scripted, with what was expected."""
    wire.expect(two_calls("t1", "Another question"))

    async with AsyncOpenAI(base_url=wire.base_url, api_key=wire.api_key, max_retries=0) as client:
        with pytest.raises(BadRequestError, match="scripted are 't1' by 'Another question'") as caught:
            await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": MESSAGE}])

    assert caught.value.code == "unscripted"


async def test_models(wire: WireProvider, two_calls: TwoCalls) -> None:
    """The one model that is served is listed; another one is not found."""
    wire.expect(two_calls("t1", MESSAGE))

    async with AsyncOpenAI(base_url=wire.base_url, api_key=wire.api_key, max_retries=0) as client:
        models = [model.id async for model in client.models.list()]
        with pytest.raises(NotFoundError, match="'gpt-5' does not exist here; served is 'gpt-4o'"):
            await client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": MESSAGE}])

    assert models == ["gpt-4o"]
    assert wire.invoice() == ()


async def test_unknown_path(wire: WireProvider) -> None:
    """Another path is refused with OpenAI's error object too."""
    response = httpx2.get(f"{wire.base_url}/responses", trust_env=False)

    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Invalid URL (GET /v1/responses)"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "", "::"])
def test_only_loopback_addresses(host: str) -> None:
    """It cannot be made to listen where another machine could reach it."""
    with pytest.raises(UsageError, match=r"use a loopback address, such as '127\.0\.0\.1'"):
        WireProvider(host=host)


def has_ipv6_loopback() -> bool:
    """Whether this machine has one: asked of the system, because the provider may be what is wrong."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:  # the system has no such family, or no such address
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback")
async def test_ipv6_loopback(two_calls: TwoCalls) -> None:
    """It serves on `::1` as well."""
    wire = WireProvider(host="::1")
    await wire.start()
    wire.expect(two_calls("t1", MESSAGE))

    response = post(wire, ASKED)

    assert response.status_code == 200
    await wire.stop()


async def test_port_is_taken(wire: WireProvider) -> None:
    """A port that is taken is named, with the way out; stopping what did not start is harmless."""
    port = int(wire.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
    second = WireProvider(port=port)

    with pytest.raises(EnvironmentMissing, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*leave the port out"):
        await second.start()
    await second.stop()


def test_model_before_start() -> None:
    """There is no model before the start, and the error says why."""
    with pytest.raises(UsageError, match="no model before it is started"):
        _ = WireProvider().model


async def test_nothing_is_left_behind(make_agent: MakeAgent, two_calls: TwoCalls) -> None:
    """After the stop none of its threads, tasks and sockets is left, not even a kept connection."""
    tasks, threads, sockets = asyncio.all_tasks(), _threads(), _sockets()
    wire = WireProvider()
    await wire.start()
    wire.expect(two_calls("t1", MESSAGE))
    await make_agent(wire).run(MESSAGE)
    assert _sockets() > sockets

    await wire.stop()

    gc.collect()
    assert asyncio.all_tasks() == tasks
    assert _threads() == threads
    assert _sockets() == sockets


async def test_stop_does_not_wait_for_the_model(two_calls: TwoCalls) -> None:
    """A request that the model still works on when the server stops is answered by 503, and not charged."""
    book, stopping = BookThatTells(), asyncio.Event()
    chat = ChatCompletions(book, model_names=["gpt-4o"], api_key="key", stopping=stopping)
    server = ServerThread(chat.application(), stopping=stopping, host="127.0.0.1", port=0)
    await server.start()
    book.expect(two_calls("t1", MESSAGE, seconds=3600.0))

    client = AsyncOpenAI(base_url=f"http://{server.address}/v1", api_key="key", max_retries=0)
    async with client, asyncio.TaskGroup() as group:
        request = group.create_task(_error_of(client))
        await book.asked.wait()
        await server.stop()

    assert "stopped while the model was at work" in str(request.result())
    assert book.invoice() == ()


async def test_cancelled_stop_still_stops() -> None:
    """A stop that is cancelled does not leave the server running."""
    threads = _threads()
    wire = WireProvider()
    await wire.start()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await wire.stop()
    await wire.stop()

    assert _threads() == threads


async def _error_of(client: AsyncOpenAI) -> InternalServerError:
    with pytest.raises(InternalServerError) as caught:
        await client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": MESSAGE}],
            tools=TOOLS,  # type: ignore[arg-type] # plain dictionaries will do
        )
    return caught.value


def _threads() -> set[threading.Thread]:
    """Without those of the application loop's own executor, which end with that loop."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


def _sockets() -> set[tuple[object, ...]]:
    """The open ones; what the kernel is still closing has no descriptor any more."""
    connections = psutil.Process().net_connections("inet")
    return {(connection.fd, connection.laddr) for connection in connections}
