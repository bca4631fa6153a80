"""Stands in for pytest in the tests of the command: does what its first argument says, and knows pytest's options.

It is run by its path as a process of its own, so it imports nothing but the standard library.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

BEHAVIOUR, ARGUMENTS = sys.argv[1], sys.argv[2:]


def option(name: str) -> Path:
    """The value of an option of the plugin."""
    (value,) = [word.partition("=")[2] for word in ARGUMENTS if word.startswith(f"--sessionproof-{name}=")]
    return Path(value)


def emit(**event: object) -> None:
    """Append one event."""
    with option("events").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(event) + "\n")


def follow(document: Path) -> None:
    """Tell the events of a run that gave this document."""
    run = json.loads(document.read_text(encoding="utf-8"))
    emit(event="server", kind="embedded", version="18.1", reason="no Docker engine answers")
    emit(event="planned", cells=len(run["cells"]))
    emit(event="something_newer", value=1)
    names = ("scenario", "session_mode", "pool_state", "tier", "verdict", "expected", "as_expected", "objections")
    for cell in run["cells"]:
        emit(event="cell", **{name: cell[name] for name in names})
    emit(event="finished")


def main() -> int:
    """Behave."""
    print(json.dumps({"arguments": ARGUMENTS, "environment": dict(os.environ)}))  # noqa: T201  # what the log shows
    kind, _, value = BEHAVIOUR.partition(":")
    if kind == "document":
        status, _, path = value.partition(":")
        follow(Path(path))
        shutil.copy(path, option("output") / "run.json")
        return int(status)
    if kind == "problem":
        emit(event="problem", category=value, message=f"a {value} problem at postgresql://app:hunter22@db/app")
        return 1
    if kind == "die":
        print("last words, password=hunter22", flush=True)  # noqa: T201  # what the log shows
        os.kill(os.getpid(), signal.SIGKILL)
    return wait(Path(value), stubborn=kind == "stubborn")


def wait(notes: Path, *, stubborn: bool) -> int:
    """Start a child, say so, and wait for Ctrl-C; a stubborn one only says that it came."""
    if stubborn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child inherits it
    child = subprocess.Popen(["sleep", "300"])
    if stubborn:
        signal.signal(signal.SIGINT, lambda *_: emit(event="planned", cells=8))
    (notes / "group").write_text(str(os.getpgid(child.pid)))
    emit(event="planned", cells=7)
    try:
        child.wait()
        signal.pause()
    except KeyboardInterrupt:
        (notes / "cleaned").touch()
    return 2


if __name__ == "__main__":
    sys.exit(main())
