"""The OpenAI chat completions protocol, served from a `ScriptBook`.

`POST /v1/chat/completions`, plain and as server-sent events, and `GET /v1/models`. Requests need the bearer
key, and are refused with the status and the error object that OpenAI uses, so that a real client raises its
own exceptions: 401 for a wrong key, 404 for a model that is not served, 400 for what cannot be read and for
what nothing is scripted for. Source: https://platform.openai.com/docs/api-reference/chat (create, streaming,
errors).

A response is put on the invoice when it is ready, before its first byte is sent. A client that has gone by
then is not charged; one that hangs up in the middle of a stream is, as with the real provider.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.evidence import Charge
from harness.providers.provider import ScriptedCall, ScriptedResponse
from harness.providers.script import Due, Said, ScriptBook, UnscriptedRequestError, arguments_of, pieces_of

__all__ = ["ChatCompletions"]

_CLIENT_CLOSED_REQUEST = 499


class _Part(BaseModel):
    type: str
    text: str = ""


class _Message(BaseModel):
    role: str
    content: str | list[_Part] | None = None

    @property
    def said(self) -> Said:
        parts = self.content if isinstance(self.content, list) else [_Part(type="text", text=self.content or "")]
        return Said(
            by_model=self.role == "assistant",
            text="\n".join(part.text for part in parts if part.type == "text"),
        )


class _Function(BaseModel):
    name: str


class _Tool(BaseModel):
    function: _Function | None = None


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Asked(BaseModel):
    model: str
    messages: list[_Message] = Field(min_length=1)
    tools: list[_Tool] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None

    @property
    def conversation(self) -> list[Said]:
        return [message.said for message in self.messages if message.role in {"user", "assistant"}]

    @property
    def offered(self) -> frozenset[str]:
        return frozenset(tool.function.name for tool in self.tools or () if tool.function is not None)

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class _RefusedError(Exception):
    """A request that is answered by an error object."""

    def __init__(self, status: int, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ChatCompletions:
    """Answers requests for one model; `stopping` cuts short the time that the model takes."""

    def __init__(self, book: ScriptBook, *, model_name: str, api_key: str, stopping: asyncio.Event) -> None:
        self._book = book
        self._model_name = model_name
        self._api_key = api_key
        self._stopping = stopping

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ],
            exception_handlers={_RefusedError: _refusal, HTTPException: _http_error},
        )

    async def _models(self, request: Request) -> Response:
        self._authenticate(request)
        model = {"id": self._model_name, "object": "model", "created": 0, "owned_by": "sessionproof"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _complete(self, request: Request) -> Response:
        self._authenticate(request)
        asked = self._read(await request.body())
        due = self._due(asked)
        await self._take(due.response.seconds)
        if await request.is_disconnected():
            return Response(status_code=_CLIENT_CLOSED_REQUEST)
        charge = self._book.charge(due, model=asked.model, stream=bool(asked.stream))
        if asked.stream:
            events = _events(due.response, charge, include_usage=asked.include_usage)
            return StreamingResponse(_in_turns(events), media_type="text/event-stream")
        return JSONResponse(_completion(due.response, charge))

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            raise _RefusedError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _read(self, body: bytes) -> _Asked:
        try:
            asked = _Asked.model_validate_json(body)
        except ValidationError as error:
            raise _RefusedError(400, f"The request could not be read: {_summary(error)}") from error
        if asked.model != self._model_name:
            message = f"The model {asked.model!r} does not exist here; served is {self._model_name!r}."
            raise _RefusedError(404, message, code="model_not_found")
        return asked

    def _due(self, asked: _Asked) -> Due:
        try:
            return self._book.due(asked.conversation, offered=asked.offered)
        except UnscriptedRequestError as error:
            raise _RefusedError(400, str(error), code="unscripted") from error

    async def _take(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise _RefusedError(503, "The local provider was stopped while the model was at work.")


def _summary(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


async def _refusal(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, _RefusedError) else 500
    code = error.code if isinstance(error, _RefusedError) else None
    return _error_response(status, str(error), code=code)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error_response(status, f"Invalid URL ({request.method} {request.url.path})")


def _error_response(status: int, message: str, *, code: str | None = None) -> Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP's classes
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


def _completion(response: ScriptedResponse, charge: Charge) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": response.text or None, "refusal": None}
    if response.calls:
        message["tool_calls"] = [_tool_call(call, arguments_of(call)) for call in response.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(response)}
    return {**_head(charge, "chat.completion"), "choices": [choice], "usage": _usage(charge)}


def _events(response: ScriptedResponse, charge: Charge, *, include_usage: bool) -> Iterator[str]:
    head = _head(charge, "chat.completion.chunk") | ({"usage": None} if include_usage else {})
    for delta in _deltas(response):
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": _finish_reason(response)}
    yield _event({**head, "choices": [end]})
    if include_usage:
        yield _event({**head, "choices": [], "usage": _usage(charge)})
    yield "data: [DONE]\n\n"


def _deltas(response: ScriptedResponse) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": "" if response.text else None}
    for piece in pieces_of(response.text):
        yield {"content": piece}
    for index, call in enumerate(response.calls):
        yield {"tool_calls": [{"index": index, **_tool_call(call, "")}]}
        for piece in pieces_of(arguments_of(call)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


async def _in_turns(events: Iterator[str]) -> AsyncIterator[str]:
    """Each event is written by itself, and other requests are served in between."""
    for event in events:
        yield event
        await asyncio.sleep(0)


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"


def _head(charge: Charge, kind: str) -> dict[str, Any]:
    return {
        "id": charge.response_id,
        "object": kind,
        "created": int(charge.served_at.timestamp()),
        "model": charge.model,
    }


def _tool_call(call: ScriptedCall, arguments: str) -> dict[str, Any]:
    function = {"name": call.tool, "arguments": arguments}
    return {"id": call.tool_call_id, "type": "function", "function": function}


def _usage(charge: Charge) -> dict[str, int]:
    return {
        "prompt_tokens": charge.prompt_tokens,
        "completion_tokens": charge.completion_tokens,
        "total_tokens": charge.prompt_tokens + charge.completion_tokens,
    }


def _finish_reason(response: ScriptedResponse) -> str:
    return "tool_calls" if response.calls else "stop"
