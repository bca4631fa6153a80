"""Which modules can have to do with sessions, and who can have got something of whom: the others are not followed.

Mechanism: a module matters if it imports a library of sessions or of agents, keeps something where others find it
without an import (a context variable, a global, a state), or can have got something of one that matters. It gets what
an import names: `from a.b import c` gives it nothing of `a`, `import a.b` does. If one that matters sets an attribute
of what it imports, that has something, too. What else is in a module that does not matter can be given a session, but
has none of its own; then its caller matters.

Guarantee: imports count wherever they stand. The source of a library that the scanner knows does not matter, also if it
is scanned, and where no module of the project names one, nothing does.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from harness.project.module import Function, Module, import_bindings
from harness.project.project import Project
from harness.scan.functions import seen_in

__all__ = ["Relevance"]

_AGENTS = frozenset({"pydantic_ai"})
_LIBRARIES = _AGENTS | {"sqlalchemy", "sqlmodel", "asyncpg", "psycopg", "psycopg_pool"}
_NAMES = re.compile(rf"\b(?:{'|'.join(sorted(_LIBRARIES))})\b")
_BY_NAME = re.compile(r"\bimport_module\(|\b__import__\(")
_IMPORTING = ("import_module", "__import__")
_KEEPING = (".state", "global", "ContextVar")
"""Without any of these in its text, which are found much faster, a module does neither."""
_KEEPS = re.compile(r"\.state\b|(?:^|[:;])[ \t]*global[ \t]+\w|\bContextVar\b", re.MULTILINE)
_SETS = re.compile(r"(?:^|[;=])[ \t]*(\w+)(?:\.\w+)+[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)

_Import = ast.Import | ast.ImportFrom


@dataclass(eq=False, slots=True)
class Relevance:
    """The modules of a project that matter, those that import agents among them, and who imports whom."""

    project: Project
    modules: frozenset[Module] = frozenset()
    agents: frozenset[Module] = frozenset()
    _importers: dict[Module, list[Module]] = field(default_factory=dict)
    _known: dict[Module, frozenset[Module]] = field(default_factory=dict)
    _bound: dict[Module, set[str]] = field(default_factory=dict)
    _sets: dict[Module, dict[str, Module]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the imports, if any module names a library that matters."""
        own = [each for each in self.project.modules if each.name.partition(".")[0] not in self.project.foreign]
        if not any(_has(module, _NAMES, _LIBRARIES) for module in own):
            return
        libraries = {module: self._read(module) for module in own}
        self.agents = frozenset(module for module in own if libraries[module] & _AGENTS)
        first = [module for module in own if libraries[module] or _has(module, _KEEPS, _KEEPING)]
        self.modules = self._reached(first)

    def importers(self, module: Module) -> frozenset[Module]:
        """The modules that can have got something of this one: itself, and who imports it or one that does."""
        if module not in self._known:
            found = {module}
            waiting = [module]
            while waiting:
                more = [each for each in self._importers.get(waiting.pop(), ()) if each not in found]
                found.update(more)
                waiting += more
            self._known[module] = frozenset(found)
        return self._known[module]

    def sets(self, module: Module) -> Collection[str]:
        """Its names of what it has of other modules, and sets attributes of."""
        return self._sets.get(module, {}).keys()

    def is_source(self, node: Function, module: Module) -> bool:
        """Whether a function of the module names something of a library of sessions or of agents."""
        if any(star.partition(".")[0] in _LIBRARIES for star in module.stars):
            return True
        return not self._bound.get(module, frozenset()).isdisjoint(seen_in(node).names)

    def _reached(self, first: Iterable[Module]) -> frozenset[Module]:
        """These, those that can have got something of them, and those in which one of them has put something."""
        found: set[Module] = set()
        waiting = [*first]
        while waiting:
            more = self.importers(waiting.pop()) - found
            found |= more
            for module in more:
                self._sets[module] = dict(self._filled(module))
                waiting += self._sets[module].values()
        return frozenset(found)

    def _filled(self, module: Module) -> Iterator[tuple[str, Module]]:
        """The names of what it imports and sets an attribute of, and where that is."""
        sets = set(_SETS.findall(module.text))
        for node in module.imports if sets else ():
            for name, bound in import_bindings(node, module):
                if name in sets and (other := self._home(bound.target, module)) is not None:
                    yield name, other

    def _read(self, module: Module) -> frozenset[str]:
        """Note of whom it imports something; which of the libraries that matter it does."""
        libraries: set[str] = set()
        for node in module.imports:
            libraries |= _LIBRARIES & {name.partition(".")[0] for name in _named(node, module)}
            for name, bound in import_bindings(node, module):
                if bound.target.partition(".")[0] in _LIBRARIES:
                    self._bound.setdefault(module, set()).add(name)
            for other in self._got(node, module):
                self._importers.setdefault(other, []).append(module)
        if _has(module, _BY_NAME, _IMPORTING):
            libraries.update(_NAMES.findall(module.text))
        return frozenset(libraries)

    def _got(self, node: _Import, module: Module) -> Iterator[Module]:
        """The project's modules of which it gets something by an import."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from self._there([alias.name] if alias.asname else _upwards(alias.name), module)
            return
        origin = module.absolute(node)
        for name in _named(node, module):
            inner = self.project.module(name, near=module)
            if inner is not None:
                yield inner
            if inner is None or self.project.hides(name, near=module):
                yield from self._there([origin], module)

    def _home(self, target: str, near: Module) -> Module | None:
        """The module of the project in which something is."""
        found = [self.project.module(name, near=near) for name in reversed(_upwards(target))]
        return next((each for each in found if each is not None), None)

    def _there(self, names: Iterable[str], module: Module) -> Iterator[Module]:
        for name in names:
            found = self.project.module(name, near=module) if name else None
            if found is not None:
                yield found


def _has(module: Module, pattern: re.Pattern[str], texts: Iterable[str]) -> bool:
    """Whether the pattern is in a module's text; it is nowhere where none of the texts is."""
    return any(text in module.text for text in texts) and bool(pattern.search(module.text))


def _named(node: _Import, module: Module) -> list[str]:
    """The dotted names that an import names; a star is the module itself."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    origin = module.absolute(node)
    return [f"{origin}.{alias.name}".strip(".") if alias.name != "*" else origin for alias in node.names]


def _upwards(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
