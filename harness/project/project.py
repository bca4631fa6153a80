"""A project as its source shows it, without running any of it.

Problem: whether `Session` in some file is SQLAlchemy's cannot be told from the file alone: it may be imported under
another name, through a module of the project, or by a star.

Mechanism: `Project.load` reads all files. `resolve` follows a name through imports, assignments of one name to another
and re-exports, from module to module, until it is a definition of the project or leaves it.

Guarantee: what cannot be read is in `problems`, and the rest is loaded. A dotted name is where the thing is defined if
that is in the project, else how the last module of the project called it. Circles of imports end.
"""

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from harness.project.classes import Class, Field
from harness.project.files import find_files
from harness.project.module import Assigned, Binding, Function, Imported, Module, bindings_of
from harness.project.naming import names_of
from harness.project.problem import Problem
from harness.project.source import read_source

__all__ = ["Definition", "Project"]

_LONGEST_WAY = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a dotted name of the project is bound to, and where."""

    name: str
    module: Module
    binding: Binding


@dataclass(frozen=True, eq=False, kw_only=True)
class Project:
    """The modules by all of their names; `foreign` are uppermost names that are never the project's own."""

    modules: Sequence[Module]
    problems: Sequence[Problem]
    by_name: Mapping[str, Sequence[Module]] = field(repr=False)
    foreign: frozenset[str] = frozenset()
    _classes: dict[str, Class | None] = field(default_factory=dict, repr=False)
    _resolved: dict[tuple[Module, str], str | None] = field(default_factory=dict, repr=False)
    _near: dict[tuple[str, Module | None], Module | None] = field(default_factory=dict, repr=False)
    _ancestors: dict[Class, Sequence[Class | str]] = field(default_factory=dict, repr=False)
    _fields: dict[Class, Mapping[str, Field]] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, paths: Iterable[Path], *, foreign: Iterable[str] = ()) -> "Project":
        """Read the files at and below the paths.

        Names that begin with one of `foreign` are taken for those of a library, also if its source is in the tree.
        """
        files, problems = find_files(paths)
        modules: list[Module] = []
        by_name: dict[str, list[Module]] = {}
        packages = _Packages()
        for path in files:
            source = read_source(path)
            if isinstance(source, Problem):
                problems.append(source)
                continue
            names = names_of(path, packages.is_package)
            module = Module(
                name=names[0], path=path, text=source.text, tree=source.tree, package=path.name == "__init__.py"
            )
            modules.append(module)
            for name in names:
                by_name.setdefault(name, []).append(module)
        return cls(modules=modules, problems=problems, by_name=by_name, foreign=frozenset(foreign))

    def release(self) -> None:
        """Let go of the trees, whoever has something of the project yet; nothing can be looked up after that."""
        for module in self.modules:
            module.tree.body.clear()

    @property
    def lines(self) -> int:
        """How many lines the modules have together."""
        return sum(module.text.count("\n") + 1 for module in self.modules)

    def module(self, name: str, *, near: Module | None = None) -> Module | None:
        """The module of this name; of several the one that is closest to the file of `near`."""
        key = name, near
        if key not in self._near:
            self._near[key] = self._nearest(name, near)
        return self._near[key]

    def _nearest(self, name: str, near: Module | None) -> Module | None:
        top = name.partition(".")[0]
        if top in self.foreign:
            return None
        found = self.by_name.get(name, ())
        if near is None or len(found) == 1:
            return _unless_standard(found[0], top, near) if found else None
        best = max(
            found, key=lambda each: len(os.path.commonpath([each.path.absolute(), near.path.absolute()])), default=None
        )
        return best and _unless_standard(best, top, near)

    def hides(self, name: str, *, near: Module | None = None) -> bool:
        """Whether a package binds its module's name to something else: `from .desk import desk` in an `__init__`."""
        above, _, last = name.rpartition(".")
        package = self.module(above, near=near) if above else None
        if package is None or not package.package:
            return False
        match package.bindings.get(last):
            case None | Assigned(value=None):
                return False
            case Imported(target=target):
                return self.module(target, near=package) is not self.module(name, near=near)
            case _:
                return True

    def resolve(self, module: Module, expression: ast.expr | str, *, within: Sequence[Function] = ()) -> str | None:
        """The dotted name of what the expression names in the module; `None` if it names nothing.

        `within` are the functions around the expression, the outermost first: what they import is seen, too.
        """
        if isinstance(expression, str) and not within and (module, expression) in self._resolved:
            return self._resolved[module, expression]
        node = _parsed(expression)
        if isinstance(node, ast.Subscript):
            return self.resolve(module, node.value, within=within)
        parts = _dotted(node)
        if parts is None:
            return None
        if within:
            return self._follow(module, parts, self._seen_from(module, within, parts[0]), 0)
        key = module, ".".join(parts)
        if key not in self._resolved:
            self._resolved[key] = self._follow(module, parts, module.bindings, 0)
        return self._resolved[key]

    def definition(self, name: str, *, near: Module | None = None) -> Definition | None:
        """What a dotted name as `resolve` gives it is bound to, if that is in the project."""
        parts = name.split(".")
        for end in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:end]), near=near)
            if module is not None and end == len(parts) - 1 and (bound := module.bindings.get(parts[-1])):
                return Definition(name=name, module=module, binding=bound)
        return None

    def class_(self, name: str, *, near: Module | None = None) -> Class | None:
        """The project's class of this dotted name."""
        if name not in self._classes:
            found = self.definition(name, near=near)
            is_class = found is not None and isinstance(found.binding, ast.ClassDef)
            self._classes[name] = self.class_of(found.module, found.binding) if is_class else None  # type: ignore[union-attr, arg-type]  # it is one
        return self._classes[name]

    def class_of(self, module: Module, node: ast.ClassDef, *, within: Sequence[Function] = ()) -> Class:
        """A class by its node, which need not be at the top of the module."""
        bases = [self.resolve(module, base, within=within) for base in node.bases]
        return Class(
            name=f"{module.name}.{node.name}", module=module, node=node, bases=[each for each in bases if each]
        )

    @cached_property
    def classes(self) -> Sequence[Class]:
        """All classes at the top of modules."""
        names = [
            f"{module.name}.{name}"
            for module in self.modules
            for name, bound in module.bindings.items()
            if isinstance(bound, ast.ClassDef)
        ]
        return [found for name in names if (found := self.class_(name)) is not None]

    def ancestors(self, class_: Class) -> Sequence[Class | str]:
        """The class, and its bases near to far: classes of the project, and dotted names of others."""
        if class_ not in self._ancestors:
            self._ancestors[class_] = tuple(self._upwards(class_))
        return self._ancestors[class_]

    def _upwards(self, class_: Class) -> Iterator[Class | str]:
        waiting: list[Class | str] = [class_]
        seen: set[str] = set()
        while waiting:
            each = waiting.pop(0)
            name = each if isinstance(each, str) else each.name
            if name in seen:
                continue
            seen.add(name)
            yield each
            if isinstance(each, Class):
                waiting += [self.class_(base, near=each.module) or base for base in each.bases]

    def fields(self, class_: Class) -> Mapping[str, Field]:
        """The fields of the class and its bases, as a dataclass orders them: those of the bases first."""
        if class_ not in self._fields:
            own = [each for each in self.ancestors(class_) if isinstance(each, Class)]
            self._fields[class_] = {name: found for each in reversed(own) for name, found in each.fields.items()}
        return self._fields[class_]

    def owner(self, class_: Class, name: str) -> Class:
        """The class in which a field stands: the class itself, or the nearest of its bases that has it."""
        own = (each for each in self.ancestors(class_) if isinstance(each, Class) and name in each.fields)
        return next(own, class_)

    def _seen_from(self, module: Module, within: Sequence[Function], name: str) -> Mapping[str, Binding]:
        for function in reversed(within):
            local = bindings_of(function.body, module)
            if name in local:
                return local
        return module.bindings

    def _follow(self, module: Module, parts: Sequence[str], bindings: Mapping[str, Binding], depth: int) -> str | None:
        bound = bindings.get(parts[0])
        rest = parts[1:]
        if depth > _LONGEST_WAY:
            return None
        match bound:
            case Imported(target=target):
                return self._elsewhere(target.split("."), rest, module, depth)
            case Assigned(value=ast.Name() | ast.Attribute() as value) if (alias := _dotted(value)) and alias != parts[
                :1
            ]:
                return self._follow(module, [*alias, *rest], module.bindings, depth + 1)
            case None:
                return self._by_star(module, parts, depth)
            case _:
                return ".".join([module.name, *parts])

    def _by_star(self, module: Module, parts: Sequence[str], depth: int) -> str | None:
        for star in module.stars:
            there = self.module(star, near=module)
            if there is not None and there is not module:
                found = self._follow(there, parts, there.bindings, depth + 1)
                if found is not None:
                    return found
            elif there is None and star.partition(".")[0] in self.foreign:
                return ".".join([star, *parts])
        return None

    def _elsewhere(self, target: Sequence[str], rest: Sequence[str], near: Module, depth: int) -> str:
        """What is imported from elsewhere; all but the last part of `target` are modules, whatever packages bind."""
        parts = [*target, *rest]
        for end in range(len(parts), 0, -1):
            name = ".".join(parts[:end])
            there = self.module(name, near=near)
            if there is None or (end >= len(target) and self.hides(name, near=near)):
                continue
            if end == len(parts):
                return there.name
            found = self._follow(there, parts[end:], there.bindings, depth + 1)
            return found if found is not None else ".".join([there.name, *parts[end:]])
        return ".".join(parts)


class _Packages:
    """Which folders are packages; asked of the file system once."""

    def __init__(self) -> None:
        self._known: dict[Path, bool] = {}

    def is_package(self, folder: Path) -> bool:
        if folder not in self._known:
            self._known[folder] = (folder / "__init__.py").is_file()
        return self._known[folder]


def _unless_standard(found: Module, top: str, near: Module | None) -> Module | None:
    """A file with the name of a standard module hides it only for its neighbours."""
    if near is None or top not in sys.stdlib_module_names:
        return found
    return found if found.path.parent == near.path.parent else None


def _parsed(expression: ast.expr | str) -> ast.expr | None:
    return _parsed_text(expression) if isinstance(expression, str) else expression


@lru_cache(maxsize=4096)
def _parsed_text(text: str) -> ast.expr | None:
    if text.isidentifier():
        return ast.Name(id=text, ctx=ast.Load())
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _dotted(node: ast.expr | None) -> list[str] | None:
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=value, attr=attribute):
            parts = _dotted(value)
            return None if parts is None else [*parts, attribute]
        case ast.Constant(value=str() as text):
            return _dotted(_parsed(text))
        case _:
            return None
