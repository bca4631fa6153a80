"""The adapter while it is written: its names, its imports, and what is left to do."""

import builtins
import keyword
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.adoption.code import INDENT, WIDTH, comment, quoted, wrapped

__all__ = ["Page", "Todo", "words_of"]

_MARKER = "TODO: "
"""As `harness.backend.left_open` has it, which comes with libraries that the command does without."""

_NEEDS_NO_IMPORT = frozenset(dir(builtins)) | frozenset(keyword.kwlist)


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Something that was not found: the function of the adapter that has to say it, and a sentence."""

    function: str
    sentence: str
    argument: str = ""
    """The one that the function is given, if it is given one."""


@dataclass(slots=True, kw_only=True)
class Page:
    """What is written so far. `taken` are the names that already mean something in the adapter."""

    taken: set[str] = field(default_factory=lambda: set(_NEEDS_NO_IMPORT))
    todos: list[Todo] = field(default_factory=list)
    """The functions that are left to be written."""
    open: list[Todo] = field(default_factory=list)
    """The methods that are."""
    lacking: list[Todo] = field(default_factory=list)
    """The methods that do without what was not found."""
    needs: set[str] = field(default_factory=set)
    """Which attributes of the application, and which helpers of the adapter, are used."""
    _library: dict[str, set[str]] = field(default_factory=dict)
    _project: dict[tuple[str, str], str] = field(default_factory=dict)
    _modules: set[str] = field(default_factory=set)

    def reserve(self, names: Iterable[str]) -> None:
        """Take names that the adapter uses itself."""
        self.taken.update(names)

    def from_package(self, module: str, *names: str) -> None:
        """Import names of a library."""
        self._library.setdefault(module, set()).update(names)

    def module(self, name: str) -> None:
        """Import a whole module of a library."""
        self._modules.add(name)

    def project(self, module: str, path: str) -> str:
        """An expression for something of the project, which is imported."""
        top, _, rest = path.partition(".")
        if (module, top) not in self._project:
            self._project[module, top] = self.name(top)
        alias = self._project[module, top]
        return f"{alias}.{rest}" if rest else alias

    def name(self, wanted: str) -> str:
        """A name that means nothing else in the adapter."""
        name = wanted
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def todo(self, wanted: str, sentence: str, *, argument: str = "") -> str:
        """A call of a function that raises until somebody has written it."""
        known = next((each.function for each in self.todos if each.sentence == sentence), "")
        if known:
            return f"{known}({argument})"
        name = self.name("_" + ("_".join(words_of(wanted)).lower() or "value"))
        self.todos.append(Todo(function=name, sentence=sentence, argument=argument))
        return f"{name}({argument})"

    def left_open(self, method: str, sentence: str, *, indent: str) -> list[str]:
        """The lines of a method that is left to be written."""
        self.open.append(Todo(function=method, sentence=sentence))
        return _left_open(sentence, indent=indent)

    def do_without(self, method: str, sentence: str, *, indent: str) -> list[str]:
        """The lines that say, above what a method does instead, what was not found for it."""
        self.lacking.append(Todo(function=method, sentence=sentence))
        return comment(f"Not found: {sentence}", indent=indent)

    @property
    def imported_modules(self) -> set[str]:
        """The project's modules that something is imported from."""
        return {module for module, _ in self._project}

    def package_imports(self) -> list[str]:
        """The lines that import libraries: whole modules first, then names."""
        standard, others = self._imports(standard=True), self._imports(standard=False)
        return [*standard, "", *others]

    def _imports(self, *, standard: bool) -> list[str]:
        def belongs(name: str) -> bool:
            return (name.partition(".")[0] in sys.stdlib_module_names) is standard

        lines = [f"import {name}" for name in sorted(self._modules) if belongs(name)]
        for module in filter(belongs, sorted(self._library)):
            lines += _import(module, sorted(self._library[module], key=_constants_first))
        return lines

    def project_imports(self, *, late: bool) -> list[str]:
        """The lines that import the project; `late` if something stands before them that a linter would mind."""
        by_module: dict[str, list[str]] = {}
        for (module, name), alias in sorted(self._project.items()):
            by_module.setdefault(module, []).append(name if alias == name else f"{name} as {alias}")
        return [line for module, names in by_module.items() for line in _import(module, names, late=late)]

    def todo_functions(self) -> list[str]:
        """The functions that are left to be written."""
        lines: list[str] = []
        if self.todos:
            self.from_package("typing", "Any")
        for each in self.todos:
            given = f"{each.argument}: Any" if each.argument else ""
            lines += ["", "", f"def {each.function}({given}) -> Any:"]
            lines += _left_open(each.sentence, indent=INDENT)
        return lines


def _left_open(sentence: str, *, indent: str) -> list[str]:
    """One statement, whose text is wrapped; `sessionproof check-backend` finds it by its first word."""
    inner = indent + INDENT
    lines = wrapped(f"{_MARKER}{sentence}", WIDTH - len(inner) - 4)
    if len(lines) == 1 and len(indent) + len(quoted(lines[0])) + len("raise NotImplementedError()") <= WIDTH:
        return [f"{indent}raise NotImplementedError({quoted(lines[0])})"]
    texts = [f"{inner}{quoted(line)}" for line in [*(f"{line} " for line in lines[:-1]), lines[-1]]]
    return [f"{indent}raise NotImplementedError(", *texts, f"{indent})"]


def _import(module: str, names: list[str], *, late: bool = False) -> list[str]:
    remark = "  # noqa: E402" if late else ""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line + remark]
    return [f"from {module} import ({remark}", *(f"{INDENT}{name}," for name in names), ")"]


def _constants_first(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def words_of(text: str) -> list[str]:
    """The words of a name, in ASCII."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", text)
