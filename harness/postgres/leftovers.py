"""Removes what dead runs left here: a server whose owner and guardian were both killed, and its data.

Mechanism: each run's directory has a name of ours and an owner file. The server of a directory is the
process named in its ``postmaster.pid``, if that process is a PostgreSQL whose working directory is that
very data directory.

Guarantee: only directories of this user are touched, only if their owner is known to be dead, and only a
process proved to be the directory's server is stopped.
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from harness.postgres import guardian
from harness.postgres.owner import Owner

__all__ = ["PREFIX", "find_server", "remove_run", "sweep"]

PREFIX = "sessionproof-postgres-"


def sweep(roots: Iterable[Path]) -> tuple[Path, ...]:
    """Remove the directories of dead owners below the roots; returns those removed."""
    candidates = [path for root in roots for path in sorted(root.glob(f"{PREFIX}*"))]
    dead = [path for path in candidates if _is_abandoned(path)]
    for path in dead:
        remove_run(path)
    return tuple(dead)


def remove_run(directory: Path) -> None:
    """Stop the server that runs on a run's directory, if there is one, and remove the directory."""
    server = find_server(directory / guardian.DATA)
    if server is not None:
        _stop(server)
    guardian.remove(directory)


def find_server(data: Path) -> psutil.Process | None:
    """The PostgreSQL server that runs on a data directory."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        if process.name() == "postgres" and Path(process.cwd()) == data.resolve():
            return process
    except (OSError, ValueError, IndexError, psutil.Error):
        pass
    return None


def _is_abandoned(directory: Path) -> bool:
    try:
        if directory.lstat().st_uid != os.geteuid() or directory.is_symlink():
            return False
        owner = Owner.from_json((directory / guardian.OWNER_FILE).read_text())
    except OSError:
        return False
    return owner is not None and owner.is_alive() is False


def _stop(server: psutil.Process) -> None:
    try:
        server.send_signal(signal.SIGQUIT)
        server.wait(guardian.STOP_SECONDS)
    except psutil.TimeoutExpired:
        server.kill()
    except psutil.NoSuchProcess:
        pass
