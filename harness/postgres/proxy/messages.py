"""Messages of the PostgreSQL protocol, version 3, cut out of a stream of bytes.

Problem: TCP delivers bytes in pieces of any size, and what a fault strikes is a message.

Mechanism: one `Reader` for each direction of a connection. Typed messages are a letter, a length of four bytes that
counts itself, and a body; what a client sends before its start-up message has no letter. The source is PostgreSQL's
documentation, "Frontend/Backend Protocol", sections "Message Formats" and "Error and Notice Message Fields".

Guarantee: the messages, one after another, are the bytes that came in, whatever their pieces were. A reader that meets
something that is no message, or too long to be held, says so in `lost`, and from there on gives everything that
comes, unread, as messages of the kind `OPAQUE`.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MAXIMUM", "Kind", "Message", "Reader", "error_response", "is_last", "query", "ready", "sqlstate"]

MAXIMUM = 64 * 1024**2
"""The longest message that is held, in bytes; PostgreSQL's own limit is 1 GiB."""

_LONGEST_STARTUP = 10_000  # MAX_STARTUP_PACKET_LENGTH
_HEADER = struct.Struct("!I")
_CODES = {80877102: "CancelRequest", 80877103: "SSLRequest", 80877104: "GSSENCRequest"}
_MAJOR = 3
_SHORTEST_STARTUP = 8


class Kind(StrEnum):
    """What a message is; those that matter to nobody here are `OTHER`."""

    SSL_REQUEST = "SSLRequest"
    GSSENC_REQUEST = "GSSENCRequest"
    CANCEL_REQUEST = "CancelRequest"
    STARTUP = "StartupMessage"
    QUERY = "Query"
    PARSE = "Parse"
    BIND = "Bind"
    EXECUTE = "Execute"
    DESCRIBE = "Describe"
    CLOSE = "Close"
    SYNC = "Sync"
    FLUSH = "Flush"
    FUNCTION_CALL = "FunctionCall"
    TERMINATE = "Terminate"
    PASSWORD = "PasswordMessage"  # noqa: S105  # the message's name
    COPY_DATA = "CopyData"
    COPY_DONE = "CopyDone"
    COPY_FAIL = "CopyFail"
    BACKEND_KEY_DATA = "BackendKeyData"
    READY_FOR_QUERY = "ReadyForQuery"
    COMMAND_COMPLETE = "CommandComplete"
    EMPTY_QUERY = "EmptyQueryResponse"
    PORTAL_SUSPENDED = "PortalSuspended"
    COPY_IN = "CopyInResponse"
    ERROR = "ErrorResponse"
    OTHER = "other"
    OPAQUE = "opaque"


_FRONTEND = {
    b"Q": Kind.QUERY,
    b"P": Kind.PARSE,
    b"B": Kind.BIND,
    b"E": Kind.EXECUTE,
    b"D": Kind.DESCRIBE,
    b"C": Kind.CLOSE,
    b"S": Kind.SYNC,
    b"H": Kind.FLUSH,
    b"F": Kind.FUNCTION_CALL,
    b"X": Kind.TERMINATE,
    b"p": Kind.PASSWORD,
    b"d": Kind.COPY_DATA,
    b"c": Kind.COPY_DONE,
    b"f": Kind.COPY_FAIL,
}
_BACKEND = {
    **{bytes([letter]): Kind.OTHER for letter in b"R23cdHWDvVnNAt1sST"},
    b"K": Kind.BACKEND_KEY_DATA,
    b"Z": Kind.READY_FOR_QUERY,
    b"C": Kind.COMMAND_COMPLETE,
    b"I": Kind.EMPTY_QUERY,
    b"s": Kind.PORTAL_SUSPENDED,
    b"G": Kind.COPY_IN,
    b"E": Kind.ERROR,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, all its bytes, and where in them the body begins."""

    kind: Kind
    raw: bytes
    start: int = 5

    @property
    def body(self) -> bytes:
        """What follows the letter and the length."""
        return self.raw[self.start :]

    def texts(self, count: int, *, skip: int = 0) -> tuple[str, ...]:
        """The first `count` strings of the body, each ended by a zero byte, after `skip` bytes."""
        parts = self.raw[self.start + skip :].split(b"\0", count)
        return tuple(part.decode(errors="replace") for part in (*parts, *[b""] * count)[:count])

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of a start-up message, such as `user` and `database`."""
        parts = [part.decode(errors="replace") for part in self.body[4:].split(b"\0")]
        pairs = zip(parts[::2], parts[1::2], strict=False)
        return {name: value for name, value in pairs if name}

    @property
    def number(self) -> int:
        """The first four bytes of the body as a number: the server process in `BackendKeyData`."""
        return int.from_bytes(self.raw[self.start : self.start + 4])

    @property
    def status(self) -> str:
        """The first byte of the body: in `ReadyForQuery` `I` idle, `T` in a transaction, `E` in a failed one."""
        return self.raw[self.start : self.start + 1].decode("latin-1")


class Reader:
    """The messages of one direction of one connection; `Reader.frontend` and `Reader.backend` make one."""

    def __init__(self, kinds: dict[bytes, Kind], *, starting: bool, maximum: int = MAXIMUM) -> None:
        self._kinds = kinds
        self._starting = starting
        self._maximum = maximum
        self._pending = bytearray()
        self.lost: str | None = None

    @classmethod
    def frontend(cls, *, maximum: int = MAXIMUM) -> "Reader":
        """For what a client sends, from the first byte of its connection."""
        return cls(_FRONTEND, starting=True, maximum=maximum)

    @classmethod
    def backend(cls, *, maximum: int = MAXIMUM) -> "Reader":
        """For what a server sends, from the first byte after the client's start-up message."""
        return cls(_BACKEND, starting=False, maximum=maximum)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now; the rest is kept until more comes."""
        self._pending += data
        messages: list[Message] = []
        position = 0
        while self.lost is None:
            message = self._startup(position) if self._starting else self._typed(position)
            if message is None:
                break
            messages.append(message)
            position += len(message.raw)
        del self._pending[:position]
        if self.lost is not None and self._pending:
            messages.append(Message(Kind.OPAQUE, bytes(self._pending), 0))
            self._pending.clear()
        return messages

    def lose(self, reason: str) -> None:
        """Read no more: everything that comes is passed on as it is."""
        self.lost = self.lost or reason

    def _startup(self, position: int) -> Message | None:
        if len(self._pending) - position < _SHORTEST_STARTUP:
            return None
        length = _HEADER.unpack_from(self._pending, position)[0]
        code = _HEADER.unpack_from(self._pending, position + 4)[0]
        known = _CODES.get(code)
        if not _SHORTEST_STARTUP <= length <= _LONGEST_STARTUP or (known is None and code >> 16 != _MAJOR):
            self.lose("the connection does not begin as version 3 of the protocol does")
            return None
        if len(self._pending) - position < length:
            return None
        self._starting = known in {Kind.SSL_REQUEST, Kind.GSSENC_REQUEST}
        return Message(Kind(known or Kind.STARTUP), bytes(self._pending[position : position + length]), 4)

    def _typed(self, position: int) -> Message | None:
        letter = bytes(self._pending[position : position + 1])
        if not letter:
            return None
        kind = self._kinds.get(letter)
        if kind is None:
            self.lose(f"no message begins with {letter!r}")
            return None
        if len(self._pending) - position < 1 + _HEADER.size:
            return None
        length = _HEADER.unpack_from(self._pending, position + 1)[0]
        if not _HEADER.size <= length <= self._maximum:
            self.lose(f"a message of the kind {letter!r} says that it has {length} bytes")
            return None
        end = position + 1 + length
        if len(self._pending) < end:
            return None
        return Message(kind, bytes(self._pending[position:end]))


def query(sql: str) -> bytes:
    """A `Query` message."""
    return _message(b"Q", sql.encode() + b"\0")


def ready(status: str) -> bytes:
    """A `ReadyForQuery` message: `I` idle, `T` in a transaction, `E` in a failed one."""
    return _message(b"Z", status.encode())


def error_response(severity: str, code: str, text: str) -> bytes:
    """An `ErrorResponse` message with the fields that every one has."""
    fields = {"S": severity, "V": severity, "C": code, "M": text}
    return _message(b"E", b"".join(f"{name}{value}\0".encode() for name, value in fields.items()) + b"\0")


def sqlstate(message: Message) -> str | None:
    """The SQLSTATE of an `ErrorResponse`; `None` for any other message."""
    if message.kind is not Kind.ERROR:
        return None
    fields = [field for field in message.body.split(b"\0") if field[:1] == b"C"]
    return fields[0][1:].decode("latin-1") if fields else None


def is_last(message: Message) -> bool:
    """Whether it is an `ErrorResponse` after which the server ends the connection."""
    return message.kind is Kind.ERROR and not {b"VFATAL", b"VPANIC"}.isdisjoint(message.body.split(b"\0"))


def _message(letter: bytes, body: bytes) -> bytes:
    return letter + _HEADER.pack(len(body) + _HEADER.size) + body
