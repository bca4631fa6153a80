"""Which modules can have to do with sessions: the others need not be followed.

Mechanism: a module matters if its text names a library of sessions or of agents, or if it imports one that matters.
What is in no such module can be given a session, but has none of its own; then its caller matters.

Guarantee: the source of a library that the scanner knows does not matter, also if it is scanned.
"""

import ast
import re
from collections.abc import Collection, Iterable, Sequence

from harness.project.module import Imported, Module, import_bindings
from harness.project.project import Project

__all__ = ["Importers", "relevant_modules"]

_NAMES = re.compile(r"\b(?:sqlalchemy|sqlmodel|asyncpg|psycopg|psycopg_pool|pydantic_ai)\b")


def relevant_modules(project: Project) -> frozenset[Module]:
    """The modules that matter."""
    own = [module for module in project.modules if module.name.partition(".")[0] not in project.foreign]
    found = {module for module in own if _NAMES.search(module.text)}
    importers: dict[Module, list[Module]] = {}
    for module in own if found else ():
        for imported in _imported(project, module):
            importers.setdefault(imported, []).append(module)
    waiting = list(found)
    while waiting:
        for importer in importers.get(waiting.pop(), ()):
            if importer not in found:
                found.add(importer)
                waiting.append(importer)
    return frozenset(found)


class Importers:
    """Who can have got something of a module: itself, and whoever imports it or one that does, wherever it does so."""

    def __init__(self, project: Project, inside: Iterable[tuple[Module, ast.Import | ast.ImportFrom]]) -> None:
        """`inside` are the imports in functions."""
        self._direct: dict[Module, list[Module]] = {}
        self._known: dict[Module, frozenset[Module]] = {}
        for module in project.modules:
            for imported in _imported(project, module):
                self._direct.setdefault(imported, []).append(module)
        for module, node in inside:
            for _, bound in import_bindings(node, module):
                for imported in _named(project, module, {bound.target}):
                    self._direct.setdefault(imported, []).append(module)

    def of(self, module: Module) -> frozenset[Module]:
        """The modules that can have got something of this one."""
        if module not in self._known:
            found = {module}
            waiting = [module]
            while waiting:
                more = [each for each in self._direct.get(waiting.pop(), ()) if each not in found]
                found.update(more)
                waiting += more
            self._known[module] = frozenset(found)
        return self._known[module]


def _imported(project: Project, module: Module) -> Sequence[Module]:
    targets = {bound.target for bound in module.bindings.values() if isinstance(bound, Imported)} | set(module.stars)
    return _named(project, module, targets)


def _named(project: Project, module: Module, targets: Collection[str]) -> Sequence[Module]:
    names = {
        ".".join(parts[:end]) for parts in (each.split(".") for each in targets) for end in range(1, len(parts) + 1)
    }
    return [there for name in names if name and (there := project.module(name, near=module)) is not None]
