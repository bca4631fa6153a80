"""The bodies of requests and answers without secrets, fit to be recorded.

Problem: what an application asks, and what a model answers, may have a key in it; and a model says it piece by piece,
so that no chunk of its answer has it whole.

Mechanism: bodies are read as what they are: JSON, or a stream of server-sent events with JSON in them. Every string is
masked (`harness.masking`), and in a stream also the text that the pieces of one place make together: if there is a
secret in it, it is masked in the first piece, and the others become empty. What cannot be read so is masked as text.

Guarantee: a body in which there is no secret stays as it is, byte for byte and chunk by chunk. One in which there is
one stays readable, and each of its lines comes when its last byte came.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import JsonValue

from harness.masking import Mask, masked
from harness.providers.cassette import Chunk, chunk_of

__all__ = ["masked_body", "masked_chunks"]

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_DATA = re.compile(r"(data: ?)(.*?)(\r?\n?)", re.DOTALL)
_ENCODABLE = re.compile(r"[^\ud800-\udfff]+")

_Place: TypeAlias = tuple[str | int, ...]


def masked_body(content: bytes, mask: Mask) -> JsonValue:
    """A request's body: as JSON, or else its text; `None` if there is none."""
    text = content.decode("utf-8", "backslashreplace")
    try:
        return _thawed(masked(json.loads(text), mask))
    except (ValueError, RecursionError):
        return mask(text) or None


def masked_chunks(chunks: Sequence[tuple[float, bytes]], mask: Mask, *, events: bool) -> tuple[Chunk, ...]:
    """An answer's body, with the seconds at which each chunk came; `events` says that it is a stream of them."""
    text = b"".join(content for _, content in chunks).decode("utf-8", "surrogateescape")
    careful = _careful(mask)
    pieces = list(_event_lines(text, careful) if events else _whole(text, careful))
    if all(piece.text == piece.masked for piece in pieces):
        return tuple(chunk_of(seconds, content) for seconds, content in chunks)
    return tuple(_in_their_time(pieces, chunks))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a body that is masked by itself, as it was, and as it is recorded."""

    text: str
    masked: str


def _careful(mask: Mask) -> Mask:
    """The same for text in which surrogates stand for bytes that are no text: they stay."""
    return lambda text: _ENCODABLE.sub(lambda match: mask(match.group()), text)


def _whole(text: str, mask: Mask) -> Iterator[_Piece]:
    value = _read(text)
    if value is None:
        yield _Piece(text=text, masked=mask(text))
        return
    made = _thawed(masked(value, mask))
    yield _Piece(text=text, masked=text if made == value else json.dumps(made))


def _event_lines(text: str, mask: Mask) -> Iterator[_Piece]:
    lines = _LINES.findall(text)
    matches = [_DATA.fullmatch(line) for line in lines]
    values = [_read(match.group(2)) if match is not None else None for match in matches]
    made = [None if value is None else _thawed(masked(value, mask)) for value in values]
    _mask_what_they_spell(made, mask)
    for line, match, value, new in zip(lines, matches, values, made, strict=True):
        if match is None or value is None:
            yield _Piece(text=line, masked=mask(line))
        else:
            changed = f"{match.group(1)}{json.dumps(new)}{match.group(3)}"
            yield _Piece(text=line, masked=line if new == value else changed)


def _mask_what_they_spell(events: Sequence[JsonValue], mask: Mask) -> None:
    """Mask, in place, what strings at the same place of several events make together."""
    told: defaultdict[_Place, list[tuple[Any, str | int]]] = defaultdict(list)
    for event in events:
        for place, holder, key in _strings(event):
            told[place].append((holder, key))
    for pieces in told.values():
        texts = [holder[key] for holder, key in pieces]
        together = "".join(texts)
        if len(set(texts)) > 1 and (said := mask(together)) != together:
            for number, (holder, key) in enumerate(pieces):
                holder[key] = said if number == 0 else ""


def _strings(value: Any, place: _Place = ()) -> Iterator[tuple[_Place, Any, str | int]]:
    """Every string in a value: its place, and what holds it by which key.

    Several answers, calls or blocks of one stream are told apart by their index.
    """
    if isinstance(value, dict):
        index = tuple(item for name, item in value.items() if name.endswith("index") and isinstance(item, int))
        entries: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        index = ()
        entries = list(enumerate(value))
    else:
        return
    for key, item in entries:
        here = (*place, *index, key)
        if isinstance(item, str):
            yield here, value, key
        else:
            yield from _strings(item, here)


def _in_their_time(pieces: Sequence[_Piece], chunks: Sequence[tuple[float, bytes]]) -> Iterator[Chunk]:
    left = list(reversed(pieces))
    came = read = 0
    for seconds, content in chunks:
        came += len(content)
        ended = b""
        while left and read + (size := len(_bytes(left[-1].text))) <= came:
            read += size
            ended += _bytes(left.pop().masked)
        if ended:
            yield chunk_of(seconds, ended)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read(text: str) -> JsonValue:
    """The JSON in it; `None` if there is none, or nothing in it."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _thawed(value: object) -> JsonValue:
    """Masked JSON as JSON has it: lists for tuples."""
    thawed: JsonValue = json.loads(json.dumps(value))
    return thawed
