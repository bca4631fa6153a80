"""A loopback port that can be closed and opened again, and is nobody else's meanwhile.

Problem: a server that is away refuses connections, and must come back on the same port; between closing and opening,
another program could take it.

Mechanism: a second socket is bound to the port and never listens. The kernel refuses connections to it, and keeps the
port (`SO_REUSEPORT` lets the two of them share it). Where there is no such option, the port is free while it is closed.
"""

import asyncio
import socket
from collections.abc import Callable

__all__ = ["HOST", "Port"]

HOST = "127.0.0.1"
_BACKLOG = 128
_SHARED = hasattr(socket, "SO_REUSEPORT")

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


class Port:
    """One port of 127.0.0.1; `number` says which."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._reserved = _bound(0)
        self.number: int = self._reserved.getsockname()[1]
        self._server: asyncio.Server | None = None
        if not _SHARED:
            self._reserved.close()

    async def open(self) -> None:
        """Accept connections; harmless when it does already."""
        if self._server is None:
            listener = _bound(self.number)
            self._server = await asyncio.start_server(self._accept, sock=listener, backlog=_BACKLOG)

    def shut(self) -> None:
        """Refuse connections; those that were accepted stay."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def close(self) -> None:
        """Refuse connections, and give the port away."""
        self.shut()
        self._reserved.close()


def _bound(number: int) -> socket.socket:
    bound = socket.socket()
    try:
        if _SHARED:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, number))
    except BaseException:  # interrupted, too, it leaves no socket behind
        bound.close()
        raise
    return bound
