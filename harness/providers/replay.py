"""Plays a cassette to an application: answers its requests with what was answered when it was recorded.

Problem: a recording that answers what it was not asked shows nothing, and says nothing of it.

Mechanism: a transport without a network. Each request is looked for among those that were recorded
(`harness.providers.matching`) and not played yet, and gets the answer of the first that is alike, in the recorded
chunks, with the recorded time between them or with none. So the turns of an application may ask at the same time and
in any order.

Guarantee: each recorded exchange is played once at most, and answers break off where they did. A request that was not
recorded is refused, as a provider refuses one that is wrong (HTTP 400, with an error object that every client reads),
by a message that names the recorded request that is nearest, and each place where they differ. These, and what was
recorded and never asked for, are in `differences`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import httpx2
from pydantic import JsonValue

from harness.evidence import ReplayDifference
from harness.masking import MASK, masker
from harness.providers.cassette import AGAIN, Cassette, Exchange, content_of
from harness.providers.matching import Difference, Likeness, differences
from harness.providers.unsaid import masked_body

__all__ = ["NOT_RECORDED", "Replay"]

NOT_RECORDED = "not_recorded"
"""The code of the error by which a request is refused that was not recorded."""

_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One recorded exchange, its number from 1, and its body as it is compared: with tools' results, and without.

    `has_masks` if something was masked in it, which is equal to anything.
    """

    number: int
    exchange: Exchange
    body: JsonValue
    without_results: JsonValue
    has_masks: bool

    def is_for(self, request: httpx2.Request) -> bool:
        return (self.exchange.method, self.exchange.path) == (request.method, request.url.path)

    def is_like(self, body: JsonValue, *, results: bool = True) -> bool:
        mine = self.body if results else self.without_results
        return mine == body or (self.has_masks and not differences(mine, body))


class Replay:
    """Plays `cassette`, once; `name` is what messages call it.

    With `timed`, answers come at the recorded times, by `clock` and `sleep`, in seconds. What tools returned must be
    what it was, unless `results` is false: then it may be something else, and only `notes` tell of it. `turn_of` names
    the turn of the task that asks. Secrets, which are masked before anything is compared or told, are looked up in
    `environment`, the process's own by default.
    """

    def __init__(
        self,
        cassette: Cassette,
        *,
        name: str = "the recording",
        timed: bool = False,
        results: bool = True,
        turn_of: Callable[[], str | None] = lambda: None,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = perf_counter,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._likeness = Likeness(kind=cassette.kind, masks=cassette.masks)
        self._entries = [
            self._entry(number, cassette, exchange) for number, exchange in enumerate(cassette.exchanges, start=1)
        ]
        self._left = list(self._entries)
        self._name = name
        self._timed = timed
        self._results = results
        self._turn_of = turn_of
        self._mask = masker(environment)
        self._clock = clock
        self._sleep = sleep
        self._mismatches: list[ReplayDifference] = []
        self._other_results: list[Difference] = []

    def transport(self) -> httpx2.AsyncBaseTransport:
        """A transport that plays; several play the same cassette together."""
        return _ReplayTransport(self)

    @property
    def mismatches(self) -> tuple[ReplayDifference, ...]:
        """The requests that were not recorded, in their order."""
        return tuple(self._mismatches)

    @property
    def unplayed(self) -> tuple[ReplayDifference, ...]:
        """What was recorded and has not been asked for."""
        return tuple(
            ReplayDifference(
                message=(
                    f"recorded request {entry.number} of {len(self._entries)} in {self._name} was not sent: "
                    f"{entry.exchange.method} {entry.exchange.path}"
                ),
                sent=False,
            )
            for entry in self._left
        )

    @property
    def differences(self) -> tuple[ReplayDifference, ...]:
        """All in which the replay was not the recording."""
        return (*self.mismatches, *self.unplayed)

    @property
    def notes(self) -> tuple[str, ...]:
        """What differed and may."""
        if not self._other_results:
            return ()
        count, first = len(self._other_results), self._other_results[0]
        return (f"tools returned something else than was recorded; so often: {count}; the first: {first}",)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The recorded answer, or a refusal; raises `httpx2.ReadError` where there was no answer."""
        began = self._clock()
        content = await request.aread()
        entry = self._take(request, content)
        if entry is None:
            return self._refuse(request, content)
        exchange = entry.exchange
        await self.wait(began + exchange.head_seconds)
        if exchange.status is None:
            raise httpx2.ReadError(f"request {entry.number} of {self._name} was not answered either", request=request)
        stream = _PlayedStream(exchange, request, began=began, wait=self.wait)
        return httpx2.Response(exchange.status, headers=exchange.headers, stream=stream)

    async def wait(self, until: float) -> None:
        """Wait until a moment of the clock, if answers come in their time."""
        if self._timed and (seconds := until - self._clock()) > 0:
            await self._sleep(seconds)

    def _entry(self, number: int, cassette: Cassette, exchange: Exchange) -> _Entry:
        body = cassette.body_of(exchange)
        return _Entry(
            number=number,
            exchange=exchange,
            body=self._likeness.of(body, results=True),
            without_results=self._likeness.of(body, results=False),
            has_masks=MASK in json.dumps(body),
        )

    def _take(self, request: httpx2.Request, content: bytes) -> _Entry | None:
        """The first recorded exchange that is alike, which is played by that; without a pause, so that it is one."""
        left = [entry for entry in self._left if entry.is_for(request)]
        sent = masked_body(content, self._mask)
        body = self._likeness.of(sent, results=True)
        found = next((entry for entry in left if entry.is_like(body)), None)
        if found is None and not self._results:
            bare = self._likeness.of(sent, results=False)
            found = next((entry for entry in left if entry.is_like(bare, results=False)), None)
            self._other_results += differences(found.body, body) if found is not None else ()
        if found is not None:
            self._left.remove(found)
        return found

    def _refuse(self, request: httpx2.Request, content: bytes) -> httpx2.Response:
        asked = f"{request.method} {self._mask(request.url.path)}"
        nearest = self._nearest(request, masked_body(content, self._mask))
        message = f"{asked} was sent, and was not recorded: {nearest}; if the application is to ask this, {AGAIN}"
        self._mismatches.append(ReplayDifference(message=message, turn=self._turn_of(), sent=True))
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": NOT_RECORDED}
        stream = httpx2.ByteStream(json.dumps({"error": error}).encode())
        return httpx2.Response(400, headers={"content-type": "application/json"}, stream=stream)

    def _nearest(self, request: httpx2.Request, sent: JsonValue) -> str:
        """Which recorded request is like it most, and how it differs."""
        entries = [entry for entry in self._entries if entry.is_for(request)]
        if not entries:
            return f"none of the {len(self._entries)} requests in {self._name} has this method and path"
        body = self._likeness.of(sent, results=True)
        told = [(entry, differences(entry.body, body)) for entry in entries]
        # among those that are as near, what is left comes before what was played
        entry, differing = min(told, key=lambda pair: (len(pair[1]), pair[0] not in self._left))
        which = f"number {entry.number} of {len(self._entries)} in {self._name}"
        if not differing:
            return f"it is like {which}, and all that are like it have been played"
        played = "" if entry in self._left else ", played already,"
        return f"the nearest is {which}{played or ','} which differs at {_listed(differing)}"


def _listed(differing: Sequence[Difference]) -> str:
    more = len(differing) - _LISTED
    return "; ".join(map(str, differing[:_LISTED])) + (f"; and {more} more places" if more > 0 else "")


class _ReplayTransport(httpx2.AsyncBaseTransport):
    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._replay.answer(request)


class _PlayedStream(httpx2.AsyncByteStream):
    def __init__(
        self,
        exchange: Exchange,
        request: httpx2.Request,
        *,
        began: float,
        wait: Callable[[float], Awaitable[None]],
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._began = began
        self._wait = wait

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._exchange.chunks:
            await self._wait(self._began + chunk[0])
            yield content_of(chunk)
        if not self._exchange.complete:
            raise httpx2.ReadError("the recorded answer broke off here", request=self._request)
