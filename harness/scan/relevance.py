"""Which modules can have to do with sessions: the others need not be followed.

Mechanism: a module matters if its text names a library of sessions or of agents, or if it imports one that matters.
What is in no such module can be given a session, but has none of its own; then its caller matters.

Guarantee: the source of a library that the scanner knows does not matter, also if it is scanned.
"""

import re
from collections.abc import Sequence

from harness.project.module import Imported, Module
from harness.project.project import Project

__all__ = ["relevant_modules"]

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


def _imported(project: Project, module: Module) -> Sequence[Module]:
    targets = {bound.target for bound in module.bindings.values() if isinstance(bound, Imported)} | set(module.stars)
    names = targets | {target.rpartition(".")[0] for target in targets}
    return [there for name in names if name and (there := project.module(name, near=module)) is not None]
