"""The TCP connection of a request, for faults that break it.

ASGI lets an application end an answer, but not break its connection: uvicorn closes a connection in an orderly
way, which a client may take for the end of a body or of a stream. A broken connection ends by a reset (RST).
`ConnectionProtocol` is uvicorn's protocol, and puts its connection into the state of each request's scope;
`connection_of` takes it from there.

A reset follows what was written before: it is sent when the peer's kernel has all of that. What the peer has and
has not read yet when the reset comes, Linux still gives it; other systems may drop it.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any

from uvicorn import __version__
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.errors import EnvironmentMissing
from harness.providers.waiting import stopped_within

if sys.platform == "linux":
    import fcntl
    import termios

__all__ = ["Connection", "ConnectionProtocol", "connection_of"]

_KEY = "harness.connection"

_LOOK_SECONDS = 0.001
"""How often the kernel is asked whether everything has arrived: it tells nobody by itself."""

_RESET_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""`struct linger`: linger for 0 seconds."""


class Connection:
    """One connection to a client."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    async def reset(self, *, stopping: asyncio.Event) -> None:
        """Break it when the client has all that was written, or at once when the server stops."""
        while self._is_sending() and not await stopped_within(_LOOK_SECONDS, stopping):
            pass
        if not self._transport.is_closing():
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
            self._transport.abort()

    def _is_sending(self) -> bool:
        if self._transport.is_closing():
            return False
        return self._transport.get_write_buffer_size() > 0 or _unacknowledged(self._socket) > 0

    @property
    def _socket(self) -> socket.socket:
        found: socket.socket = self._transport.get_extra_info("socket")
        return found


class ConnectionProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; each request's scope has its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Keep the connection in the state that uvicorn copies into every scope."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _KEY: Connection(transport)}


def connection_of(scope: Mapping[str, Any]) -> Connection:
    """The connection that a request came by; raises `EnvironmentMissing` if the server does not tell."""
    connection = scope.get("state", {}).get(_KEY)
    if isinstance(connection, Connection):
        return connection
    raise EnvironmentMissing(
        f"uvicorn {__version__} does not pass on the state of a connection, so that no fault can break it or stop "
        "it; use the version of uvicorn that this project is tested with, or leave the wire faults out"
    )


def _unacknowledged(connected: socket.socket) -> int:
    """How many bytes the peer's kernel has not confirmed; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
