"""The modes of `--sessions` are the same wherever they are named."""

import re
from pathlib import Path
from typing import Any

import pytest

from harness import pytest_plugin
from harness.pytest_sessions import start
from harness.sanitizer import WatchMode

DOCS = Path(__file__).parents[2] / "docs"
MODES = ["off", *WatchMode]


class Options(dict[str, dict[str, Any]]):
    """What a plugin adds to pytest's options, by their names."""

    def getgroup(self, *_: object) -> "Options":
        return self

    def addoption(self, name: str, **attributes: Any) -> None:
        self[name] = attributes

    def addini(self, *_: object, **__: object) -> None:
        """Not of interest here."""


def test_help_message_and_document_name_the_same_modes(pytestconfig: pytest.Config) -> None:
    """And these are the modes that it takes."""
    pytest_plugin.pytest_addoption(options := Options())  # type: ignore[arg-type]  # all that is called of a parser
    with pytest.raises(pytest.UsageError) as raised:
        start(pytestconfig, "nonsense")
    document = (DOCS / "start-in-your-tests.md").read_text(encoding="utf-8")

    assert options["--sessions"]["metavar"].split("|") == MODES
    assert str(raised.value).partition("the modes are ")[2].split(", ") == MODES
    assert set(re.findall(r"--sessions=(\w+)", document)) == set(MODES)
