"""What a provider's answer says of itself: its identifier, the model that served it, and the tokens that it counted.

Problem: what was served is known to the provider alone. A client's library reads it from the answer and may be wrong;
the answer itself is the nearest thing to an invoice that there is.

Mechanism: the path of a request says which protocol it speaks (OpenAI's chat completions and responses, Anthropic's
messages, Google's generateContent). The events of a stream are put together to what the plain answer would have said,
and `genai_prices` knows where each provider's tokens are in it, and that Anthropic's cached tokens come on top of its
input tokens. Sources: https://platform.openai.com/docs/api-reference, https://docs.anthropic.com/en/api/messages,
https://ai.google.dev/api/generate-content, and for streams https://html.spec.whatwg.org/multipage/server-sent-events.html.

Guarantee: `read` never raises for what a provider sends: what it cannot read is a reason in words, and no zero. Tokens
that a stream told before its end are not taken for all of them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot

__all__ = ["Api", "Tokens", "Told", "api_of", "read"]

_DONE = "[DONE]"
_USAGE = frozenset({"usage", "usageMetadata"})
_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_CARRIED = re.compile(
    r"(?:input|output|cache_read|cache_write|output_reasoning)_tokens|cache(?:_text)?_write_5m_tokens"
    r"|(?:input|output)_text_tokens|cache_text_(?:read|write)_tokens"
)
"""The units of `genai_prices` that `Tokens` has, or that have the price of those; audio, for example, has its own."""

_Answer = Mapping[str, Any]
_Assembled = tuple[_Answer, bool]
"""What the plain answer would have said, and whether the stream came to its own end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One protocol: `path` is how the path of its requests ends, `provider` and `flavour` are genai-prices' names."""

    path: re.Pattern[str]
    provider: str
    flavour: str
    assemble: Callable[[Iterable[_Answer]], _Assembled]
    identifier: str = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """As a provider counted them; cached ones, read or written, are a part of the prompt's.

    Reasoning tokens are a part of the completion's.
    """

    prompt: int
    completion: int
    cached: int = 0
    written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an answer says; without `tokens`, `reason` says why there are none. `whole` if the answer has its end."""

    response_id: str | None = None
    model: str | None = None
    tokens: Tokens | None = None
    reason: str = ""
    whole: bool = False


def api_of(path: str) -> Api | None:
    """The protocol of a POST request to this path; `None` if it is none by which a model is asked."""
    return next((api for api in _APIS if api.path.search(path)), None)


def read(api: Api, text: str, *, stream: bool, complete: bool) -> Told:
    """What the body of a successful answer says; `complete` if it was read to its end."""
    if stream:
        return _read_stream(api, list(_data(text)), complete=complete)
    answer = _decoded(text)
    if answer is None:
        return Told(reason="it could not be read" if complete else "it broke off")
    return _told(api, answer, whole=True)


def _read_stream(api: Api, data: list[str], *, complete: bool) -> Told:
    said = [item for item in data if item != _DONE]
    events = [event for item in said if (event := _decoded(item)) is not None]
    answer, ended = api.assemble(events)
    over = complete or ended or len(said) < len(data)
    if not over:
        told = _told(api, {key: value for key, value in answer.items() if key not in _USAGE}, whole=False)
        return replace(told, reason="it broke off before its tokens were told")
    return _told(api, answer, whole=len(events) == len(said))


def _told(api: Api, answer: _Answer, *, whole: bool) -> Told:
    model = answer.get("modelVersion" if api.provider == "google" else "model")
    tokens, reason = _tokens(api, answer)
    return Told(
        response_id=_text(answer.get(api.identifier)),
        model=_text(model) or None,
        tokens=tokens,
        reason=reason,
        whole=whole,
    )


def _tokens(api: Api, answer: _Answer) -> tuple[Tokens | None, str]:
    provider = get_snapshot().find_provider(None, api.provider, None)
    try:
        _, usage = provider.extract_usage(answer, api_flavor=api.flavour)
    except ValueError:
        return None, "it did not tell its tokens"
    others = sorted(unit for unit, count in vars(usage).items() if count and not _CARRIED.fullmatch(unit))
    if others:
        return None, f"it counts what has a price of its own ({', '.join(others)})"
    return _counted(usage)


def _counted(usage: Usage) -> tuple[Tokens | None, str]:
    counts = {unit: int(count) for unit, count in vars(usage).items() if count == int(count)}
    if len(counts) < len(vars(usage)):
        return None, "it counts parts of tokens"
    if not {"input_tokens", "output_tokens"} & counts.keys():
        return None, "it did not tell its tokens"
    tokens = Tokens(
        prompt=counts.get("input_tokens", 0),
        completion=counts.get("output_tokens", 0),
        cached=counts.get("cache_read_tokens", 0),
        written=counts.get("cache_write_tokens", 0),
        reasoning=counts.get("output_reasoning_tokens", 0),
    )
    return tokens, ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _decoded(text: str) -> _Answer | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _data(text: str) -> Iterator[str]:
    """The data of each server-sent event; the last one may lack its empty line."""
    lines: list[str] = []
    for line in (*_LINE_ENDS.split(text), ""):
        field, _, value = line.partition(":")
        if field == "data":
            lines.append(value.removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


def _assemble_chat(events: Iterable[_Answer]) -> _Assembled:
    """The tokens come in a chunk of their own, without choices, or with the last one; then `[DONE]`."""
    answer: dict[str, Any] = {}
    ended = False
    for event in events:
        answer |= {key: event[key] for key in ("id", "model", "usage") if event.get(key)}
        ended = ended or bool(event.get("usage") and event.get("choices") == [])
    return answer, ended


def _assemble_responses(events: Iterable[_Answer]) -> _Assembled:
    """The last event has the whole response."""
    answer: _Answer = {}
    for event in events:
        response = event.get("response")
        if isinstance(response, dict):
            answer = response
            if event.get("type") in {"response.completed", "response.incomplete", "response.failed"}:
                return response, True
    return answer, False


def _assemble_messages(events: Iterable[_Answer]) -> _Assembled:
    """`message_start` has the message, each `message_delta` what it has used so far, and `message_stop` is the end."""
    answer: dict[str, Any] = {}
    used: dict[str, Any] = {}
    ended = False
    for event in events:
        kind, message = event.get("type"), event.get("message")
        if kind == "message_start" and isinstance(message, dict):
            answer = {key: value for key, value in message.items() if key != "usage"}
            used |= _known(message.get("usage"))
        elif kind == "message_delta":
            used |= _known(event.get("usage"))
            answer["usage"] = used
        ended = ended or kind == "message_stop"
    return answer, ended


def _assemble_generated(events: Iterable[_Answer]) -> _Assembled:
    """Each chunk has what was used so far; the last one says why it is the last."""
    answer: dict[str, Any] = {}
    used: dict[str, Any] = {}
    ended = False
    for event in events:
        answer |= {key: event[key] for key in ("responseId", "modelVersion") if event.get(key)}
        used |= _known(event.get("usageMetadata"))
        candidates = event.get("candidates")
        ended = isinstance(candidates, list) and any(
            isinstance(each, dict) and each.get("finishReason") for each in candidates
        )
    return (answer | {"usageMetadata": used} if used else answer), ended


def _known(usage: object) -> _Answer:
    return {key: value for key, value in usage.items() if value is not None} if isinstance(usage, dict) else {}


_APIS = (
    Api(path=re.compile(r"/chat/completions$"), provider="openai", flavour="chat", assemble=_assemble_chat),
    Api(path=re.compile(r"/responses$"), provider="openai", flavour="responses", assemble=_assemble_responses),
    Api(path=re.compile(r"/messages$"), provider="anthropic", flavour="default", assemble=_assemble_messages),
    Api(
        path=re.compile(r":(?:g|streamG)enerateContent$"),
        provider="google",
        flavour="default",
        assemble=_assemble_generated,
        identifier="responseId",
    ),
)
