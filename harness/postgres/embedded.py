"""A PostgreSQL 18 of our own, from the programs in a wheel: no engine, no network, under a second.

Problem: the harness needs a real PostgreSQL with pgvector wherever it runs, must not meet another run's
server, and must leave nothing behind.

Mechanism: a guardian process (`harness.postgres.guardian`) initialises a data directory in memory where
there is room, runs a server on it as an unprivileged account, and removes both when its owner stops it or
dies. The server listens on a loopback port only, without a Unix socket, and asks for a random password that
goes to it through a file and to nobody's command line. Nothing is flushed to disk: the data does not
outlive the run.

Guarantee: after `stop`, and after the death of this process, there is no process and no directory left. If
the guardian is killed as well, the next `start` on the machine removes the remains.
"""

import asyncio
import secrets
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres import admin, binaries, guardian, leftovers
from harness.postgres.guard import Guard
from harness.postgres.owner import Owner
from harness.postgres.server import Lacking, RunningServer, ServerAddress
from harness.postgres.settings import VOLATILE

__all__ = ["REQUIRED_BYTES", "SETTINGS", "EmbeddedServer", "data_roots", "find_room", "free_bytes", "free_ports"]

HOST = "127.0.0.1"
USER = "postgres"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # directories there are made with random names and private modes
MEGABYTE = 1024**2
REQUIRED_BYTES = 512 * MEGABYTE
PORT_ATTEMPTS = 8

SETTINGS: dict[str, str] = {
    **VOLATILE,
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "io_method": "sync",
    # Files of the data directory, which go away with it, rather than objects that a killed server leaves.
    "dynamic_shared_memory_type": "mmap",
}

_INITDB = (
    f"--username={USER}",
    "--auth=scram-sha-256",
    "--no-sync",
    "--no-instructions",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    # Iterations slow down guessing a weak password. Ours has 256 bits, and every connection pays for them.
    "--set=scram_iterations=1",
)


def free_bytes(folder: Path) -> int:
    """The free space of the folder's file system; 0 if there is no such folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def data_roots() -> tuple[Path, ...]:
    """Where data directories can be, best first: memory, then the folder for temporary files."""
    return (SHARED_MEMORY, Path(tempfile.gettempdir()))


def find_room(
    roots: Sequence[Path],
    account: binaries.Account | None,
    *,
    required: int = REQUIRED_BYTES,
    measure_free: Callable[[Path], int] = free_bytes,
) -> tuple[Path, int]:
    """The first of the folders that the account can reach and that has enough free space, and that space.

    Raises:
        EnvironmentMissing: there is none; the text names each, with what is needed and what is free.
    """
    seen = []
    for root in roots:
        free = measure_free(root)
        if not _is_reachable(root, account):
            seen.append(f"{str(root)!r} is closed to the account {account.name if account else 'in use'!r}")
        elif free < required:
            seen.append(f"{str(root)!r} has {free // MEGABYTE} MB free")
        else:
            return root, free
    raise Lacking(
        f"embedded PostgreSQL needs {required // MEGABYTE} MB for its data, and {', '.join(seen)}",
        "free some, or point TMPDIR to a folder with room",
    )


def _is_reachable(folder: Path, account: binaries.Account | None) -> bool:
    """Whether another account can pass through the folder and those above it."""
    if account is None:
        return True
    try:
        return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.resolve().parents))
    except OSError:
        return False


class EmbeddedServer:
    """The server made of the wheel's programs; implements `harness.postgres.server.Server`."""

    kind: str = "embedded"

    def __init__(
        self,
        *,
        port: int | None = None,
        roots: Sequence[Path] = (),
        reason: str = "embedded PostgreSQL was asked for",
        required_bytes: int = REQUIRED_BYTES,
        measure_free: Callable[[Path], int] = free_bytes,
        offer_ports: Callable[[int], list[int]] = free_ports,
    ) -> None:
        self._port = port
        self._roots = tuple(roots) or data_roots()
        self._reason = reason
        self._required_bytes = required_bytes
        self._measure_free = measure_free
        self._offer_ports = offer_ports
        self._guard: Guard | None = None
        self._directory: Path | None = None

    async def start(self) -> RunningServer:
        """Start the server and wait until it answers.

        Raises:
            EnvironmentMissing: no programs, no account, no folder with room, or the server does not start.
            ConfigurationError: the port that was asked for is taken.
        """
        if self._guard is not None:
            raise ConfigurationError("this embedded server was started already; stop it first, or make another")
        account = binaries.unprivileged_account()
        programs = await asyncio.to_thread(lambda: binaries.runnable(binaries.find(), account))
        swept = await asyncio.to_thread(leftovers.sweep, self._roots)
        root, _ = find_room(self._roots, account, required=self._required_bytes, measure_free=self._measure_free)
        directory = root / f"{leftovers.PREFIX}{secrets.token_hex(8)}"
        password = secrets.token_urlsafe(32)
        self._directory = directory
        self._guard = Guard(self._ward(programs, account, directory, password))
        try:
            report = await self._started()
            return await self._describe(programs, directory, password, report, swept)
        except BaseException:  # interrupted, too, it leaves no server behind
            await self.stop()
            raise

    async def restart(self) -> None:
        """Stop the server in order, breaking its connections, and start it again, with the same data and address.

        What `start` returned stays true, but for the process id among its details. May run in any event loop.

        Raises:
            EnvironmentMissing: it was not started, or does not start again; then only `stop` is left.
        """
        if self._guard is None:
            raise EnvironmentMissing("there is no embedded server to restart: it was not started, or was stopped")
        try:
            await self._guard.restart()
        except EnvironmentMissing as error:
            raise EnvironmentMissing(f"embedded PostgreSQL could not be started again: {error}") from None

    async def stop(self) -> None:
        """Stop the server and remove its directory."""
        guard, self._guard = self._guard, None
        if guard is None or self._directory is None:
            return
        await guard.stop()
        # The guardian has done this already, unless it was killed.
        await asyncio.to_thread(leftovers.remove_run, self._directory)

    async def _started(self) -> dict[str, Any]:
        if self._guard is None:
            raise EnvironmentMissing("the embedded server was stopped while it started")
        try:
            return await self._guard.start()
        except EnvironmentMissing as error:
            if self._port is not None and guardian.PORT_TAKEN in str(error):
                raise ConfigurationError(
                    f"embedded PostgreSQL cannot listen on {HOST}:{self._port}, because something else does; "
                    "name another port, or none to have a free one chosen"
                ) from None
            raise EnvironmentMissing(f"embedded PostgreSQL could not be started: {error}") from None

    def _ward(
        self, programs: binaries.Binaries, account: binaries.Account | None, directory: Path, password: str
    ) -> dict[str, Any]:
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        return {
            "kind": "postgres",
            "directory": str(directory),
            "owner": Owner.current().to_json(),
            "password": password,
            "user": account.uid if account else None,
            "group": account.gid if account else None,
            "environment": dict(binaries.ENVIRONMENT),
            "initdb": [str(programs.initdb), *_INITDB],
            "postgres": [str(programs.postgres), *settings],
            "ports": [self._port] if self._port is not None else self._offer_ports(PORT_ATTEMPTS),
        }

    async def _describe(
        self,
        programs: binaries.Binaries,
        directory: Path,
        password: str,
        report: dict[str, Any],
        swept: tuple[Path, ...],
    ) -> RunningServer:
        address = ServerAddress(host=HOST, port=report["port"], user=USER, password=password)
        async with admin.connect(address, "postgres") as connection:
            version = await connection.fetchval("SHOW server_version")
        details = {
            "binaries": str(programs.prefix),
            "wheel": f"{binaries.DISTRIBUTION} {programs.wheel}",
            "data directory": str(directory / guardian.DATA),
            "pid": str(report["pid"]),
        }
        if swept:
            details["removed leftovers"] = ", ".join(path.name for path in swept)
        return RunningServer(
            kind=self.kind,
            address=address,
            version=version,
            reason=self._reason,
            details=details,
            log_path=directory / guardian.LOG,
        )
