"""The programs of this folder as data: their files, what their docstrings say, and the marks on their lines."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Kind", "Label", "Mark", "Program", "programs"]

FOLDER = Path(__file__).parent
MARK = re.compile(r"# (expect|expect-any): (\w+)$")


class Kind(StrEnum):
    """What is wrong with a program; the folder's README has the definitions."""

    SHARED_BY_TOOLS = "shared_by_tools"
    SHARED_BY_TASKS = "shared_by_tasks"
    TRACKER_WITH_SESSION = "tracker_with_session"
    HELD_ACROSS_RUN = "held_across_run"


class Label(StrEnum):
    """What a scan must say of a program."""

    BROKEN = "broken"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line at which a finding may stand; at which it must stand, if it is `exact`."""

    path: Path
    line: int
    kind: Kind
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program."""

    name: str
    label: Label
    folder: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """Its modules, by name."""
        return tuple(sorted(self.folder.glob("*.py")))

    @property
    def reasons(self) -> tuple[str, ...]:
        """The docstrings of its modules that say what it is."""
        docstrings = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in self.files)
        return tuple(text for text in docstrings if text.startswith(f"{self.label.capitalize()}: "))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks on its lines. Raises `ValueError` for a kind that is unknown."""
        return tuple(mark for path in self.files for mark in _marks(path))

    @property
    def main(self) -> Path | None:
        """The module with the function that runs it, if it can be run."""
        for path in self.files:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if any(isinstance(node, ast.AsyncFunctionDef) and node.name == "main" for node in tree.body):
                return path
        return None


def _marks(path: Path) -> Iterator[Mark]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if (found := MARK.search(line)) is not None:
            yield Mark(path=path, line=number, kind=Kind(found[2]), exact=found[1] == "expect")


def programs(label: Label, *, below: Path = FOLDER) -> tuple[Program, ...]:
    """All programs with this label, by name."""
    folders = sorted(path for path in (below / label).iterdir() if any(path.glob("*.py")))
    return tuple(Program(name=path.name, label=label, folder=path) for path in folders)
