"""Whether a request is the one that was recorded, and where it is not.

Problem: no two runs send the same bytes. Identifiers are made anew each time, and what tools return where they share a
session is decided by a race.

Mechanism: bodies are compared as JSON, after what differs by nature is taken out of both: the identifiers of calls,
answers and items become numbers, in the order in which they come, so that what belongs together still does; UUIDs
become one word, as does what the cassette's `masks` say. What the recorder has masked is equal to anything. What tools
returned is left out if it is not to be compared.

Guarantee: everything else is compared, and a difference is told by its place in the body (`messages[3].content`) and by
what stood there then and stands there now, in one line and without secrets.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from harness.masking import MASK
from harness.providers.cassette import ModelKind

__all__ = ["Difference", "Likeness", "differences"]

_UUID = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
_SHOWN = 60
_RESULT = "<result>"
_CALLS = '{"calls":'
_NOTHING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two bodies differ; `recorded` and `sent` are short texts, or `None` where there is nothing."""

    place: str
    recorded: str | None
    sent: str | None

    def __str__(self) -> str:
        recorded = "not recorded" if self.recorded is None else f"recorded {self.recorded}"
        sent = "not sent" if self.sent is None else f"sent {self.sent}"
        return f"{self.place or 'the body'}: {recorded}, {sent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What two requests must have the same; `masks` are those of the cassette, of the same `kind`."""

    kind: ModelKind
    masks: Sequence[str] = ()

    def of(self, body: JsonValue, *, results: bool) -> JsonValue:
        """The body without what differs by nature, and without what tools returned unless `results` are compared."""
        kept = body if results else _without_results(body, self.kind)
        return _Canonical(masks=[re.compile(mask) for mask in self.masks]).of(kept)


def differences(recorded: JsonValue, sent: JsonValue) -> list[Difference]:
    """Where two bodies differ, in the order of the recorded one; nothing if they are alike."""
    return list(_differences("", recorded, sent))


@dataclass(slots=True, kw_only=True)
class _Canonical:
    """Takes out of one body what differs by nature."""

    masks: list[re.Pattern[str]]
    identifiers: dict[str, str] = field(default_factory=dict)

    def of(self, value: JsonValue, name: str = "") -> JsonValue:
        match value:
            case dict():
                return {key: self.of(value[key], key) for key in sorted(value)}
            case list():
                return [self.of(item) for item in value]
            case str() if name == "id" or name.endswith("_id"):
                return self.identifiers.setdefault(value, f"<id {len(self.identifiers) + 1}>")
            case str():
                return self._text(value)
            case _:
                return value

    def _text(self, text: str) -> str:
        text = _UUID.sub("<uuid>", text)
        for mask in self.masks:
            text = mask.sub("<masked>", text)
        return text


def _without_results(body: JsonValue, kind: ModelKind) -> JsonValue:
    """The body with a word for everything that a tool returned."""
    said = "input" if kind is ModelKind.OPENAI else "messages"
    messages = body.get(said) if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(messages, list):
        return body
    if kind is ModelKind.LOCAL:
        return {**body, said: list(_without_results_in_words(messages))}
    return {**body, said: [_without_result(message) for message in messages]}


def _without_result(message: JsonValue) -> JsonValue:
    """One message, item or block."""
    if not isinstance(message, dict):
        return message
    if message.get("role") == "tool":
        return {**message, "content": _RESULT}
    if message.get("type") == "function_call_output":
        return {**message, "output": _RESULT}
    if message.get("type") == "tool_result":
        return {name: value for name, value in message.items() if name != "is_error"} | {"content": _RESULT}
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [_without_result(block) for block in content]}
    return message


def _without_results_in_words(messages: Sequence[JsonValue]) -> Iterator[JsonValue]:
    """The messages of a model that is told by its user what the tools returned (`harness.providers.grammar_model`).

    The first calls are those of the example, and a question follows them.
    """
    calls, called = 0, False
    for message in messages:
        if not isinstance(message, dict):
            yield message
            continue
        content = message.get("content")
        if message.get("role") == "assistant":
            called = isinstance(content, str) and content.startswith(_CALLS)
            calls += called
        told = message.get("role") == "user" and called and calls > 1
        yield {**message, "content": _RESULT} if told else message


def _differences(place: str, recorded: object, sent: object) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for name in (*recorded, *(name for name in sent if name not in recorded)):
            here = f"{place}.{name}" if place else name
            yield from _differences(here, recorded.get(name, _NOTHING), sent.get(name, _NOTHING))
    elif isinstance(recorded, list) and isinstance(sent, list):
        for number in range(max(len(recorded), len(sent))):
            yield from _differences(f"{place}[{number}]", _item(recorded, number), _item(sent, number))
    elif not _alike(recorded, sent):
        yield Difference(place=place, recorded=_shown(recorded, sent), sent=_shown(sent, recorded))


def _item(items: list[object], number: int) -> object:
    return items[number] if number < len(items) else _NOTHING


def _alike(recorded: object, sent: object) -> bool:
    if isinstance(recorded, str) and isinstance(sent, str):
        return recorded == sent or (MASK in recorded and _fits(recorded.split(MASK), sent))
    return recorded == sent and isinstance(recorded, bool) == isinstance(sent, bool)


def _fits(parts: list[str], text: str) -> bool:
    """Whether the text consists of the parts, with anything between them."""
    first, *between, last = parts
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _shown(value: object, other: object) -> str | None:
    """A short text for a value, from where it begins to be another."""
    if value is _NOTHING:
        return None
    if not isinstance(value, str):
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    start = max(0, _same(value, other) - _SHOWN // 3) if isinstance(other, str) else 0
    part = value[start : start + _SHOWN]
    before = "…" if start else ""
    after = "…" if start + _SHOWN < len(value) else ""
    return repr(f"{before}{part}{after}")


def _same(one: str, other: str) -> int:
    """With how many characters both begin."""
    for number, (mine, its) in enumerate(zip(one, other, strict=False)):
        if mine != its:
            return number
    return min(len(one), len(other))
