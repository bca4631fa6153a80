"""A cassette: what passed between an application and a model over HTTP, as a versioned JSON document.

Problem: a real model costs money or minutes, and does not answer the same way twice. What it once answered can be
played to the application again and again, on any machine, if it was kept in full.

Mechanism: one file for a cell. It says which model answered, and has the exchanges in the order in which they were
sent: method, path, and body of the request; status, a few headers, and body of the answer, chunk by chunk with the
time at which each came. What most requests have in common (the tools, for the most part) stands in it once.

Guarantee: the file is pure ASCII, with sorted keys and one thing a line, so that two recordings can be compared line by
line, and no character of a model's can be mistaken for another. It has no headers of requests, and of answers only
those that say how to read them; that there are no secrets in the bodies is the recorder's work
(`harness.providers.recording`). What is not one of these files is refused with what to do about it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from harness.errors import ConfigurationError, UsageError
from harness.files import replace_file
from harness.scenario import PoolState, SessionMode

__all__ = [
    "AGAIN",
    "CASSETTE_VERSION",
    "KEPT_HEADERS",
    "Cassette",
    "Chunk",
    "Exchange",
    "ModelKind",
    "cassette_path",
    "chunk_of",
    "content_of",
    "read_cassette",
    "write_cassette",
]

CASSETTE_VERSION = 1

AGAIN = "record it again with --record"
"""What to do about a recording that does not serve."""

KEPT_HEADERS = frozenset({"content-type", "retry-after", "retry-after-ms", "x-should-retry"})
"""The headers of an answer that a client goes by. No other one is recorded."""

Chunk: TypeAlias = tuple[float, str] | tuple[float, str, Literal["latin-1"]]
"""The seconds from the sending of the request, and the text; the third says that it is not UTF-8, but bytes."""

_WIDTH = 160
_FOLDER = re.compile(r"[\w-][\w .-]*")
_CUT = 8
"""A file that cannot be read from so few characters before its end was cut there."""


class ModelKind(StrEnum):
    """Who has to ask, so that requests are as they were recorded; the words are Pydantic AI's, where it has one."""

    OPENAI_CHAT = "openai-chat"
    """OpenAI's chat completions, and whoever else serves them."""
    OPENAI = "openai"
    """OpenAI's responses."""
    ANTHROPIC = "anthropic"
    LOCAL = "local"
    """The model of this machine: chat completions, with the tools as a grammar."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exchange(_Part):
    """One request, and what came back.

    `body` has what the request has other than the cassette's `common`, and `without` the names in `common` that it
    does not have; a body that is no JSON object is itself, and one that is no JSON its text. Without a `status` no
    answer came. Seconds count from the sending of the request. If it is not `complete`, the answer broke off, or the
    client left, after the last chunk.
    """

    method: str
    path: str
    body: JsonValue = None
    without: tuple[str, ...] = ()
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    head_seconds: float = 0.0
    chunks: tuple[Chunk, ...] = ()
    complete: bool = False


class Cassette(_Part):
    """All exchanges of one cell.

    `kind`, `provider` and `model` say who answered at `host`: the words by which Pydantic AI knows it, and by which it
    is priced. `masks` are regular expressions for what differs from run to run in this application's requests, a date
    for example; they are the user's to write, and are kept when the cassette is recorded again.
    """

    schema_version: Annotated[int, Field(ge=1)] = CASSETTE_VERSION
    kind: ModelKind
    provider: str
    model: str
    host: str = ""
    masks: tuple[str, ...] = ()
    common: dict[str, JsonValue] = Field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()

    @field_validator("masks")
    @classmethod
    def _expressions(cls, masks: tuple[str, ...]) -> tuple[str, ...]:
        for mask in masks:
            try:
                re.compile(mask)
            except re.error as error:
                raise ValueError(f"{mask!r} is no regular expression: {error}") from error
        return masks

    @classmethod
    def of(
        cls,
        exchanges: Sequence[Exchange],
        *,
        kind: ModelKind,
        provider: str,
        model: str,
        host: str = "",
        masks: Sequence[str] = (),
    ) -> Self:
        """A cassette of exchanges whose bodies are whole."""
        common = _common(exchanges)
        return cls(
            kind=kind,
            provider=provider,
            model=model,
            host=host,
            masks=tuple(masks),
            common=common,
            exchanges=tuple(_without_common(exchange, common) for exchange in exchanges),
        )

    def body_of(self, exchange: Exchange) -> JsonValue:
        """The whole body of a request."""
        if not isinstance(exchange.body, dict):
            return exchange.body
        return {name: value for name, value in self.common.items() if name not in exchange.without} | exchange.body

    @property
    def text(self) -> str:
        """The file's text."""
        return _lines(self.model_dump(mode="json")) + "\n"


def cassette_path(folder: Path, scenario: str, mode: SessionMode, pool_state: PoolState) -> Path:
    """Where the cassette of a cell is, or goes, below a folder.

    Raises `UsageError` if the scenario's name cannot be a folder's.
    """
    if not _FOLDER.fullmatch(scenario):
        raise UsageError(
            f"a scenario of the name {scenario!r} cannot be recorded: its recordings stand in a folder of that name; "
            "name it with letters, digits, '_' and '-'"
        )
    return folder / scenario / f"{mode.value}-{pool_state.value}.json"


def chunk_of(seconds: float, content: bytes) -> Chunk:
    """A piece of an answer as a cassette has it, to the millisecond."""
    at = round(seconds, 3)
    try:
        return (at, content.decode("utf-8"))
    except UnicodeDecodeError:
        return (at, content.decode("latin-1"), "latin-1")


def content_of(chunk: Chunk) -> bytes:
    """The piece of an answer that was recorded."""
    return chunk[1].encode(chunk[2] if len(chunk) == 3 else "utf-8")  # noqa: PLR2004 - the third names the encoding


def write_cassette(path: Path, cassette: Cassette) -> None:
    """Write it whole or not at all; raises `ConfigurationError` if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, cassette.text)
    except OSError as error:
        raise ConfigurationError(
            f"the recording cannot be written to {str(path)!r}: {error.strerror}; name a folder that can be written to"
        ) from error


def read_cassette(path: Path) -> Cassette:
    """The cassette in a file.

    Raises:
        ConfigurationError: the file cannot be read, was cut short, is none, or is of another version; with what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
    except OSError as error:
        _refuse(path, f"cannot be read: {error.strerror}", error)
    except json.JSONDecodeError as error:
        _refuse(path, _unreadable(error), error)
    except (UnicodeDecodeError, RecursionError) as error:
        _refuse(path, "is not the recording of a model: it is no JSON", error)
    if not isinstance(value, dict) or "exchanges" not in value:
        _refuse(path, "is not the recording of a model: it has no exchanges")
    if (version := value.get("schema_version")) != CASSETTE_VERSION:
        told = "without a version" if version is None else f"of version {version!r}"
        _refuse(path, f"is a recording {told}, and here they have version {CASSETTE_VERSION}")
    try:
        return Cassette.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        _refuse(path, f"is not the recording of a model: at {place}: {first['msg']}", error)


def _refuse(path: Path, what: str, error: Exception | None = None) -> NoReturn:
    raise ConfigurationError(f"{str(path)!r} {what}; {AGAIN}, or name another folder") from error


def _unreadable(error: json.JSONDecodeError) -> str:
    at_the_end = error.pos >= len(error.doc.rstrip()) - _CUT or error.msg.startswith("Unterminated")
    if at_the_end and error.doc.lstrip()[:1] in {"", "{"}:
        return f"was cut short: it ends in the middle of line {error.doc.count(chr(10)) + 1}"
    return f"is not the recording of a model: it is no JSON (line {error.lineno}: {error.msg})"


def _common(exchanges: Iterable[Exchange]) -> dict[str, JsonValue]:
    """What more than half of the requests that have something of that name have the same."""
    bodies = [exchange.body for exchange in exchanges if isinstance(exchange.body, dict)]
    common: dict[str, JsonValue] = {}
    for name in sorted({name for body in bodies for name in body}):
        counts = Counter(_short(body[name]) for body in bodies if name in body)
        ((text, count),) = counts.most_common(1)
        if count > 1 and 2 * count > counts.total():
            common[name] = json.loads(text)
    return common


def _without_common(exchange: Exchange, common: dict[str, JsonValue]) -> Exchange:
    if not isinstance(exchange.body, dict):
        return exchange
    written = {name: _short(value) for name, value in common.items()}
    own = {name: value for name, value in exchange.body.items() if written.get(name) != _short(value)}
    without = tuple(name for name in sorted(common) if name not in exchange.body)
    return exchange.model_copy(update={"body": own, "without": without})


def _short(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True)


def _lines(value: JsonValue, indent: str = "") -> str:
    """JSON in which what fits is on one line, and all else one item a line."""
    short = _short(value)
    if len(indent) + len(short) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return short
    deeper = f"{indent} "
    items = f",\n{deeper}".join(_items(value, deeper))
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{deeper}{items}\n{indent}{closing}"


def _items(value: dict[str, JsonValue] | list[JsonValue], indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield f"{json.dumps(name)}: {_lines(value[name], indent)}"
    else:
        for item in value:
            yield _lines(item, indent)
