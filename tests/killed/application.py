"""The reference backend under uvicorn, in a process of its own that can be killed."""

import multiprocessing
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

import uvicorn

__all__ = ["Application", "running"]

_SECONDS = 60.0
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["uvicorn", "fixtures.backend.app.main", "tests.killed.application"])


class Application:
    """The process, and where it listens."""

    def __init__(self, process: ForkServerProcess, port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    def kill(self) -> None:
        """End it by SIGKILL: nothing in it can notice."""
        self._process.kill()
        self._process.join(_SECONDS)
        assert self._process.exitcode == -9, self._process.exitcode

    def stop(self) -> None:
        """End it by SIGTERM, as a deployment does, and wait for that."""
        self._process.terminate()
        self._process.join(_SECONDS)
        assert self._process.exitcode is not None


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[Application]:
    """The application with these environment variables, from when it listens; killed at the end of the block."""
    theirs, ours = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_serve, args=(theirs, dict(environment)), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(_SECONDS), "the application did not start"
        yield Application(process, ours.recv())
    finally:
        ours.close()
        process.kill()
        process.join(_SECONDS)
        process.close()


def _serve(pipe: Connection, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        config = uvicorn.Config("fixtures.backend.app.main:create_default_app", factory=True, log_level="error")
        uvicorn.Server(config).run(sockets=[listener])
