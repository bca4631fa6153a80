"""Who owns a server, a container or a database, and whether that owner still lives.

Problem: a process id alone names nobody, because ids are used again, and because two containers that share
``/dev/shm`` count their processes separately.

Mechanism: an owner is a process id, the moment that process started, in clock ticks since a named boot, and
the process id namespace it was seen in. All three come from ``/proc``; elsewhere psutil's creation time
stands in.

Guarantee: `Owner.is_alive` answers ``None`` when it cannot know, and whoever cleans up leaves such things
alone.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

__all__ = ["Owner"]

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process, told apart from every other process of every host."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> "Owner":
        """This process."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(),
            boot=_read(_PROC / "sys/kernel/random/boot_id"),
            namespace=_namespace(),
            pid=pid,
            started=_started(pid),
        )

    def is_alive(self) -> bool | None:
        """Whether the process still runs; ``None`` where this process cannot see it."""
        here = Owner.current()
        if self.host != here.host:
            return None
        if self.boot != here.boot:
            return False
        if self.namespace != here.namespace:
            return None
        return _started(self.pid) == self.started

    def to_json(self) -> str:
        """The owner as one line of JSON, for an owner file, a label or a database comment."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> "Owner | None":
        """The owner that `to_json` wrote, or ``None`` if the text is anything else."""
        try:
            fields = json.loads(text or "")
            return cls(**fields)
        except (ValueError, TypeError):
            return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When the process started, or an empty string if there is none (a zombie counts as none)."""
    stat = _read(_PROC / str(pid) / "stat")
    if stat:
        # The command name may hold spaces and parentheses, so fields are counted from its last parenthesis.
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in {"Z", "X"} else fields[19]
    try:
        return "" if _PROC.joinpath("self").exists() else f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return ""
