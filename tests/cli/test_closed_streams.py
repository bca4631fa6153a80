"""Standard streams that are closed: the command does its work, and its status means what it always means."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from harness.cli.streams import NotPrinted, printing

CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")
ROOT = Path(__file__).parents[2]
RACY = """
import asyncio
from sqlalchemy.ext.asyncio import AsyncSession

async def both(session: AsyncSession) -> None:
    await asyncio.gather(session.execute("a"), session.execute("b"))
"""


def call(folder: Path, words: str, closed: str, *, code: str = "") -> tuple[int, str]:
    """The status, and all that is printed, of a command, or of other code, that starts with these closed."""
    program = shlex.join([sys.executable, *(("-c", code) if code else ("-m", "harness.cli"))])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SESSION", "GITHUB"))}
    ended = subprocess.run(
        ["/bin/sh", "-c", f"exec {program} {words} {closed}"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def write_to(stream: IO[str]) -> None:
    """Print a word there."""
    with printing(stream):
        stream.write("found")
        stream.flush()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("scan clean.py", 0),
        ("scan racy.py", 1),
        ("check-backend os.path:join", 2),
        ("init clean.py", 2),
        ("report no.json", 2),
        ("prove --before A --after B", 2),
        ("reproduce --mode no", 2),
        ("verify --scenarios no", 2),
        ("bench --backend no", 2),
        ("no-such-command", 2),
        ("--version", 0),
        ("verify --help", 0),
    ],
)
def test_the_status_of_every_command_is_what_it_would_be(words: str, expected: int, tmp_path: Path) -> None:
    """Status 1 is a finding."""
    (tmp_path / "clean.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "racy.py").write_text(RACY, encoding="utf-8")

    assert call(tmp_path, words, "<&- >&- 2>&-")[0] == expected


@pytest.mark.processes
@pytest.mark.parametrize("words", ["scan missing", "check-backend os.path:join"])
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_one_closed_stream_is_no_error(words: str, closed: str, tmp_path: Path) -> None:
    """There is no traceback on the other."""
    status, said = call(tmp_path, words, closed)

    assert status == 2
    assert said.count("\n") == (closed == ">&-")


@pytest.mark.processes
def test_the_environment_is_looked_at(tmp_path: Path) -> None:
    """With the status that it has where everything is open."""
    assert call(tmp_path, "doctor", ">&-")[0] == call(tmp_path, "doctor", "")[0]


@pytest.mark.processes
@pytest.mark.parametrize("closed", CLOSED)
def test_nothing_that_is_opened_later_is_taken_for_a_stream(closed: str, tmp_path: Path) -> None:
    """Neither by the command nor by a process that it starts."""
    code = (
        "import os, subprocess\n"
        "from harness.cli import main\n"
        "main(['--version'], standalone_mode=False)\n"
        "descriptor = os.open('kept.txt', os.O_CREAT | os.O_WRONLY)\n"
        "os.set_inheritable(descriptor, True)\n"
        "assert descriptor > 2, descriptor\n"
        "for words in ('cat', 'echo spilled', 'echo spilled >&2'):\n"
        "    subprocess.run(words, shell=True, check=True, timeout=60)\n"
    )

    status, said = call(tmp_path, "", f"{closed} {'' if '<&-' in closed else '</dev/null'}", code=code)

    assert (status, "Error" in said) == (0, False)
    assert (tmp_path / "kept.txt").read_bytes() == b""


@pytest.mark.processes
def test_a_descriptor_that_somebody_else_has_is_left_to_them(tmp_path: Path) -> None:
    """What is printed does not go into their file."""
    code = (
        "import os\n"
        "assert os.open('theirs.txt', os.O_CREAT | os.O_WRONLY) == 1\n"
        "from harness.cli import main\n"
        "main(['--version'])\n"
    )

    assert call(tmp_path, "", ">&-", code=code) == (0, "")
    assert (tmp_path / "theirs.txt").read_bytes() == b""


def test_what_cannot_be_printed_is_not_tried_again(tmp_path: Path) -> None:
    """Also where the descriptor was closed meanwhile."""
    stream = (tmp_path / "output.txt").open("w", encoding="utf-8")
    os.close(stream.fileno())

    with pytest.raises(NotPrinted, match="Bad file descriptor"):
        write_to(stream)

    stream.close()  # it writes what it kept
