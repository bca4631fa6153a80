"""The invoice of a provider that keeps none for us, read from its answers on their way to the client.

Problem: a real provider sends its invoice at the end of the month. What it served is in each answer, and everything
behind the wire, the client's library, the agent and the cost tracker, may be what is wrong.

Mechanism: a transport around the one that the client has. Each request for a model's answer that the provider did not
refuse becomes a line: what the answer itself says it is and has used (`harness.providers.told_usage`), and the turn in
whose task it was asked for. A client that asks again by itself makes another request, and another line.

Guarantee: bytes pass through as they are, and as they come; they are read when they are through. An answer that does
not tell its tokens, or cannot be read, is a line of the invoice all the same: it says why (`Charge.untold`), so that
nobody takes what is not known for nothing. So is a request that was given up before there was an answer, unless the
provider is known to charge nothing for that.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

from harness.evidence import Charge
from harness.providers.told_usage import Api, Tokens, Told, api_of, read

__all__ = ["Meter"]

_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
"""Ends of a request by which the provider never had it."""

_MODEL_IN_PATH = re.compile(r"/models/([^/:]+):")


class Meter:
    """Keeps a line for each answer; `turn_of` names the turn of the task that asks, `None` outside of any.

    `provider` is the name by which the client knows the provider, which ledger rows have, too; without one, it is that
    of whom the protocol is. A provider that stops its model as soon as a client has gone charges nothing for what was
    given up: `charges_abandoned` is then false.
    """

    def __init__(
        self, turn_of: Callable[[], str | None], *, provider: str | None = None, charges_abandoned: bool = True
    ) -> None:
        self.provider = provider
        self._turn_of = turn_of
        self._charges_abandoned = charges_abandoned
        self._charges: list[Charge] = []
        self._open: dict[int, _Exchange] = {}
        self._count = 0

    def transport(self, inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        """The transport, metered; closing it closes `inner`."""
        return _MeteredTransport(inner, self)

    def invoice(self) -> tuple[Charge, ...]:
        """What was served so far, in the order of serving; last what is still being served, which is not told yet."""
        return (*self._charges, *(charge for each in self._open.values() if (charge := self._charge(each)) is not None))

    def begin(self, request: httpx2.Request, api: Api) -> "_Exchange":
        """A request goes out."""
        self._count += 1
        exchange = _Exchange(number=self._count, api=api, turn=self._turn_of() or "", model=_asked_model(request))
        self._open[exchange.number] = exchange
        return exchange

    def refused(self, exchange: "_Exchange") -> None:
        """It was not served."""
        self._open.pop(exchange.number, None)

    def end(self, exchange: "_Exchange") -> None:
        """Nothing more will come of it; harmless when called again."""
        if self._open.pop(exchange.number, None) is not None:
            charge = self._charge(exchange)
            if charge is not None:
                self._charges.append(charge)

    def _charge(self, exchange: "_Exchange") -> Charge | None:
        told = exchange.told()
        abandoned = told.tokens is None and not exchange.complete
        if abandoned and not self._charges_abandoned:
            return None
        tokens = told.tokens or Tokens(prompt=0, completion=0)
        return Charge(
            response_id=f"untold-{exchange.number}" if told.response_id is None else told.response_id,
            turn=exchange.turn,
            provider=self.provider or exchange.api.provider,
            model=told.model or exchange.model,
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            served_at=datetime.now(UTC),
            stream=exchange.stream,
            cached_tokens=tokens.cached,
            cache_write_tokens=tokens.written,
            reasoning_tokens=tokens.reasoning,
            delivered=told.whole,
            untold=None if told.tokens else told.reason,
        )


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """A request and what has come of it so far; without a `response` nothing has."""

    number: int
    api: Api
    turn: str
    model: str
    response: httpx2.Response | None = None
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    unpacked: bool = False

    @property
    def stream(self) -> bool:
        """Whether the answer is one of server-sent events."""
        return self.response is not None and "text/event-stream" in self.response.headers.get("content-type", "")

    def told(self) -> Told:
        """What the answer says so far."""
        if self.response is None:
            return Told(reason="nobody waited for the answer, or it never came")
        try:
            encoding = "identity" if self.unpacked else self.response.headers.get("content-encoding", "identity")
            packed = {"content-encoding": encoding}
            text = httpx2.Response(200, headers=packed, content=bytes(self.body)).content.decode("utf-8", "replace")
        except httpx2.DecodingError:
            return Told(reason="it could not be unpacked")
        return read(self.api, text, stream=self.stream, complete=self.complete)


class _MeteredTransport(httpx2.AsyncBaseTransport):
    """Another transport, whose answers are counted."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The other transport's answer."""
        api = api_of(request.url.path) if request.method == "POST" else None
        if api is None:
            return await self._inner.handle_async_request(request)
        await request.aread()
        exchange = self._meter.begin(request, api)
        try:
            response = await self._inner.handle_async_request(request)
        except _NOT_SENT:
            self._meter.refused(exchange)
            raise
        except BaseException:  # cancelled, too, it may have been served, and it is raised on
            self._meter.end(exchange)
            raise
        if not response.is_success:
            self._meter.refused(exchange)
            return response
        exchange.response = response
        if response.is_closed:  # a transport in memory has read it already
            exchange.body += response.content
            exchange.complete = exchange.unpacked = True
            self._meter.end(exchange)
        elif isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _MeteredStream(response.stream, exchange, self._meter)
        return response

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


class _MeteredStream(httpx2.AsyncByteStream):
    """The bytes of an answer, of which a copy is kept."""

    def __init__(self, inner: httpx2.AsyncByteStream, exchange: _Exchange, meter: Meter) -> None:
        self._inner = inner
        self._exchange = exchange
        self._meter = meter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes as they come."""
        chunks: Any = self._inner.__aiter__()
        try:
            async for chunk in chunks:
                self._exchange.body += chunk
                yield chunk
            self._exchange.complete = True
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def aclose(self) -> None:
        """Nobody reads on."""
        try:
            await self._inner.aclose()
        finally:
            self._meter.end(self._exchange)


def _asked_model(request: httpx2.Request) -> str:
    in_path = _MODEL_IN_PATH.search(request.url.path)
    if in_path is not None:
        return in_path[1]
    try:
        asked = json.loads(request.content)
    except ValueError:
        return ""
    model = asked.get("model") if isinstance(asked, dict) else None
    return model if isinstance(model, str) else ""
