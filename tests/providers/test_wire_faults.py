"""What the local provider does to a request when it is told to, as clients and the invoice see it."""

import asyncio
import gc
import json
import logging
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import psutil
import pytest
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    InternalServerError,
    RateLimitError,
)
from openai.types.chat import ChatCompletion
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAPIError, UnexpectedModelBehavior
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.fallback import FallbackModel

from harness.errors import UsageError
from harness.evidence import FaultSeen
from harness.fault import NOT_SERVED, WireFault, WireFaultKind
from harness.providers.chat_completions import ChatCompletions
from harness.providers.provider import Provider, ScriptedResponse, TurnScript
from harness.providers.script import ScriptBook
from harness.providers.scripted import ScriptedProvider
from harness.providers.wire import WireProvider
from harness.scenario import TokenUsage

TwoCalls = Callable[..., TurnScript]
MakeAgent = Callable[[Provider], Agent[None, str]]

MESSAGE = "Who is on duty?"
TEXT = "Nobody, it is a holiday."
USAGE = TokenUsage(prompt_tokens=211, completion_tokens=37)
SERVED = sorted(set(WireFaultKind) - NOT_SERVED)


def script(*faults: WireFault, text: str = TEXT) -> TurnScript:
    answer = ScriptedResponse(usage=USAGE, text=text)
    return TurnScript(turn="t1", message=MESSAGE, responses=(answer,), faults=faults)


def fault(kind: WireFaultKind, **options: Any) -> WireFault:
    """One that is over soon if it is a stall."""
    return WireFault(**{"kind": kind, "seconds": 0.01, **options})


def struck(*faults: WireFault) -> tuple[FaultSeen, ...]:
    return tuple(FaultSeen(label=fault.label, turn="t1") for fault in faults)


def charged(wire: WireProvider) -> list[tuple[int, int, bool]]:
    return [(charge.prompt_tokens, charge.completion_tokens, charge.delivered) for charge in wire.invoice()]


@asynccontextmanager
async def client_of(wire: WireProvider, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    http = httpx2.AsyncClient(trust_env=False)
    settings = {"max_retries": 0, "http_client": http, **options}
    async with AsyncOpenAI(base_url=wire.base_url, api_key=wire.api_key, **settings) as client:
        yield client


async def ask(client: AsyncOpenAI, *, stream: bool, pieces: list[str] | None = None) -> str | None:
    """The text of the answer; `pieces` has what came of a stream, also if it broke."""
    pieces = [] if pieces is None else pieces
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": MESSAGE}]}
    if not stream:
        answer: ChatCompletion = await client.chat.completions.create(**asked)
        return answer.choices[0].message.content
    events = await client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    async for event in events:
        pieces.extend(choice.delta.content or "" for choice in event.choices)
    return "".join(pieces)


def connect(wire: WireProvider, *, stream: bool) -> socket.socket:
    """A connection by which a request has been sent."""
    url = httpx2.URL(wire.base_url)
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": MESSAGE}], "stream": stream}
    body = json.dumps(asked).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {wire.api_key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((url.host, url.port or 0), timeout=30)
    connection.sendall(head.encode() + body)
    return connection


def read_until_reset(connection: socket.socket) -> bytes:
    """What arrives before the connection is reset; raises if it ends in an orderly way."""
    received = bytearray()
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return bytes(received)
        if not part:
            raise EOFError("the connection was closed, and not reset")
        received += part


def wait_for_reset(connection: socket.socket) -> None:
    """Without reading anything of what arrived before it."""
    poll = select.poll()
    poll.register(connection, select.POLLHUP)
    assert poll.poll(30_000)


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No fault makes the server complain."""
    caplog.set_level(logging.WARNING)
    yield
    assert caplog.record_tuples == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (WireFaultKind.RATE_LIMITED, (RateLimitError, 429, "rate_limit_exceeded")),
        (WireFaultKind.SERVER_ERROR, (InternalServerError, 500, None)),
        (WireFaultKind.UNAVAILABLE, (InternalServerError, 503, None)),
    ],
)
async def test_refusal(wire: WireProvider, stream: bool, kind: WireFaultKind, expected: tuple[object, ...]) -> None:
    """A refused request raises the client's own error and is not charged; the next one is answered."""
    wire.expect(script(fault(kind)))

    async with client_of(wire) as client:
        with pytest.raises(APIStatusError) as caught:
            await ask(client, stream=stream)
        text = await ask(client, stream=stream)

    assert (type(caught.value), caught.value.status_code, caught.value.code) == expected
    assert caught.value.response.headers["retry-after-ms"] == "1"
    assert caught.value.response.headers["retry-after"] == "1"
    assert text == TEXT
    assert charged(wire) == [(211, 37, True)]
    assert wire.faults() == struck(fault(kind))


async def test_refusal_does_not_take_the_models_time(wire: WireProvider, two_calls: TwoCalls) -> None:
    """Where no model was at work, nothing waits for it."""
    slow = two_calls("t1", MESSAGE, seconds=3600.0)
    refused = fault(WireFaultKind.UNAVAILABLE)
    wire.expect(TurnScript(turn="t1", message=MESSAGE, responses=slow.responses, faults=(refused,)))

    async with client_of(wire) as client:
        tools: Any = [{"type": "function", "function": {"name": name}} for name in ("directory", "documents")]
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": MESSAGE}], tools=tools
            )

    assert wire.invoice() == ()


@pytest.mark.parametrize("kind", [*sorted(NOT_SERVED), WireFaultKind.RESET_BEFORE_ANSWER])
async def test_client_that_tries_again(wire: WireProvider, stream: bool, kind: WireFaultKind) -> None:
    """A client that retries twice gets the answer of the third request."""
    twice = fault(kind, times=2)
    wire.expect(script(twice))

    async with client_of(wire, max_retries=2) as client:
        text = await ask(client, stream=stream)

    assert text == TEXT
    assert charged(wire) == ([(211, 37, False)] * 2 if twice.charges else []) + [(211, 37, True)]
    assert wire.faults() == struck(twice, twice)


async def test_client_that_gives_up(wire: WireProvider, stream: bool) -> None:
    """A fault that strikes more often than the client tries is its error."""
    wire.expect(script(fault(WireFaultKind.RATE_LIMITED, times=9)))

    async with client_of(wire, max_retries=2) as client:
        with pytest.raises(RateLimitError):
            await ask(client, stream=stream)

    assert wire.invoice() == ()
    assert len(wire.faults()) == 3


async def test_reset_before_answer(wire: WireProvider, stream: bool) -> None:
    """The connection is reset before the first byte; the request is charged, and not delivered."""
    reset = fault(WireFaultKind.RESET_BEFORE_ANSWER, times=2)
    wire.expect(script(reset))

    with connect(wire, stream=stream) as connection:
        received = read_until_reset(connection)
    async with client_of(wire) as client:
        with pytest.raises(APIConnectionError) as caught:
            await ask(client, stream=stream)

    assert received == b""
    assert isinstance(caught.value.__cause__, httpx2.ReadError)
    assert charged(wire) == [(211, 37, False)] * 2
    assert wire.faults() == struck(reset, reset)


async def test_reset_in_answer(wire: WireProvider, stream: bool) -> None:
    """Exactly the first half arrives, however late the client reads it; then the connection is reset."""
    reset = fault(WireFaultKind.RESET_IN_ANSWER, times=20)
    wire.expect(script(reset))

    halves = []
    for _ in range(20):
        with connect(wire, stream=stream) as connection:
            wait_for_reset(connection)
            halves.append(read_until_reset(connection).partition(b"\r\n\r\n"))

    for head, _, body in halves:
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        if stream:
            assert body.count(b"data: ") == body.count(b"\n\n") == 3
            assert b"[DONE]" not in body
        else:
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            assert len(body) == length // 2
    assert charged(wire) == [(211, 37, False)] * 20
    assert wire.faults() == struck(reset) * 20


async def test_client_of_a_reset_in_answer(wire: WireProvider, stream: bool) -> None:
    """A client of its own kind sees what came of a stream, and that the connection broke."""
    wire.expect(script(fault(WireFaultKind.RESET_IN_ANSWER)))
    pieces: list[str] = []

    async with client_of(wire) as client:
        with pytest.raises(APIConnectionError):
            await ask(client, stream=stream, pieces=pieces)

    assert "".join(pieces) == ("Nobody, it is a " if stream else "")
    assert charged(wire) == [(211, 37, False)]


async def test_reset_waits_for_a_slow_client(wire: WireProvider, stream: bool) -> None:
    """An answer that fills every buffer on the way arrives up to where it breaks."""
    text = "0123456789" * 3_000_000
    wire.expect(script(fault(WireFaultKind.RESET_IN_ANSWER), text=text))

    with connect(wire, stream=stream) as connection:
        received = read_until_reset(connection)

    assert 10_000_000 < len(received) < 25_000_000
    assert charged(wire) == [(211, 37, False)]


async def test_stall_goes_on(wire: WireProvider, stream: bool) -> None:
    """A client that waits gets the whole answer, after that time."""
    stall = fault(WireFaultKind.STALL, seconds=0.1)
    wire.expect(script(stall))
    clock = asyncio.get_running_loop().time

    begin = clock()
    async with client_of(wire) as client:
        text = await ask(client, stream=stream)

    assert clock() - begin >= 0.1
    assert text == TEXT
    assert charged(wire) == [(211, 37, True)]
    assert wire.faults() == struck(stall)


async def test_stall_of_which_the_client_tires(wire: WireProvider, stream: bool) -> None:
    """A client that waits for less than the stall gives up; its answer is charged, and not delivered."""
    wire.expect(script(fault(WireFaultKind.STALL, seconds=3600.0)))
    pieces: list[str] = []

    async with client_of(wire, timeout=0.2) as client:
        with pytest.raises(APITimeoutError):
            await ask(client, stream=stream, pieces=pieces)

    assert "".join(pieces) == ("Nobody, it is a " if stream else "")
    assert charged(wire) == [(211, 37, False)]


async def test_stop_in_a_stall(stream: bool) -> None:
    """The provider stops at once in the middle of a stall; the connection of whoever waits breaks."""
    wire = WireProvider()
    await wire.start()
    wire.expect(script(fault(WireFaultKind.STALL, seconds=3600.0)))
    connection = connect(wire, stream=stream)
    assert connection.recv(1) == b"H"

    async with asyncio.timeout(4):
        await wire.stop()

    with connection:
        read_until_reset(connection)
    assert charged(wire) == [(211, 37, False)]


async def test_malformed_answer(wire: WireProvider, stream: bool) -> None:
    """The client gets status 200 and no JSON; the answer is charged, and nobody has it."""
    malformed = fault(WireFaultKind.MALFORMED)
    wire.expect(script(malformed))
    pieces: list[str] = []

    async with client_of(wire) as client:
        with pytest.raises(json.JSONDecodeError):
            await ask(client, stream=stream, pieces=pieces)
        text = await ask(client, stream=stream)

    assert "".join(pieces) == ("Nobody, it is a " if stream else "")
    assert text == TEXT
    assert charged(wire) == [(211, 37, False), (211, 37, True)]
    assert wire.faults() == struck(malformed)


async def test_answer_without_usage(wire: WireProvider, stream: bool) -> None:
    """The answer is whole and does not tell its tokens, though it was asked; the invoice has them."""
    wire.expect(script(fault(WireFaultKind.WITHOUT_USAGE)))

    result = await Agent(wire.model).run(MESSAGE) if not stream else None
    if result is None:
        async with Agent(wire.model).run_stream(MESSAGE) as streamed:
            text, messages = await streamed.get_output(), streamed.all_messages()
    else:
        text, messages = result.output, result.all_messages()

    response = messages[-1]
    assert isinstance(response, ModelResponse)
    assert text == TEXT
    assert (response.usage.input_tokens, response.usage.unmeasured_requests) == (0, 1)
    assert response.provider_response_id == wire.invoice()[0].response_id
    assert charged(wire) == [(211, 37, True)]


@pytest.mark.parametrize("kind", SERVED)
async def test_fault_that_is_not_billed(wire: WireProvider, stream: bool, kind: WireFaultKind) -> None:
    """What the provider does not bill is not on the invoice, and the request that comes next is."""
    unbilled = fault(kind, billed=False)
    wire.expect(script(unbilled))

    async with client_of(wire) as client:
        with suppress(APIConnectionError, json.JSONDecodeError):
            await ask(client, stream=stream)
        assert wire.invoice() == ()
        text = await ask(client, stream=stream)

    assert text == TEXT
    assert charged(wire) == [(211, 37, True)]
    assert wire.faults() == struck(unbilled)


async def test_faults_of_one_response_in_their_order(wire: WireProvider, stream: bool) -> None:
    """Each strikes as often as it says, and then the next one does."""
    faults = (
        fault(WireFaultKind.RESET_BEFORE_ANSWER),
        fault(WireFaultKind.RATE_LIMITED, times=2),
        fault(WireFaultKind.WITHOUT_USAGE),
    )
    wire.expect(script(*faults))

    errors: list[type[BaseException] | None] = []
    async with client_of(wire) as client:
        for _ in range(5):
            try:
                await ask(client, stream=stream)
            except APIConnectionError as error:
                errors.append(type(error))
            except RateLimitError as error:
                errors.append(type(error))
            else:
                errors.append(None)

    assert errors == [APIConnectionError, RateLimitError, RateLimitError, None, None]
    assert wire.faults() == struck(faults[0], faults[1], faults[1], faults[2])
    assert charged(wire) == [(211, 37, False), (211, 37, True), (211, 37, True)]


async def test_requests_at_the_same_time(wire: WireProvider, stream: bool) -> None:
    """Exactly as many requests are struck as the fault says, whichever they are."""
    wire.expect(script(fault(WireFaultKind.RATE_LIMITED, times=5)))

    async with client_of(wire) as client:
        results = await asyncio.gather(*(ask(client, stream=stream) for _ in range(12)), return_exceptions=True)

    assert sum(isinstance(result, RateLimitError) for result in results) == 5
    assert results.count(TEXT) == 7
    assert charged(wire) == [(211, 37, True)] * 7


async def test_fault_strikes_its_own_response(make_agent: MakeAgent, two_calls: TwoCalls) -> None:
    """A fault of the second response leaves the first one alone; the provider's own client tries again."""
    reset = fault(WireFaultKind.RESET_IN_ANSWER, response=1)
    plan = two_calls("t1", MESSAGE)
    wire = WireProvider(max_retries=2)
    await wire.start()
    wire.expect(TurnScript(turn="t1", message=MESSAGE, responses=plan.responses, faults=(reset,)))

    result = await make_agent(wire).run(MESSAGE)

    assert result.output == f"Answer to: {MESSAGE} Done."
    assert charged(wire) == [(211, 37, True), (305, 12, False), (305, 12, True)]
    assert wire.faults() == struck(reset)
    await wire.stop()


@pytest.mark.parametrize("kind", WireFaultKind)
async def test_what_an_agent_sees(wire: WireProvider, stream: bool, kind: WireFaultKind) -> None:
    """An agent's run ends by Pydantic AI's own errors, or is answered."""
    wire.expect(script(fault(kind)))
    agent = Agent(wire.model)

    async def run() -> str:
        if not stream:
            return (await agent.run(MESSAGE)).output
        async with agent.run_stream(MESSAGE) as streamed:
            return await streamed.get_output()

    if kind in {WireFaultKind.STALL, WireFaultKind.WITHOUT_USAGE}:
        assert await run() == TEXT
    else:
        with pytest.raises((ModelAPIError, UnexpectedModelBehavior)):
            await run()

    assert wire.faults() == struck(fault(kind))


@pytest.mark.parametrize("kind", [WireFaultKind.SERVER_ERROR, WireFaultKind.RESET_BEFORE_ANSWER])
async def test_fallback_model_is_spared(kind: WireFaultKind) -> None:
    """The second model answers what the first one does not, by the same script and under its own name."""
    always = fault(kind, times=1_000_000)
    wire = WireProvider(fallback_model_name="gpt-4o-mini")
    await wire.start()
    wire.expect(script(always))
    assert wire.fallback_model is not None

    result = await Agent(FallbackModel(wire.model, wire.fallback_model)).run(MESSAGE)
    async with AsyncOpenAI(base_url=wire.base_url, api_key=wire.api_key) as client:
        models = [model.id async for model in client.models.list()]

    assert result.output == TEXT
    assert result.response.model_name == "gpt-4o-mini"
    billed = [(charge.model, charge.delivered) for charge in wire.invoice()]
    assert billed == ([("gpt-4o", False)] if always.charges else []) + [("gpt-4o-mini", True)]
    assert wire.faults() == struck(always)
    assert models == ["gpt-4o", "gpt-4o-mini"]
    await wire.stop()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fallback_model_name": "gpt-4o"}, "the fallback model 'gpt-4o' is the model itself"),
        ({"max_retries": -1}, r"a client cannot send a request again -1 times; .* \(max_retries\)"),
        ({"client_seconds": 0.0}, r"a client cannot wait for 0\.0 seconds; .* \(client_seconds\)"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    """What the client or the models cannot be is refused when it is given."""
    with pytest.raises(UsageError, match=message):
        WireProvider(**arguments)


def test_no_fallback_model() -> None:
    """Where no name is given for it there is none, and where one is there is none before the start."""
    assert WireProvider().fallback_model is None
    assert ScriptedProvider().fallback_model is None
    with pytest.raises(UsageError, match="no model before it is started"):
        _ = WireProvider(fallback_model_name="gpt-4o-mini").fallback_model


async def test_server_that_does_not_tell_its_connections() -> None:
    """Where no fault could be carried out none counts as carried out, and the answer says what to do."""
    book = ScriptBook()
    book.expect(script(fault(WireFaultKind.RESET_IN_ANSWER)))
    chat = ChatCompletions(book, model_names=["gpt-4o"], api_key="key", stopping=asyncio.Event())
    transport = httpx2.ASGITransport(chat.application())

    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post(
            "/v1/chat/completions",
            headers={"Authorization": "Bearer key"},
            json={"model": "gpt-4o", "messages": [{"role": "user", "content": MESSAGE}]},
        )

    assert response.status_code == 500
    assert "does not pass on the state of a connection" in response.json()["error"]["message"]
    assert book.faults() == ()
    assert book.invoice() == ()


@pytest.mark.parametrize("kind", [None, *WireFaultKind])
async def test_client_that_goes_away(stream: bool, kind: WireFaultKind | None) -> None:
    """Whenever a client leaves, the server says nothing, serves the next one, and leaves nothing behind."""
    tasks, threads, sockets = asyncio.all_tasks(), _threads(), _sockets()
    wire = WireProvider()
    await wire.start()
    faults = () if kind is None else (fault(kind, times=2, seconds=3600.0),)
    wire.expect(script(*faults, text="0123456789" * 300_000))

    with connect(wire, stream=stream):
        pass
    with connect(wire, stream=stream) as connection, suppress(ConnectionResetError):
        connection.recv(1)
    wire.expect(TurnScript(turn="t2", message="Quick", responses=script().responses))
    result = await Agent(wire.model).run("Quick")
    await wire.stop()

    gc.collect()
    assert result.output == TEXT
    assert asyncio.all_tasks() == tasks
    assert _threads() == threads
    assert _sockets() == sockets


def _threads() -> set[threading.Thread]:
    """Without those of the application loop's own executor, which end with that loop."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


def _sockets() -> set[tuple[object, ...]]:
    """The open ones; what the kernel is still closing has no descriptor any more."""
    connections = psutil.Process().net_connections("inet")
    return {(connection.fd, connection.laddr) for connection in connections}
