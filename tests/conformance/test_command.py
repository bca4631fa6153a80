"""`sessionproof check-backend`: what is printed, and with which status it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from inline_snapshot import snapshot
from jsonschema import Draft202012Validator

from harness.cli import main
from harness.report import schema

ROOT = Path(__file__).parents[2]


def refused(*words: str) -> Result:
    """Call the command in this process, for what does not come so far as to a database."""
    return CliRunner().invoke(main, ["check-backend", *words], prog_name="sessionproof")


def test_backend_that_does_not_load() -> None:
    """Status 2, and the load's own message."""
    result = refused("fixtures.minimal:backen")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == snapshot("""\
error: backend 'fixtures.minimal:backen': module 'fixtures.minimal' has no attribute 'backen'; \
did you mean 'fixtures.minimal:backend'?
""")


def test_server_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 2 for what cannot be a server, 3 for one that cannot be had; a password is not told."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    nowhere = refused("fixtures.minimal:backend", "--postgres", "postgresql://nobody:hunter22@127.0.0.1:1/postgres")

    assert refused("fixtures.minimal:backend", "--postgres", "sqlite").exit_code == 2
    assert nowhere.exit_code == 2
    assert "hunter22" not in nowhere.output
    assert refused("fixtures.minimal:backend", "--postgres", "container").exit_code == 3


def check(directory: Path, text: str, *words: str, timeout: float = 100) -> subprocess.CompletedProcess[str]:
    """Check the backend of a module with this text, in a process of its own."""
    (directory / "shop.py").write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-P",
        "-m",
        "harness.cli",
        "check-backend",
        "shop:backend",
        "--postgres",
        "embedded",
        *words,
    ]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=timeout)


NOISY = """
import logging
import os
import warnings
from contextlib import asynccontextmanager

from fixtures.minimal import MinimalBackend

print("shop is imported")
os.write(1, b"shop writes to the descriptor")


class Shop(MinimalBackend):
    ledger_table = "bills"

    @asynccontextmanager
    async def start(self, settings):
        print("shop starts")
        logging.getLogger("shop").error("shop logs")
        warnings.warn("shop warns")
        async with super().start(settings) as shop:
            yield shop


backend = Shop()
"""
HANGING = """
import time

from fixtures.minimal import MinimalBackend


class Shop(MinimalBackend):
    async def prepare(self, database_url):
        time.sleep(600)


backend = Shop()
"""


@pytest.mark.processes
def test_backend_that_conforms(tmp_path: Path) -> None:
    """Status 0; what the application prints by itself is not among what is said of it."""
    ended = check(tmp_path, NOISY)

    assert ended.returncode == 0
    assert ended.stdout == snapshot("""\
looked at  attributes and methods
looked at  prepare makes a database
looked at  start in mode 'per_operation', with each kind of pool
looked at  sessions of each mode
looked at  tenants and roles
looked at  ledger
looked at  capabilities
backend 'minimal' conforms to the protocol
""")
    assert "shop logs" not in ended.stderr
    assert "shop warns" not in ended.stderr


@pytest.mark.processes
def test_document(tmp_path: Path) -> None:
    """As JSON it is the published schema's, and standard output is nothing but that."""
    ended = check(tmp_path, NOISY.replace('"bills"', '"bill"'), "--format", "json")

    document = json.loads(ended.stdout)
    Draft202012Validator(json.loads(schema.CONFORMANCE.path.read_text(encoding="utf-8"))).validate(document)
    assert ended.returncode == 1
    assert document["conforms"] is False
    assert document["violations"] == snapshot(
        [
            {
                "part": "ledger_table",
                "seen": "there is no table 'bill'",
                "asked": "it is the name of the table with the ledger's rows",
                "change": "write 'bills'",
                "place": "",
            }
        ]
    )


@pytest.mark.processes
def test_backend_that_holds_the_event_loop(tmp_path: Path) -> None:
    """What answers to no time limit is told with its line, and what is known by then is not lost."""
    ended = check(tmp_path, HANGING, "--turn-timeout", "2")

    assert ended.returncode == 1
    assert ended.stdout.splitlines()[0] == "looked at  attributes and methods"
    assert (
        "VIOLATED   the event loop (shop.py:9): it has stood still for 17 s, at shop.py:9 in Shop.prepare"
        in ended.stdout
    )
