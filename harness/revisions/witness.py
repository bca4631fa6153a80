"""Loaded by pytest with a run of a revision: at its end, where each module came from.

Guarantee: each process of the run leaves one whole file, and an import that happens as late as in the last test is in
it. Nothing heavy is imported, and nothing is watched while tests run.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from harness.files import replace_file

__all__ = ["imported", "read_origins"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder in which the files are left."""
    parser.addoption("--sessionproof-origins", metavar="DIR", help="leave there where modules came from")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave the file of this process."""
    folder = session.config.getoption("--sessionproof-origins")
    if folder:
        replace_file(Path(folder, f"{os.getpid()}.json"), json.dumps(imported()))


def imported() -> dict[str, str]:
    """The file of each module that this process has imported, by the module's name."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: file for name, file in files.items() if isinstance(file, str)}


def read_origins(folder: Path) -> list[tuple[str, str]]:
    """What all processes have left: names and files, a module once for each place that it came from."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))]
    return list(dict.fromkeys((name, file) for text in texts for name, file in json.loads(text).items()))
