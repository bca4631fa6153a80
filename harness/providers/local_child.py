"""The owner's end of the process that serves the local model.

Problem: a server that does not start must not make a run wait, and one that has started must not outlive it.

Mechanism: `start` runs `harness.providers.local_server` with this interpreter and import path, tells it on its standard
input what to serve, and waits for its address. `stop` closes that input, asks the process to end, and, if it does not,
kills it. What it has said goes to a file, and into the error if it does not start.

Guarantee: if `start` raises or is cancelled, and after `stop`, there is no process. If this process is killed, the
server's input ends, and with it the server. A plain `subprocess.Popen` is kept, which belongs to no event loop.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.errors import EnvironmentMissing

__all__ = ["COMMAND", "LocalChild", "Order"]

COMMAND = (sys.executable, "-P", "-u", "-m", "harness.providers.local_server")  # what it says stays in its order
START_SECONDS = 60.0
STOP_SECONDS = 5.0
MOST_LINES = 10
"""How much of what the process said an error has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be served; `context` is in tokens."""

    weights: Path
    model: str
    key: str = field(repr=False)
    context: int = 4096

    def line(self) -> bytes:
        """The order, as the process reads it."""
        order = {
            "weights": str(self.weights),
            "model": self.model,
            "key": self.key,
            "context": self.context,
        }
        return json.dumps(order).encode() + b"\n"


class LocalChild:
    """One process, which runs `command`.

    `start` waits for it for so many `seconds`; `stop` kills it when it has not ended after `patience` seconds.
    """

    def __init__(
        self,
        order: Order,
        *,
        command: Sequence[str] = COMMAND,
        seconds: float = START_SECONDS,
        patience: float = STOP_SECONDS,
    ) -> None:
        self._order = order
        self._command = tuple(command)
        self._seconds = seconds
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process's number; `None` if there is none."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> str:
        """Start the process, once; returns its address, a URL without a path.

        Raises:
            EnvironmentMissing: it did not start, or not in time; the text has what it said.
        """
        try:
            return await self._address(self._spawn())
        except TimeoutError:
            raise EnvironmentMissing(
                f"the local model did not start within {self._seconds:g} s{await self._last_words()}; "
                "try again when the machine is less busy"
            ) from None
        except OSError as error:
            await self.stop()
            raise EnvironmentMissing(f"the local model's process could not be started: {error}") from error
        except BaseException:  # interrupted, too, it leaves no process behind
            await self.stop()
            raise

    async def _address(self, process: subprocess.Popen[bytes]) -> str:
        async with asyncio.timeout(self._seconds):
            line = await asyncio.to_thread(_exchange, process, self._order.line())
        if line:
            return str(json.loads(line)["address"])
        status = await asyncio.to_thread(_status, process, self._patience)
        raise EnvironmentMissing(f"the local model did not start (exit status {status}){await self._last_words()}")

    async def stop(self) -> None:
        """End the process, also in the middle of a request; harmless when called twice."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.shield(asyncio.to_thread(_end, process, self._patience))
        said, self._said = self._said, None
        if said is not None:
            said.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `stop`
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        return self._process

    async def _last_words(self) -> str:
        """End it; what it said."""
        said, self._said = self._said, None
        await self.stop()
        if said is None:
            return ""
        with said:
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()
        words = "".join(f"\n  {line}" for line in lines[-MOST_LINES:])
        return f"; it said:{words}" if words else ", and said nothing"


def _exchange(process: subprocess.Popen[bytes], order: bytes) -> bytes:
    """Give the order, and wait for the answer, which is empty if the process ends."""
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(order)
        process.stdin.flush()
    except BrokenPipeError:  # it has ended already
        return b""
    return process.stdout.readline()


def _status(process: subprocess.Popen[bytes], patience: float) -> int | None:
    """How a process ended that has closed its output; `None` if it goes on all the same."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(patience)
    return None


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
