"""A small process that outlives its owner just long enough to clean up after it.

Problem: a test run that is killed (SIGKILL, out of memory, a cancelled CI job) runs no ``finally``, and
would leave a PostgreSQL server, its data or a container behind.

Mechanism: the owner starts this file as a process in a session of its own and writes one JSON line to its
standard input. The guardian does what the line says, reports on its standard output, and then waits for the
end of that input. The end comes when the owner closes the pipe, and equally when the owner dies. Once a
second it also looks whether it still has the same parent, in case a forked child of the owner holds the
pipe open. Until then every further line asks for a restart of the ward, which is reported in the same way.

Guarantee: there is one way to stop, whether the owner asks for it or dies. Only the standard library is
imported, and the file is run by its path, so that it starts in milliseconds.

Two kinds of ward:

- ``postgres``: initialise a data directory, run a server on it, restart it when asked to; at the end stop the
  server and remove the directory.
- ``command``: at the end, run a command. There is nothing to restart.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main", "remove"]

OWNER_FILE = "owner.json"
DATA = "data"
LOG = "server.log"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
COMMAND_SECONDS = 60.0
PORT_TAKEN = "could not create any TCP/IP sockets"

_POLL_SECONDS = 0.005
_PARENT_SECONDS = 1.0
_LOG_TAIL = 2000
_STATUS_LINE = 7  # of postmaster.pid, counted from 0


class _WardError(Exception):
    """The ward could not be started; the message is meant for a person."""


class _PortTakenError(_WardError):
    """Another process listens on the port."""


class _TerminatedError(Exception):
    """The guardian itself was told to end."""


def main() -> int:
    """Read the ward from standard input, guard it, clean up; the exit status is 0 if nothing is left."""
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return 0  # the owner died before it said anything, so there is nothing to guard
    ward = json.loads(line)
    guard = _guard_postgres if ward["kind"] == "postgres" else _guard_command
    try:
        guard(ward)
    except Exception as error:  # noqa: BLE001  # the pipe is the only way to tell the owner
        message = str(error) if isinstance(error, _WardError) else traceback.format_exc()
        _report(event="failed", message=message)
        return 1
    _report(event="stopped")
    return 0


def _guard_postgres(ward: dict[str, Any]) -> None:
    directory = Path(ward["directory"])
    server: subprocess.Popen[bytes] | None = None
    try:
        _make(ward, directory)
        _initialise(ward, directory)
        server, port = _launch_on_any_port(ward, directory)
        _report(event="ready", port=port, pid=server.pid)
        for _ in _orders(ward["parent"]):
            server = _restart(server, ward, directory, port)
            _report(event="ready", port=port, pid=server.pid)
    except _TerminatedError:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server is not None:
            _stop(server)
        remove(directory)


def _guard_command(ward: dict[str, Any]) -> None:
    _report(event="ready")
    with contextlib.suppress(_TerminatedError):
        for _ in _orders(ward["parent"]):
            _report(event="failed", message="there is nothing to restart")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    done = subprocess.run(  # noqa: S603  # the owner's own command
        ward["command"], stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode:
        raise _WardError(done.stderr.decode(errors="replace")[-_LOG_TAIL:].strip())


def _make(ward: dict[str, Any], directory: Path) -> None:
    try:
        directory.mkdir()
        if ward["user"] is not None:
            directory.chmod(0o711)  # the server's account reaches its own data through here
        (directory / OWNER_FILE).write_text(ward["owner"])
    except OSError as error:
        raise _WardError(f"the data directory {str(directory)!r} cannot be made: {error}") from None


def _initialise(ward: dict[str, Any], directory: Path) -> None:
    data, password = directory / DATA, directory / "password"
    data.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(ward["password"])
    if ward["user"] is not None:
        os.chown(data, ward["user"], ward["group"])
        os.chown(password, ward["user"], ward["group"])
    done = subprocess.run(  # noqa: S603  # the owner's own command
        [*ward["initdb"], f"--pgdata={data}", f"--pwfile={password}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_SECONDS,
        check=False,
        **_as_user(ward, directory),
    )
    password.unlink()
    if done.returncode:
        output = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise _WardError(f"initdb exited with status {done.returncode}: {output[-_LOG_TAIL:]}")


def _launch_on_any_port(ward: dict[str, Any], directory: Path) -> tuple[subprocess.Popen[bytes], int]:
    *first, last = ward["ports"]
    for port in first:
        with contextlib.suppress(_PortTakenError):
            return _launch(ward, directory, port), port
    return _launch(ward, directory, last), last


def _restart(
    server: subprocess.Popen[bytes], ward: dict[str, Any], directory: Path, port: int
) -> subprocess.Popen[bytes]:
    """Stop in order (SIGINT, the fast shutdown), and start on the same data and port; the log goes on."""
    server.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(STOP_SECONDS)
    _stop(server)
    (directory / DATA / "postmaster.pid").unlink(missing_ok=True)  # a killed server's says "ready" still
    return _launch(ward, directory, port, mode="ab")


def _launch(ward: dict[str, Any], directory: Path, port: int, *, mode: str = "wb") -> subprocess.Popen[bytes]:
    log = directory / LOG
    with log.open(mode) as stream:
        server = subprocess.Popen(  # noqa: S603  # the owner's own command
            [*ward["postgres"], "-D", str(directory / DATA), "-p", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            **_as_user(ward, directory),
        )
    try:
        _wait_until_ready(server, directory)
    except BaseException as error:
        _stop(server)
        if isinstance(error, _WardError):
            _explain(log, port)
        raise
    return server


def _explain(log: Path, port: int) -> NoReturn:
    text = log.read_text(errors="replace")[-_LOG_TAIL:].strip()
    if PORT_TAKEN in text:
        raise _PortTakenError(f"port {port} of 127.0.0.1 is taken: {text}")
    raise _WardError(f"the server did not start on port {port}: {text or 'it wrote no log'}")


def _wait_until_ready(server: subprocess.Popen[bytes], directory: Path) -> None:
    """Wait for the status line of ``postmaster.pid``, as ``pg_ctl`` does, but looking more often."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            lines = (directory / DATA / "postmaster.pid").read_text().splitlines()
            if len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready":
                return
        time.sleep(_POLL_SECONDS)
    raise _WardError("not ready")


def _as_user(ward: dict[str, Any], directory: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"cwd": directory, "env": ward["environment"]}
    if ward["user"] is not None:
        options |= {"user": ward["user"], "group": ward["group"], "extra_groups": []}
    return options


def _orders(parent: int) -> Iterator[bytes]:
    """The owner's lines, until it closes the pipe or dies."""
    pending = b""
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _PARENT_SECONDS)
        if not readable:
            continue
        data = os.read(sys.stdin.fileno(), 1024)
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        yield from lines


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop at once (SIGQUIT, the immediate shutdown): the data goes away, so nothing is worth flushing."""
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def remove(directory: Path) -> None:
    """Remove a run's directory, the data first: while the owner file is there, another can finish this."""
    for attempt in range(20):
        shutil.rmtree(directory / DATA, ignore_errors=True)
        if not (directory / DATA).exists():
            break
        time.sleep(_POLL_SECONDS * attempt)  # a backend that has lost its server can still be writing
    shutil.rmtree(directory, ignore_errors=True)


def _report(**event: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(json.dumps(event).encode() + b"\n")
        sys.stdout.buffer.flush()


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise _TerminatedError


if __name__ == "__main__":
    sys.exit(main())
