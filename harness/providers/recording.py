"""Records what passes between an application and a model.

Problem: an answer comes in pieces, and how it came belongs to it: a client that reads a stream sees other moments than
one that reads the whole. A recorder that reads the answer first and hands it on then shows neither.

Mechanism: a transport around another one. It notes each request and what comes back, and hands on every chunk when it
comes. What is noted becomes a cassette (`harness.providers.cassette`) when the transport is closed, however that comes
about.

Guarantee: the application gets what it would have got, chunk by chunk, and its errors. No header of a request is kept,
nor what stands behind the `?` of its URL; what was in them (the key, in every form) is masked wherever else it appears,
as are the secrets of the environment. An answer that broke off, or that its reader left, is incomplete. The file is
whole, or what it was before; without any request it is what it was before.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import httpx2

from harness.errors import ConfigurationError
from harness.masking import Mask, masker
from harness.providers.cassette import (
    KEPT_HEADERS,
    Cassette,
    Exchange,
    ModelKind,
    read_cassette,
    write_cassette,
)
from harness.providers.unsaid import masked_body, masked_chunks

__all__ = ["Recording"]

_KEY_HEADERS = re.compile(r"authorization|cookie|(?:^|-)(?:key|token|secret)(?:-|$)|apikey", re.IGNORECASE)
_KEY_PARAMETERS = re.compile(r"(?:^|_|-)(?:key|token|secret|sig|signature|password|code)$|apikey", re.IGNORECASE)
_SCHEME = re.compile(r"(?i)^(?:bearer|basic|token)\s+")
_LAST_EVENTS = (
    re.compile(r"data: ?\[DONE\]\s*$"),
    re.compile(r'"type": ?"(?:message_stop|response\.(?:completed|incomplete|failed))"[^\n]*\s*$'),
)
_TAIL = 1 << 16
_EVENT_STREAM = "text/event-stream"


@dataclass(slots=True, kw_only=True)
class _Open:
    """One exchange, as far as it has come; `began` is when it was sent."""

    method: str
    path: str
    body: bytes
    began: float
    status: int | None = None
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    head_seconds: float = 0.0
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    ended: bool = False


class Recording:
    """Records all that goes through its transports into one file.

    `kind` and `provider` say who answers, as a cassette needs to know it; `model` is the model's name, by default what
    the first request asks for. Secrets are looked up in `environment`, the process's own by default.
    """

    def __init__(
        self,
        path: Path,
        *,
        kind: ModelKind = ModelKind.OPENAI_CHAT,
        provider: str = "openai",
        model: str | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._path = path
        self._kind = kind
        self._provider = provider
        self._model = model
        self._environment = environment
        self._clock = clock
        self._host = ""
        self._secrets: set[str] = set()
        self._open: list[_Open] = []

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def transport(self, inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        """A transport that records what `inner` does, and writes the file when it is closed."""
        return _RecordingTransport(self, inner)

    @property
    def cassette(self) -> Cassette:
        """What was recorded so far, without secrets."""
        mask = masker(self._environment, secrets=self._secrets)
        exchanges = [_exchange(one, mask) for one in self._open]
        return Cassette.of(
            exchanges,
            kind=self._kind,
            provider=self._provider,
            model=self._model or _model_of(exchanges),
            host=mask(self._host),
            masks=self._masks(),
        )

    def write(self) -> None:
        """Write what was recorded so far, if anything was; raises `ConfigurationError` if it cannot be written."""
        if self._open:
            write_cassette(self._path, self.cassette)

    def begin(self, request: httpx2.Request, body: bytes) -> "_Open":
        """A request is sent now."""
        self._host = self._host or request.url.host
        self._secrets |= _secrets_of(request)
        one = _Open(method=request.method, path=request.url.path, body=body, began=self._clock())
        self._open.append(one)
        return one

    def answer(self, one: "_Open", response: httpx2.Response) -> None:
        """Its answer begins."""
        one.status = response.status_code
        one.headers = response.headers
        one.head_seconds = self._clock() - one.began

    def add(self, one: "_Open", chunk: bytes) -> None:
        """A piece of it has come."""
        one.chunks.append((self._clock() - one.began, chunk))

    def _masks(self) -> tuple[str, ...]:
        """Those that the user wrote into the file that was there before."""
        try:
            return read_cassette(self._path).masks if self._path.exists() else ()
        except ConfigurationError:
            return ()


class _RecordingTransport(httpx2.AsyncBaseTransport):
    def __init__(self, recording: Recording, inner: httpx2.AsyncBaseTransport) -> None:
        self._recording = recording
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        one = self._recording.begin(request, await request.aread())
        request.headers["accept-encoding"] = "identity"  # so that what is recorded can be read
        response = await self._inner.handle_async_request(request)
        self._recording.answer(one, response)
        if not isinstance(response.stream, httpx2.AsyncByteStream):
            raise TypeError(f"the transport {self._inner!r} answers with a stream that cannot be read asynchronously")
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_RecordedStream(response.stream, self._recording, one),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._recording.write()


class _RecordedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, recording: Recording, one: _Open) -> None:
        self._inner = inner
        self._recording = recording
        self._one = one

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._inner)
        try:
            async for chunk in chunks:
                self._recording.add(self._one, chunk)
                yield chunk
            self._one.ended = True
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def aclose(self) -> None:
        await self._inner.aclose()


def _exchange(one: _Open, mask: Mask) -> Exchange:
    chunks = _decoded(one)
    events = one.headers.get("content-type", "").startswith(_EVENT_STREAM)
    return Exchange(
        method=one.method,
        path=mask(one.path),
        body=masked_body(one.body, mask),
        status=one.status,
        headers={name: mask(value) for name, value in sorted(one.headers.items()) if name.lower() in KEPT_HEADERS},
        head_seconds=round(one.head_seconds, 3),
        chunks=masked_chunks(chunks or (), mask, events=events),
        complete=chunks is not None and (one.ended or (events and _is_whole(chunks))),
    )


def _decoded(one: _Open) -> list[tuple[float, bytes]] | None:
    """The chunks as the client reads them, `None` if it cannot.

    A body that was compressed, though nobody wants that, is one chunk at the time of its last piece.
    """
    if not one.chunks or one.headers.get("content-encoding", "identity") == "identity":
        return one.chunks
    content = b"".join(chunk for _, chunk in one.chunks)
    try:
        read = httpx2.Response(200, headers=one.headers, content=content).content
    except httpx2.DecodingError:
        return None
    return [(one.chunks[-1][0], read)]


def _is_whole(chunks: list[tuple[float, bytes]]) -> bool:
    """Whether a stream came to its last event: clients stop reading there, before the connection says that it ends."""
    tail = b"".join(content for _, content in chunks)[-_TAIL:].decode("utf-8", "replace")
    return any(last.search(tail) for last in _LAST_EVENTS)


def _secrets_of(request: httpx2.Request) -> set[str]:
    """What the request has in its headers and its URL by which the provider knows who asks."""
    headers = {_SCHEME.sub("", value) for name, value in request.headers.items() if _KEY_HEADERS.search(name)}
    parameters = {value for name, value in request.url.params.multi_items() if _KEY_PARAMETERS.search(name)}
    return headers | parameters | {request.url.password or ""}


def _model_of(exchanges: list[Exchange]) -> str:
    asked = (exchange.body.get("model") for exchange in exchanges if isinstance(exchange.body, dict))
    return next((model for model in asked if isinstance(model, str)), "")
