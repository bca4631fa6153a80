"""What the command loads, and when: in processes, because a test's own has loaded all of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

COMMANDS = ("bench", "check-backend", "doctor", "init", "prove", "report", "reproduce", "scan", "verify")
SLOW = {"asyncio", "importlib.metadata", "logfire", "psutil", "pydantic", "rich", "sqlalchemy"}
OF_CELLS = {"harness.engine", "logfire", "pydantic_ai", "sqlalchemy"}
OF_OTHER_TIERS = {"anthropic", "harness.providers.live", "openai", "starlette", "testcontainers", "uvicorn"}
LISTING = """
import atexit, json, os, pathlib, sys
atexit.register(lambda: pathlib.Path(os.environ["LOADED"], f"{os.getpid()}.json").write_text(
    json.dumps([sys.orig_argv, sorted(sys.modules)])
))
"""


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


@pytest.mark.parametrize("command", ["prove", "report", "reproduce", "scan", "verify"])
def test_commands_that_load_no_backend_load_nothing_that_backends_need(command: str, tmp_path: Path) -> None:
    """Nor pydantic's plugins: their processes start others, or read what those have left."""
    code = (
        "import sys\n"
        "from harness.cli.loading import loading\n"
        "with loading(plugins=False):\n"
        f"    import harness.command.{command}\n"
        "assert 'pydantic' in sys.modules or 'scan' in sys.argv\n"
        "print(sorted({'harness.engine', 'logfire', 'pydantic_ai'} & set(sys.modules)))\n"
    )

    words = [sys.executable, "-c", code, command]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.stdout == "[]\n", ended.stderr


def test_what_a_backend_has_to_be_is_said_without_the_libraries_that_it_uses() -> None:
    """So that a process which only looks at one loads what that loads, and no more."""
    code = (
        "import harness.revisions.look, sys\nprint(sorted({'logfire', 'pydantic_ai', 'sqlalchemy'} & set(sys.modules)))"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.stdout == "[]\n", ended.stderr


def test_each_process_of_a_run_loads_what_its_part_needs(tmp_path: Path) -> None:
    """Those that start the next one load no engine, and a worker with scripted models no client of another tier."""
    (tmp_path / "sitecustomize.py").write_text(LISTING, encoding="utf-8")
    (tmp_path / "loaded").mkdir()
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    given = os.environ | {"PYTHONPATH": path, "LOADED": str(tmp_path / "loaded")}
    words = ["verify", "--backend", "fixtures.minimal:backend", "--postgres", "embedded", "-n", "1"]
    words += ["--scenario", "two_parallel_tools", "--mode", "per_operation", "--pool-state", "cold"]
    words += ["--tier", "scripted", "--output", str(tmp_path / "report")]

    ended = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    seen = [json.loads(file.read_text(encoding="utf-8")) for file in (tmp_path / "loaded").iterdir()]
    loaded = {_part(words): set(modules) for words, modules in seen}
    assert not loaded["command"] & OF_CELLS
    assert not loaded["controller"] & OF_CELLS
    assert loaded["worker"] >= OF_CELLS
    assert not loaded["worker"] & OF_OTHER_TIERS


def _part(words: list[str]) -> str:
    """Which of the processes has these words."""
    if "harness.cli" in words:
        return "command"
    return "controller" if "pytest" in words else "worker" if "-c" in words else "guardian"
