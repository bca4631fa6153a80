"""Scripted responses as OpenAI's API writes them: completions, the events of a stream, and errors.

Source: https://platform.openai.com/docs/api-reference/chat (the completion object, the chunk object), and
https://platform.openai.com/docs/guides/error-codes.
"""

import json
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse

from harness.evidence import Charge
from harness.fault import WireFault, WireFaultKind
from harness.providers.provider import ScriptedCall, ScriptedResponse
from harness.providers.script import arguments_of, pieces_of

__all__ = ["completion", "error_response", "events", "fault_response"]

_REFUSALS: dict[WireFaultKind, tuple[int, str, str, str | None]] = {
    WireFaultKind.RATE_LIMITED: (
        429,
        "Rate limit reached; please try again in 1ms.",
        "requests",
        "rate_limit_exceeded",
    ),
    WireFaultKind.SERVER_ERROR: (500, "The server had an error while processing your request.", "server_error", None),
    WireFaultKind.UNAVAILABLE: (503, "The engine is overloaded; please try again later.", "server_error", None),
}

_TRY_AGAIN = {"retry-after-ms": "1", "retry-after": "1"}
"""OpenAI's client goes by the milliseconds, others by the seconds; 0 would make it wait as if nothing were said."""


def completion(response: ScriptedResponse, charge: Charge, *, include_usage: bool = True) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": response.text or None, "refusal": None}
    if response.calls:
        message["tool_calls"] = [_tool_call(call, arguments_of(call)) for call in response.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(response)}
    usage = {"usage": _usage(charge)} if include_usage else {}
    return {**_head(charge, "chat.completion"), "choices": [choice], **usage}


def events(response: ScriptedResponse, charge: Charge, *, include_usage: bool) -> Iterator[str]:
    """The server-sent events of a streamed answer."""
    head = _head(charge, "chat.completion.chunk") | ({"usage": None} if include_usage else {})
    for delta in _deltas(response):
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": _finish_reason(response)}
    yield _event({**head, "choices": [end]})
    if include_usage:
        yield _event({**head, "choices": [], "usage": _usage(charge)})
    yield "data: [DONE]\n\n"


def error_response(status: int, message: str, *, code: str | None = None) -> JSONResponse:
    """An error object, from which a client makes its own exception."""
    kind = "server_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP's classes
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


def fault_response(fault: WireFault) -> JSONResponse:
    """How a request is refused by a fault of `NOT_SERVED`; clients that try again may do so at once."""
    status, message, kind, code = _REFUSALS[fault.kind]
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers=_TRY_AGAIN)


def _deltas(response: ScriptedResponse) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": "" if response.text else None}
    for piece in pieces_of(response.text):
        yield {"content": piece}
    for index, call in enumerate(response.calls):
        yield {"tool_calls": [{"index": index, **_tool_call(call, "")}]}
        for piece in pieces_of(arguments_of(call)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


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


def _usage(charge: Charge) -> dict[str, Any]:
    return {
        "prompt_tokens": charge.prompt_tokens,
        "completion_tokens": charge.completion_tokens,
        "total_tokens": charge.prompt_tokens + charge.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": charge.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": charge.reasoning_tokens},
    }


def _finish_reason(response: ScriptedResponse) -> str:
    return "tool_calls" if response.calls else "stop"
