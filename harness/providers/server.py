"""An ASGI application on a loopback socket, in a thread with an event loop of its own.

A provider that is a witness must not depend on what it watches: if it ran in the application's event loop,
whatever holds that loop would stop the provider too, and its times would be the loop's. Here uvicorn runs in
a thread, on a plain asyncio loop, whatever loop the application has chosen.

After `stop` the thread has ended and the socket is closed. uvicorn's loggers, which the application may be
using itself, are left as they are.
"""

import asyncio
import socket
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from harness.errors import EnvironmentMissing, UsageError
from harness.providers.connection import ConnectionProtocol
from harness.providers.loopback import is_loopback

__all__ = ["ServerThread"]

_KEEP_ALIVE_SECONDS = 3600
"""Longer than clients keep an idle connection: the server must not close one that is used again just then."""

_GRACEFUL_SECONDS = 5


class ServerThread:
    """Serves `application` on `host` (which must be a loopback address) and `port` (0: any that is free).

    `stopping` belongs to the thread's loop. It is set when the server begins to stop: an application that
    waits for something else must then go on, because requests in flight are finished first.
    """

    def __init__(self, application: ASGIApp, *, stopping: asyncio.Event, host: str, port: int) -> None:
        _check_host(host)
        self._application = application
        self._stopping = stopping
        self._host = host
        self._port = port
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._done: Future[None] = Future()
        self._thread: Thread | None = None

    @property
    def address(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen and serve; raises `EnvironmentMissing` if the port cannot be had."""
        listener = self._listen()
        self._port = listener.getsockname()[1]
        name = f"provider {self.address}"
        self._thread = Thread(target=self._run, args=(listener,), name=name, daemon=True)
        self._thread.start()
        await asyncio.shield(asyncio.wrap_future(self._ready))

    async def stop(self) -> None:
        """Finish the requests in flight, close every socket, end the thread; harmless when called twice."""
        if self._thread is None:
            return
        self._ready.add_done_callback(self._begin_to_stop)
        await asyncio.shield(asyncio.wrap_future(self._done))
        self._thread.join()

    def _begin_to_stop(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        if ready.exception() is None:
            with suppress(RuntimeError):  # the loop is closed already
                ready.result().call_soon_threadsafe(self._stopping.set)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            raise EnvironmentMissing(
                f"the local provider cannot listen on {self.address}: {error.strerror}; "
                "free that port, or leave the port out to take any free one"
            ) from error

    def _run(self, listener: socket.socket) -> None:
        try:
            with listener, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(listener))
        except BaseException as error:  # noqa: BLE001 - whoever waits for the thread gets it, whatever it is
            if not self._ready.done():
                self._ready.set_exception(error)
            self._done.set_exception(error)
        else:
            self._done.set_result(None)

    async def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self._application,
            http=ConnectionProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
        await _Server(config, ready=self._ready, stopping=self._stopping).serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it serves, and stops by an event instead of looking ten times a second."""

    def __init__(
        self, config: uvicorn.Config, *, ready: Future[asyncio.AbstractEventLoop], stopping: asyncio.Event
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self._ready.set_result(asyncio.get_running_loop())
        await self._stopping.wait()


def _check_host(host: str) -> None:
    if not is_loopback(host):
        raise UsageError(
            f"the local provider does not listen on {host!r}: nobody outside this machine may reach it; "
            "use a loopback address, such as '127.0.0.1'"
        )
