"""A proxy in front of PostgreSQL that carries out faults where their data says.

Problem: a connection that breaks between a commit and its acknowledgement, a server that goes away in the middle of a
turn: no statement brings that about, and chance does not bring it about twice.

Mechanism: the application connects to a loopback port instead of the server. What it sends is read as messages of
PostgreSQL's protocol; a batch of them that a fault fits is held until the fault has been carried out. Everything else
goes through as it is. The proxy runs in a thread with an event loop of its own, so that an application that blocks its
loop does not stop it.

Guarantee: a fault strikes at a message, not at a time, so that it strikes again in the same place. `record` names what
was carried out, and only that. After the block the thread has ended, and every socket is closed.

Not possible: connections that demand TLS, because their messages cannot be read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from types import TracebackType
from typing import Self

from harness.errors import UsageError
from harness.evidence import FaultSeen, Record
from harness.fault import DatabaseFault
from harness.postgres.proxy.desk import Desk
from harness.postgres.proxy.port import HOST
from harness.postgres.proxy.switchboard import Switchboard
from harness.postgres.server import ServerAddress

__all__ = ["Proxy"]

_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
_RECORDER = "database faults"


class Proxy:
    """An async context manager; while the block runs, `address` is where the application finds its server.

    `ledger_table` is the name of the table with ledger rows, with or without its schema. `restart` stops and starts the
    server; it is awaited in the proxy's own event loop.

    Raises:
        UsageError: a fault can never be carried out, or the address demands TLS.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        faults: Sequence[DatabaseFault] = (),
        ledger_table: str | None = None,
        restart: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        if address.tls in _ENCRYPTED:
            raise UsageError(
                f"the database URL demands TLS ({address.tls!r}), and a proxy cannot read what is encrypted; "
                "run cells with database faults on a server that does without, such as the embedded one"
            )
        self._server = address
        self._restart = restart
        self._desk = Desk(faults, ledger_table=ledger_table, can_restart=restart is not None)
        self._ready: Future[tuple[Switchboard, int]] = Future()
        self._done: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    async def __aenter__(self) -> Self:
        self._thread = Thread(target=self._run, name="database proxy", daemon=True)
        self._thread.start()
        await asyncio.shield(asyncio.wrap_future(self._ready))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        switchboard, _ = self._ready.result()
        self._call(switchboard.stop)
        await asyncio.shield(asyncio.wrap_future(self._done))
        if self._thread is not None:
            self._thread.join()

    @property
    def address(self) -> ServerAddress:
        """The server's address, but with the proxy's host and port."""
        return replace(self._server, host=HOST, port=self._ready.result()[1])

    @property
    def record(self) -> Record[FaultSeen]:
        """The faults that were carried out, in their order, or why it is not known."""
        crash = self._done.exception() if self._done.done() else None
        if crash is not None:
            return Record.absent(_RECORDER, f"the proxy ended by an error of its own: {crash!r}")
        return Record.of(_RECORDER, self._desk.seen)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the proxy did not understand, or could not carry out."""
        return self._desk.notes

    def assign(self, pid: int, call: tuple[str | None, str | None] | None) -> None:
        """The connection of this server process works from now on for this turn and tool call, or for nobody.

        A tool call of `None` means: for the turn, but outside of every tool call.
        """
        self._desk.assign(pid, call)

    def expect(self, turn: str, calls: Sequence[str]) -> None:
        """A turn begins; `calls` are the ids of its planned tool calls, as `DatabaseFault.call` counts them."""
        self._desk.expect(turn, calls)

    async def heal(self) -> None:
        """No fault strikes any more, and those that last end: when it returns, new connections go through."""
        self._desk.heal()
        if self._loop is None or self._done.done():
            return
        switchboard, _ = self._ready.result()
        healed = asyncio.run_coroutine_threadsafe(switchboard.heal(), self._loop)
        await asyncio.wrap_future(healed)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                self._loop = runner.get_loop()
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # whoever waits for the thread gets it, whatever it is
            if not self._ready.done():
                self._ready.set_exception(error)
            self._done.set_exception(error)
        else:
            self._done.set_result(None)

    async def _serve(self) -> None:
        await Switchboard(self._server, self._desk, restart=self._restart).run(self._ready)
