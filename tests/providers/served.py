"""A chat completions server in place of the network: it says what it is told to, and keeps what it was asked."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

__all__ = ["MODEL", "Served", "calls"]

MODEL = "smollm2-135m"
USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 8,
    "total_tokens": 48,
    "prompt_tokens_details": {"cached_tokens": 30},
}


def calls(*made: tuple[str, dict[str, Any]]) -> str:
    """What a model says that calls these tools."""
    return json.dumps({"calls": [{"tool": tool, "arguments": arguments} for tool, arguments in made]})


class Served(httpx2.AsyncBaseTransport):
    """Says `texts` one after the other, plain or streamed as it is asked; `bodies` has the requests."""

    def __init__(self, *texts: str, finish: str = "stop") -> None:
        self._texts = texts
        self._finish = finish
        self.bodies: list[dict[str, Any]] = []
        self.client = AsyncOpenAI(
            base_url="http://127.0.0.1:1/v1",
            api_key="key",
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(transport=self),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The next text."""
        body = json.loads(await request.aread())
        number = len(self.bodies)
        self.bodies.append(body)
        if body.get("stream"):
            events = [f"data: {json.dumps(event)}\n\n" for event in self._chunks(number)]
            content = "".join([*events, "data: [DONE]\n\n"])
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=content)
        message = {"role": "assistant", "content": self._texts[number]}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return httpx2.Response(200, json={**_head(number, "chat.completion"), "choices": [choice], "usage": USAGE})

    def _chunks(self, number: int) -> Iterator[dict[str, Any]]:
        text, head = self._texts[number], _head(number, "chat.completion.chunk")
        for piece in (text[:10], text[10:]):
            yield {**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": self._finish}]}
        yield {**head, "choices": [], "usage": USAGE}


def _head(number: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 1, "model": MODEL}
