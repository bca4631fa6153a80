"""How an answer goes out: what is written, where it stops for a while, and where its connection breaks.

A `Delivery` is an ASGI application that takes its steps one after the other, and gives up when the client has gone.
It tells when the answer is whole (`done`), right before it writes the last of it: a client that has the whole
answer finds it delivered, and one that left before never does.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from harness.fault import WireFault, WireFaultKind
from harness.providers.connection import connection_of
from harness.providers.waiting import stopped_within

__all__ = ["Delivery", "Pause", "Reset", "Step", "body_of", "steps_of", "stream_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is written for so many seconds; if the server begins to stop in that time, the connection breaks."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks."""


Step = bytes | Pause | Reset
"""What is done next; bytes are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Answers a request with status 200; `length` is that of a plain body in bytes, and `None` for a stream.

    `done` is called when nothing can keep the answer from the client any more but the client itself.
    """

    steps: Sequence[Step]
    length: int | None
    stopping: asyncio.Event
    done: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; it ends when the answer is complete, or when the client has gone."""
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._take_steps(scope, send))
            while (await receive())["type"] != "http.disconnect":
                pass
            sending.cancel()

    async def _take_steps(self, scope: Scope, send: Send) -> None:
        begun = False
        for number, step in enumerate(self.steps, 1):
            if isinstance(step, bytes):
                if not begun:
                    await send({"type": "http.response.start", "status": 200, "headers": self._headers()})
                    begun = True
                await self._write(step, send, last=number == len(self.steps))
            elif isinstance(step, Reset) or await stopped_within(step.seconds, self.stopping):
                await connection_of(scope).reset(stopping=self.stopping)
                return

    async def _write(self, content: bytes, send: Send, *, last: bool) -> None:
        if last:
            self.done()
        await send({"type": "http.response.body", "body": content, "more_body": not last})
        await asyncio.sleep(0)  # other requests are served in between

    def _headers(self) -> list[tuple[bytes, bytes]]:
        if self.length is None:
            return [(b"content-type", b"text/event-stream; charset=utf-8")]
        return [(b"content-type", b"application/json"), (b"content-length", str(self.length).encode())]


def body_of(content: str, fault: WireFault | None) -> list[bytes]:
    """A plain body in the pieces in which it is written: two if a fault strikes between them."""
    body = content.encode()
    half = len(body) // 2
    if fault is None or fault.kind is WireFaultKind.WITHOUT_USAGE:
        return [body]
    return [body[:half]] if fault.kind is WireFaultKind.MALFORMED else [body[:half], body[half:]]


def stream_of(events: Iterable[str], fault: WireFault | None) -> list[bytes]:
    """The events of a stream; with `MALFORMED`, the one in the middle breaks off."""
    pieces = [event.encode() for event in events]
    if fault is not None and fault.kind is WireFaultKind.MALFORMED:
        middle = len(pieces) // 2
        pieces[middle] = pieces[middle][: len(pieces[middle]) // 2] + b"\n\n"
    return pieces


def steps_of(pieces: Sequence[bytes], fault: WireFault | None) -> list[Step]:
    """The pieces of an answer, one after the other, with what a fault does between them; it strikes in the middle."""
    before, after = pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]
    match fault:
        case WireFault(kind=WireFaultKind.RESET_BEFORE_ANSWER):
            return [Reset()]
        case WireFault(kind=WireFaultKind.RESET_IN_ANSWER):
            return [*before, Reset()]
        case WireFault(kind=WireFaultKind.STALL):
            return [*before, Pause(seconds=fault.seconds), *after]
    return list(pieces)
