"""A server without a network: answers in chunks, each after a time of a clock that only moves when it is told to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

__all__ = ["PATH", "Clock", "Reply", "Server", "client_of", "completion", "events", "post", "streamed"]

ADDRESS = "https://api.example.com/v1"
PATH = "/chat/completions"


@dataclass(slots=True)
class Clock:
    """Seconds that pass when somebody waits, or says so."""

    now: float = 0.0
    waited: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait, without waiting."""
        self.waited.append(round(seconds, 6))
        self.now += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server answers: its head after a second, each chunk after the seconds beside it, and then the error.

    `between` is awaited after each chunk.
    """

    chunks: Sequence[tuple[float, bytes]] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    error: Exception | None = None
    between: Callable[[], Awaitable[object]] | None = None


class Server(httpx2.AsyncBaseTransport):
    """Gives its replies in their order, and keeps the requests."""

    def __init__(self, *replies: Reply, clock: Clock | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self.closed = False
        self.left = 0
        self._replies = iter(replies)
        self._clock = clock or Clock()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The next reply."""
        await request.aread()
        self.requests.append(request)
        reply = next(self._replies)
        self._clock.advance(1.0)
        return httpx2.Response(reply.status, headers=reply.headers, stream=_Stream(self, reply, self._clock))

    async def aclose(self) -> None:
        """It is gone."""
        self.closed = True


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, server: Server, reply: Reply, clock: Clock) -> None:
        self._server, self._reply, self._clock = server, reply, clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for seconds, chunk in self._reply.chunks:
            self._clock.advance(seconds)
            yield chunk
            if self._reply.between is not None:
                await self._reply.between()
        if self._reply.error is not None:
            raise self._reply.error

    async def aclose(self) -> None:
        self._server.left += 1


def client_of(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    """A client that asks by the transport."""
    return httpx2.AsyncClient(transport=transport, base_url=ADDRESS, trust_env=False)


async def post(
    client: httpx2.AsyncClient, body: object, *, path: str = PATH, **arguments: Any
) -> tuple[int, list[bytes]]:
    """The status and the chunks of the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.stream("POST", path, content=content, **arguments) as response:
        return response.status_code, [chunk async for chunk in response.aiter_raw()]


def completion(text: str = "Found.", *, number: int = 1) -> dict[str, Any]:
    """A whole answer, as OpenAI's API has it."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23},
    }


def events(*texts: str, usage: bool = True) -> list[bytes]:
    """The server-sent events of an answer that comes in these pieces."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o"}
    pieces: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}
        for text in texts
    ]
    pieces.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        told = {"prompt_tokens": 20, "completion_tokens": len(texts), "total_tokens": 20 + len(texts)}
        pieces.append({**head, "choices": [], "usage": told})
    return [*(f"data: {json.dumps(piece)}\n\n".encode() for piece in pieces), b"data: [DONE]\n\n"]


def streamed(chunks: Iterable[bytes], *, seconds: float = 0.25, **fields: Any) -> Reply:
    """A reply whose chunks come one after the other."""
    return Reply(chunks=[(seconds, chunk) for chunk in chunks], headers={"content-type": "text/event-stream"}, **fields)
