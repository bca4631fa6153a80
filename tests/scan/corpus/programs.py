"""The programs of this folder as data: their files, what their docstrings say, and the marks on their lines."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

__all__ = ["Found", "Kind", "Label", "Mark", "Program", "programs", "wrong_about"]

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


class Found(NamedTuple):
    """What a scan says: a kind, by its name, and where."""

    path: Path
    line: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark on a line of a file; `lines` are those at which the finding that it asks for may stand."""

    path: Path
    line: int
    kind: Kind
    exact: bool
    lines: frozenset[int]

    def meets(self, path: Path, line: int, kind: str) -> bool:
        """Whether a finding of that kind at that place is one that is meant."""
        return kind == self.kind and path.resolve() == self.path.resolve() and line in self.lines


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
    def is_package(self) -> bool:
        """Whether its modules import each other by relative names."""
        return any(
            isinstance(node, ast.ImportFrom) and node.level > 0 for path in self.files for node in ast.walk(_tree(path))
        )

    def module(self, path: Path) -> str:
        """The name by which one of its modules is imported, from its folder, or from that around a package."""
        return f"{self.name}.{path.stem}" if self.is_package else path.stem

    @property
    def reasons(self) -> tuple[str, ...]:
        """The docstrings of its modules that say what it is."""
        docstrings = (ast.get_docstring(_tree(path)) or "" for path in self.files)
        return tuple(text for text in docstrings if text.startswith(f"{self.label.capitalize()}: "))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks on its lines. Raises `ValueError` for a kind that is unknown."""
        return tuple(mark for path in self.files for mark in _marks(path))

    @property
    def main(self) -> Path | None:
        """The module with the function that runs it, if it can be run."""
        for path in self.files:
            if any(isinstance(node, ast.AsyncFunctionDef) and node.name == "main" for node in _tree(path).body):
                return path
        return None


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _marks(path: Path) -> Iterator[Mark]:
    statements = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.stmt)]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if (found := MARK.search(line)) is not None:
            exact = found[1] == "expect"
            lines = _statement(statements, number) | (frozenset() if exact else _scope(statements, number))
            yield Mark(path=path, line=number, kind=Kind(found[2]), exact=exact, lines=lines)


def _statement(statements: list[ast.stmt], line: int) -> frozenset[int]:
    """The lines of the smallest statement, or header of one, that has this line."""
    return min((own for each in statements if line in (own := _own_lines(each))), key=len)


def _scope(statements: list[ast.stmt], line: int) -> frozenset[int]:
    """The lines of the header of the innermost function or class around this line."""
    around = [
        each
        for each in statements
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and each.lineno <= line <= (each.end_lineno or each.lineno)
    ]
    return _own_lines(max(around, key=lambda each: each.lineno)) if around else frozenset()


def _own_lines(statement: ast.stmt) -> frozenset[int]:
    """The lines of a statement without those of its body: for a function also its decorators."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    body: list[ast.stmt] = getattr(statement, "body", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return frozenset(range(first, max(first, last) + 1))


def programs(label: Label, *, below: Path = FOLDER) -> tuple[Program, ...]:
    """All programs with this label, by name."""
    folders = sorted(path for path in (below / label).iterdir() if any(path.glob("*.py")))
    return tuple(Program(name=path.name, label=label, folder=path) for path in folders)


def wrong_about(program: Program, findings: Sequence[Found]) -> tuple[str, ...]:
    """What a scan with these findings got wrong about a program, a sentence each; nothing if it was right."""
    if program.label is Label.RIGHT:
        return tuple(f"{each.path.name}:{each.line}: {each.kind} is found in a right program" for each in findings)
    unmet = [mark for mark in program.marks if not any(mark.meets(*found) for found in findings)]
    met = set(program.marks) - set(unmet)
    missed = {mark.kind for mark in program.marks if not mark.exact} - {mark.kind for mark in met if not mark.exact}
    return (
        *(f"{mark.path.name}:{mark.line}: {mark.kind} is not found here" for mark in unmet if mark.exact),
        *(f"{kind} is not found at any of the places that have its mark" for kind in sorted(missed)),
    )
