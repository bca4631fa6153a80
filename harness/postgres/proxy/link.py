"""One connection of the application's, passed on to the server, and what can be done to it.

Mechanism: one task reads from the client, cuts what it reads into batches, and asks for each whether a fault strikes
it; another reads from the server. While a fault is carried out the client is not read, except for the data of a
`COPY`. Encryption is declined, as PostgreSQL without it does, so that messages can be read; requests to cancel are
passed on.

Guarantee: what is passed on are the bytes that came, in their order. When one side ends, the other is closed after it
has what was sent before.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from harness.postgres.proxy.batches import Answer, Batch, Batcher
from harness.postgres.proxy.desk import Desk
from harness.postgres.proxy.messages import Kind, Message, Reader, error_response, is_last, query
from harness.postgres.proxy.rules import Strike
from harness.postgres.proxy.session import Look, Session
from harness.postgres.server import ServerAddress

__all__ = ["Link", "Surroundings"]

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)
_SYNC = b"S\0\0\0\4"
_COPIED = frozenset({Kind.COPY_DONE, Kind.COPY_FAIL})
_ENCRYPTION = frozenset({Kind.SSL_REQUEST, Kind.GSSENC_REQUEST})


class Surroundings(Protocol):
    """What the links of a proxy have in common."""

    address: ServerAddress
    desk: Desk
    full: bool
    healed: asyncio.Event


class Link:
    """A connection to the proxy and the one to the server that it stands for.

    `carry_out` carries out a fault that strikes a batch, and returns whether the connection goes on.
    """

    def __init__(
        self,
        around: Surroundings,
        carry_out: "Callable[[Link, Strike, Batch], Awaitable[bool]]",
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._around = around
        self._carry_out = carry_out
        self._client, self._to_client = client
        self._to_server: asyncio.StreamWriter | None = None
        self._frontend, self._backend = Reader.frontend(), Reader.backend()
        self._batcher = Batcher()
        self._unread: deque[Message] = deque()
        self._answer: Answer | None = None
        self._copied = _COPIED
        self._news = asyncio.Event()
        self._until_sync = False
        self._last_words = b""
        self._reset = False
        self.silent = False
        self.gone = False
        self.session = Session(around.desk.ledger)
        self.database = ""

    async def run(self) -> None:
        """Pass on until one side ends."""
        try:
            server = await self._open()
            if server is not None:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._from_client())
                    tasks.create_task(self._from_server(server))
        except BaseException:  # cancelled, too, it waits for nobody
            self.reset()
            raise
        finally:
            await self._close()

    def reset(self) -> None:
        """End both connections at once; the client's with a reset, so that it does not look like an orderly end."""
        self._reset = True
        connection = self._to_client.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        for writer in filter(None, (self._to_client, self._to_server)):
            writer.transport.abort()
        self._news.set()

    async def forward(self, batch: Batch, answer: Answer | None = None) -> None:
        """Send a batch to the server; what belongs to `answer` is kept in it, and does not reach the client."""
        self._answer = answer
        self._copied = frozenset({Kind.SYNC}) if batch.last is Kind.SYNC else _COPIED
        await self._send(batch, self._around.desk.look(self.session, batch))

    async def ask(self, sql: str, answer: Answer) -> None:
        """Send SQL of the proxy's own to the server."""
        self.session.asked()
        self._answer = answer
        await self._write(query(sql))

    async def answered(self, answer: Answer) -> bool:
        """Wait until an answer is whole; false if the server ended the connection instead."""
        copied = False
        while not (answer.done or self.gone or self._reset):
            if answer.copies and not copied:
                copied = True
                await self._copy_in()
            else:
                await self._wait()
        return answer.done

    async def quiet(self) -> None:
        """Wait until the server has answered what was sent before."""
        while not (self.session.quiet or self.gone or self._reset):
            await self._wait()

    async def ended(self) -> None:
        """Wait until the server has ended the connection."""
        while not (self.gone or self._reset):
            await self._wait()

    async def deliver(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._answer = None
        if not self._to_client.is_closing():
            self._to_client.write(data)
            with suppress(OSError):
                await self._to_client.drain()

    def skip_until_sync(self) -> None:
        """The client has got an error, and what it sends until its next `Sync` is not carried out."""
        self._until_sync = True

    async def _open(self) -> asyncio.StreamReader | None:
        """The server's side, once the client has said what it wants; `None` if there is nothing to pass on."""
        while data := await _read(self._client):
            self._unread += self._frontend.feed(data)
            while self._unread:
                first = self._unread.popleft()
                if first.kind in _ENCRYPTION:
                    await self.deliver(b"N")
                elif first.kind is Kind.CANCEL_REQUEST:
                    await self._pass_on_cancel(first)
                    return None
                else:
                    return await self._begin(first)
        return None

    async def _begin(self, first: Message) -> asyncio.StreamReader | None:
        if first.kind is Kind.STARTUP:
            parameters = first.parameters
            self.database = parameters.get("database") or parameters.get("user", "")
        if self._frontend.lost is not None:
            self._not_understood("a client", self._frontend.lost)
            self._backend.lose(self._frontend.lost)
        if self._around.full:
            await self.deliver(error_response("FATAL", "53300", "sorry, too many clients already"))
            return None
        return await self._connect(first.raw)

    async def _connect(self, first: bytes) -> asyncio.StreamReader | None:
        try:
            server, self._to_server = await asyncio.open_connection(
                self._around.address.host, self._around.address.port
            )
        except OSError:
            self.reset()
            return None
        if self._reset:  # meanwhile
            self.reset()
            return None
        await self._write(first)
        return server

    async def _pass_on_cancel(self, request: Message) -> None:
        """The server acts, and then ends the connection; only then is the client's ended."""
        server = await self._connect(request.raw)
        while server is not None and await _read(server):
            pass

    async def _from_client(self) -> None:
        try:
            while True:
                while self._unread:
                    batch = self._batcher.feed(self._unread.popleft())
                    if batch is not None and not await self._handle(batch):
                        return
                data = await _read(self._client)
                if not data:
                    return
                self._take(data)
        finally:
            if self._to_server is not None:
                self._to_server.close()
            if self.gone:
                self._to_client.close()

    def _take(self, data: bytes) -> None:
        understood = self._frontend.lost is None
        self._unread += self._frontend.feed(data)
        if understood and self._frontend.lost is not None:
            self._not_understood("a client", self._frontend.lost)

    async def _handle(self, batch: Batch) -> bool:
        if self._until_sync:
            if batch.syncs:
                self._until_sync = False
                await self.forward(Batch((Message(Kind.SYNC, _SYNC),)))
            return True
        if not batch.whole:
            self._around.desk.note("a client sent too much at once to be held; no fault could strike it")
            await self.forward(batch)
            return True
        look, strike = self._around.desk.decide(self.session, batch)
        if strike is None:
            await self._send(batch, look)
            return True
        await self.quiet()
        return await self._carry_out(self, strike, batch) and not self.gone

    async def _copy_in(self) -> None:
        """Forward the client's data until it says that this was all."""
        while not (self.gone or self._reset):
            while self._unread:
                batch = self._batcher.feed(self._unread.popleft())
                if batch is None:
                    continue
                await self._send(batch, self._around.desk.look(self.session, batch))
                if batch.last in self._copied:
                    return
            data = await _read(self._client)
            if not data:
                return
            self._take(data)

    async def _from_server(self, server: asyncio.StreamReader) -> None:
        try:
            while data := await _read(server):
                if self.silent:
                    break
                understood = self._backend.lost is None
                passed = [message for message in self._backend.feed(data) if not self._keep(message)]
                if understood and self._backend.lost is not None:
                    self._not_understood("the server", self._backend.lost)
                self._news.set()
                await self._pass(passed)
        finally:
            self.gone = True
            self._news.set()
            if self._answer is None and not self.silent:  # else whoever carries out a fault ends the connection
                if not self._to_client.is_closing():
                    self._to_client.write(self._last_words)
                self._to_client.close()

    async def _pass(self, messages: list[Message]) -> None:
        """To the client; but the server's last words come together with the end, or a driver can be between the two."""
        self._last_words += b"".join(message.raw for message in messages if is_last(message))
        data = b"".join(message.raw for message in messages if not is_last(message))
        if data:
            self._to_client.write(data)
            with suppress(OSError):
                await self._to_client.drain()

    def _keep(self, message: Message) -> bool:
        self.session.heard(message)
        if message.kind is Kind.BACKEND_KEY_DATA:
            self._around.desk.assign(message.number, None)  # the process that had this number before is gone
        return self._answer is not None and self._answer.hear(message)

    async def _send(self, batch: Batch, look: Look) -> None:
        self.session.sent(batch, look)
        await self._write(batch.raw)

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _write(self, data: bytes) -> None:
        if self._to_server is not None and not self._to_server.is_closing():
            self._to_server.write(data)
            with suppress(OSError):
                await self._to_server.drain()

    def _not_understood(self, who: str, why: str) -> None:
        self._around.desk.note(f"{who} was not understood, and no fault can strike its connection any more: {why}")

    async def _close(self) -> None:
        for writer in filter(None, (self._to_client, self._to_server)):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """What has come, or nothing if the connection has ended, in whatever way."""
    try:
        return await reader.read(_CHUNK)
    except OSError:
        return b""
