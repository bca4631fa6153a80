"""How an answer goes out, step by step, to an ASGI server of the test's own."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from harness.providers.delivery import Delivery, Pause, Step


class Server:
    """Keeps what is sent, and says that the client has gone when `parts` parts of the body were sent."""

    def __init__(self, *, parts: int) -> None:
        self.sent: list[dict[str, Any]] = []
        self._parts = parts
        self._gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if len(self.body) == self._parts:
            self._gone.set()

    @property
    def body(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]


async def deliver(steps: Sequence[Step], *, parts: int) -> tuple[Server, list[str]]:
    server, done = Server(parts=parts), list[str]()
    delivery = Delivery(
        steps=steps,
        length=3,
        stopping=asyncio.Event(),
        done=lambda: done.append(f"done after {len(server.body)} parts"),
    )
    async with asyncio.timeout(10):
        await delivery({"type": "http"}, server.receive, server.send)
    return server, done


async def test_whole_answer() -> None:
    """Head and parts go out in order, and it is done right before the last one."""
    server, done = await deliver([b"a", Pause(seconds=0.01), b"b", b"c"], parts=3)

    assert [message.get("status") for message in server.sent] == [200, None, None, None]
    assert [message.get("more_body") for message in server.sent] == [None, True, True, False]
    assert server.body == [b"a", b"b", b"c"]
    assert done == ["done after 2 parts"]


@pytest.mark.parametrize("pause", [[], [Pause(seconds=3600.0)]], ids=["between parts", "in a pause"])
async def test_client_that_has_gone(pause: list[Step]) -> None:
    """Nothing is awaited or sent for a client that has gone, and its answer is never done."""
    server, done = await deliver([b"a", *pause, b"b", b"c", b"d", b"e", b"f"], parts=1)

    assert len(server.body) < 5
    assert done == []
