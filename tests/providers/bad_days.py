"""A server on this machine that speaks OpenAI's chat completions, and has bad days."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from harness.providers.server import ServerThread

__all__ = ["KEY", "BadDays"]

KEY = "sk-planted-0123456789abcdefghij"
"""A key that must not be seen anywhere."""

_CALLS = {
    "unknown tool": ("search_the_stars", "{}"),
    "invalid JSON": ("search_directory", '{"query": "card'),
    "loop": ("search_directory", '{"query": "cardiology", "schema_name": "people"}'),
}


class BadDays(AbstractAsyncContextManager["BadDays"]):
    """Answers as `behaviour` says; `keys` has the authorization of each request."""

    def __init__(self, behaviour: str = "answer") -> None:
        self.behaviour = behaviour
        self.keys: list[str] = []
        self._stopping = asyncio.Event()
        application = Starlette(routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])])
        self._server = ServerThread(application, stopping=self._stopping, host="127.0.0.1", port=0)

    @property
    def base_url(self) -> str:
        """Its address, as clients want it."""
        return f"http://{self._server.address}/v1"

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def _complete(self, request: Request) -> Response:  # noqa: PLR0911  # one for each behaviour
        self.keys.append(request.headers.get("authorization", ""))
        await request.body()
        match self.behaviour:
            case "wrong key":
                said = f"Incorrect API key provided: {KEY[:9]}**********{KEY[-4:]}, that is {KEY}."
                return _refusal(401, said, "invalid_api_key")
            case "rate limit":
                return _refusal(429, "Rate limit reached.", "rate_limit_exceeded")
            case "no credit":
                return _refusal(429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota")
            case "no such model":
                return _refusal(404, "The model does not exist.", "model_not_found")
            case "server error":
                return _refusal(500, "The server had an error.", None, "server_error")
            case "no JSON":
                return PlainTextResponse("<html>Welcome to this proxy.</html>", media_type="text/html")
            case "slow":
                await self._stopping.wait()
                return _refusal(503, "The server stops.", None)
            case "nothing":
                return JSONResponse(_completion({"content": ""}))
            case "answer":
                return JSONResponse(_completion({"content": "Hello."}))
        tool, arguments = _CALLS[self.behaviour]
        call = {
            "id": f"call-{len(self.keys)}",
            "type": "function",
            "function": {"name": tool, "arguments": arguments},
        }
        return JSONResponse(_completion({"content": None, "tool_calls": [call]}, number=len(self.keys)))


def _completion(message: dict[str, Any], *, number: int = 1) -> dict[str, Any]:
    finish = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def _refusal(status: int, message: str, code: str | None, kind: str = "invalid_request_error") -> Response:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Response(json.dumps(body), status_code=status, media_type="application/json")
