"""What the command loads, and when: in processes, because a test's own has loaded all of it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

COMMANDS = ("bench", "check-backend", "doctor", "init", "prove", "report", "reproduce", "scan", "verify")
SLOW = {"asyncio", "importlib.metadata", "logfire", "psutil", "pydantic", "rich", "sqlalchemy"}


@pytest.mark.parametrize("words", [("--help",), ("verify", "--help"), ("prove",), ("no-such-command",)])
def test_help_and_wrong_usage_load_nothing_slow(words: tuple[str, ...]) -> None:
    """Help is there at once."""
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print(sorted({SLOW!r} & set(sys.modules)), file=sys.stderr))\n"
        f"from harness.cli import main; main({list(words)!r})\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.stderr.splitlines()[-1] == "[]"


def test_the_help_lists_every_command() -> None:
    """By its name, also where the package is started as a module."""
    ended = subprocess.run([sys.executable, "-m", "harness.cli", "--help"], capture_output=True, text=True, check=False)

    assert ended.stdout.startswith("Usage: python -m harness.cli ")
    _, _, listed = ended.stdout.partition("Commands:\n")
    assert tuple(line.split()[0] for line in listed.splitlines()) == COMMANDS
