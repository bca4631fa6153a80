"""The owner's end of the pipe to a guardian process.

Problem: whatever a run starts must end with the run, even if the run is killed in the middle of starting
it.

Mechanism: `Guard.start` runs `guardian.py` by its path, in a session of its own (Ctrl-C does not reach it),
tells it what to guard, and waits for its answer. `Guard.restart` asks it to restart its ward, and waits
likewise. `Guard.stop` closes the pipe and waits until the guardian has cleaned up. Nothing but a plain
`subprocess.Popen` is kept, so that each may run in another event loop.

Guarantee: if `start` raises or is cancelled, the guardian has cleaned up and has ended.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentMissing

__all__ = ["Guard"]

_SCRIPT = Path(__file__).with_name("guardian.py")
_STOP_SECONDS = 90.0


class Guard:
    """One guardian process and the ward it was given."""

    def __init__(self, ward: Mapping[str, Any]) -> None:
        self._ward = ward
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> dict[str, Any]:
        """Start the guardian and return its report of the started ward (for ``postgres``: port, pid).

        Raises:
            EnvironmentMissing: the ward could not be started; the text is the guardian's.
        """
        self._process = process = _spawn(self._ward)
        try:
            report = _report(await asyncio.to_thread(_read_line, process))
        except BaseException:  # interrupted, too, it leaves no process behind
            await self.stop()
            raise
        if report["event"] != "ready":
            await self.stop()
            raise EnvironmentMissing(report["message"])
        return report

    async def restart(self) -> dict[str, Any]:
        """Have the ward stopped in order and started again; returns the report of it, as `start` does.

        Raises:
            EnvironmentMissing: nothing was started, or the ward could not be started again.
        """
        process = self._process
        if process is None:
            raise EnvironmentMissing("nothing was started that could be restarted")
        report = _report(await asyncio.to_thread(_order, process))
        if report["event"] != "ready":
            raise EnvironmentMissing(report["message"])
        return report

    async def stop(self) -> str:
        """Let the guardian clean up and wait for its end; returns why it could not, or an empty string."""
        process, self._process = self._process, None
        if process is None:
            return ""
        return await asyncio.to_thread(_finish, process)


def _spawn(ward: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603  # our own file
        [sys.executable, "-I", "-S", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    if process.stdin is not None:
        process.stdin.write(json.dumps({**ward, "parent": os.getpid()}).encode() + b"\n")
        process.stdin.flush()
    return process


def _read_line(process: subprocess.Popen[bytes]) -> bytes:
    return process.stdout.readline() if process.stdout is not None else b""


def _order(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the missing answer says
            process.stdin.write(b"restart\n")
            process.stdin.flush()
    return _read_line(process)


def _finish(process: subprocess.Popen[bytes]) -> str:
    try:
        output, _ = process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"the guardian process did not end within {_STOP_SECONDS:.0f} s"
    last = (output or b"").splitlines()[-1:] or [b""]
    report = _report(last[0])
    return "" if report["event"] == "stopped" else str(report["message"])


def _report(line: bytes) -> dict[str, Any]:
    if not line:
        return {"event": "failed", "message": "the guardian process ended without a word (was it killed?)"}
    report: dict[str, Any] = json.loads(line)
    return report
