"""Repositories of tests are nobody's: what the machine's user has configured for git has no part in them."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result

from harness.cli import main
from harness.report.document import RunDocument
from harness.report.redact import redact
from harness.report.run_json import JsonWriter
from tests.prove.shops import NOBODY

Command: TypeAlias = Callable[..., Result]
STANDIN = Path(__file__).with_name("standin.py")


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where the process that stands in for pytest finds what to do, and leaves what it was told."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def standing_in(notes: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Call the command in this process, in a folder, with a process that stands in for pytest and does as it is told.

    `behaviour` is by the name of the folder of the report; a `RunDocument` in it is what is left there.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)

    def call(folder: Path, *words: str, **behaviour: dict[str, Any]) -> Result:
        for name, wanted in behaviour.items():
            if isinstance(document := wanted.get("document"), RunDocument):
                path = notes / f"{name}.json"
                path.write_text(JsonWriter().write(redact(document)), encoding="utf-8")
                wanted["document"] = str(path)
        (notes / "behaviour.json").write_text(json.dumps(behaviour), encoding="utf-8")
        before = Path.cwd()
        os.chdir(folder)
        try:
            program = [sys.executable, str(STANDIN), str(notes)]
            return CliRunner().invoke(main, words, obj=program, prog_name="sessionproof")
        finally:
            os.chdir(before)

    return call
