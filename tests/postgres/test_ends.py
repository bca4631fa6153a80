"""However the process that started a server ends, the server and its data go with it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.postgres.guardian import OWNER_FILE
from harness.postgres.leftovers import PREFIX, sweep
from harness.postgres.owner import Owner

SECONDS = 15.0
ROOT = Path(__file__).parents[2]

# Starts a server, says so, reads one line, and does what the line says.
SCRIPT = """
import asyncio, json, os, signal, sys
from harness.postgres.embedded import EmbeddedServer

async def main():
    server = EmbeddedServer()
    running = await server.start()
    print(json.dumps(running.details | {"secret": running.address.password}), flush=True)
    what = (await asyncio.to_thread(sys.stdin.readline)).strip()
    if what == "raise":
        raise RuntimeError("as the test asked")
    if what == "fork" and os.fork() == 0:
        sys.stdin.readline()
        os._exit(0)
    if what in ("fork", "wait"):
        print("waiting", flush=True)
        await asyncio.Event().wait()

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background without one
asyncio.run(main())
"""


@dataclass
class Child:
    """A process that owns a server."""

    process: subprocess.Popen[str]
    details: dict[str, str]

    @property
    def directory(self) -> Path:
        return Path(self.details["data directory"]).parent

    def say(self, what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def owner() -> Iterator[tuple[Child, list[psutil.Process]]]:
    """A child that has started a server, and the guardian, the server and the server's children."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        child = Child(process, json.loads(process.stdout.readline()))
        server = psutil.Process(int(child.details["pid"]))
        guardian = server.parent()
        assert guardian is not None
        try:
            yield child, [guardian, server, *server.children(recursive=True)]
        finally:
            process.kill()


def assert_gone(child: Child, processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)

    assert alive == []
    assert not child.directory.exists()


def wait_and_send(number: signal.Signals) -> Callable[[Child], None]:
    def end(child: Child) -> None:
        child.say("wait")
        child.hear()
        child.process.send_signal(number)

    return end


ENDS: dict[str, Callable[[Child], None]] = {
    "normal exit": lambda child: child.say("return"),
    "exception": lambda child: child.say("raise"),
    "SIGINT": wait_and_send(signal.SIGINT),
    "SIGTERM": wait_and_send(signal.SIGTERM),
    "SIGKILL": wait_and_send(signal.SIGKILL),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_nothing_outlives_the_owner(end: Callable[[Child], None]) -> None:
    """Server, guardian and data are gone after any end of a process that never called `stop`."""
    with owner() as (child, processes):
        assert child.directory.exists()
        end(child)
        child.process.wait(SECONDS)

        assert_gone(child, processes)


def test_a_forked_child_does_not_keep_the_server_alive() -> None:
    """The owner's end counts, even while its forked child holds the guardian's pipe open."""
    with owner() as (child, processes):
        child.say("fork")
        child.hear()
        child.process.kill()
        child.process.wait(SECONDS)

        assert_gone(child, processes)


def test_the_next_start_removes_what_a_killed_guardian_left() -> None:
    """If owner and guardian are both killed, the server runs on until the next sweep stops it."""
    with owner() as (child, processes):
        guardian, server, *_ = processes
        root = child.directory.parent
        guardian.kill()
        while guardian.is_running() and guardian.status() != psutil.STATUS_ZOMBIE:
            pass

        assert child.directory not in sweep([root])

        child.process.kill()
        child.process.wait(SECONDS)

        assert server.is_running()
        assert child.directory in sweep([root])
        assert_gone(child, processes)


def test_sweeping_leaves_alone_what_is_not_known_to_be_dead(tmp_path: Path) -> None:
    """A directory of a living owner, of another host's, or without an owner file stays."""
    here = Owner.current()
    living, foreign, bare, other = (tmp_path / name for name in (f"{PREFIX}1", f"{PREFIX}2", f"{PREFIX}3", "4"))
    for path, text in [
        (living, here.to_json()),
        (foreign, here.to_json().replace(here.host, "another")),
        (bare, None),
        (other, here.to_json().replace(here.boot, "earlier")),
    ]:
        path.mkdir()
        if text is not None:
            (path / OWNER_FILE).write_text(text)

    assert sweep([tmp_path]) == ()
    assert living.exists()
    assert foreign.exists()
    assert bare.exists()
    assert other.exists()


def test_sweeping_stops_no_process_but_the_directory_s_server(tmp_path: Path) -> None:
    """A process id in ``postmaster.pid`` that now belongs to another process is not touched."""
    dead = tmp_path / f"{PREFIX}dead"
    (dead / "data").mkdir(parents=True)
    (dead / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    here = Owner.current()
    (dead / OWNER_FILE).write_text(here.to_json().replace(here.boot, "earlier"))

    assert sweep([tmp_path]) == (dead,)
    assert not dead.exists()
