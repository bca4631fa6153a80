"""Where following begins.

Problem: a function that starts tasks is called by others, which know more of its arguments.

Mechanism: begun is at each function in which something is started or an agent run, and at those that call them, some
levels up, the callers first.

Guarantee: a caller that is found has a name of what it calls, and can have got it by its imports.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.project.module import Function, Imported, Module
from harness.project.project import Project
from harness.scan.agents import RUNS
from harness.scan.functions import Root, functions, seen_in
from harness.scan.relevance import Relevance

__all__ = ["roots"]

_LEVELS = 3
_STARTS = frozenset(
    {"gather", "create_task", "ensure_future", "start_soon", "add_task", "submit", "run_in_executor", "as_completed"}
    | {"BackgroundTask", "Thread", "ThreadPoolExecutor", "run_coroutine_threadsafe"}
)
_KEEPS = re.compile(r"\.state\b|\bglobal\b|\bcall_next\b|\breceive\b")


def roots(project: Project, relevance: Relevance) -> Iterator[Root]:
    """The functions in which something is started, and those that call them by name; the outermost callers first.

    A module that has nothing to do with sessions has no beginning, but what it starts may be given one by its callers.
    """
    own = [module for module in project.modules if module.name.partition(".")[0] not in project.foreign]
    known = {module: [*functions(module)] for module in own} if relevance.modules else {}
    agents = frozenset().union(*map(relevance.importers, relevance.agents))
    level = [*_starting(known, agents)]
    if not level and not agents:
        return
    level += _keeping({module: known[module] for module in own if module in relevance.modules}, relevance)
    libraries = _Libraries(project)
    levels, chosen = [level], {id(root.node) for root in level}
    for _ in range(_LEVELS):
        reached = frozenset().union(*(relevance.importers(root.module) for root in levels[-1]))
        others = [root for module in own if module in reached for root in known[module] if id(root.node) not in chosen]
        levels.append([*_callers(levels[-1], others, relevance, libraries)])
        chosen |= {id(root.node) for root in levels[-1]}
    found = dict.fromkeys(root for level in reversed(levels) for root in level)
    yield from (root for root in found if root.module in relevance.modules)


def _callers(
    called: Sequence[Root], candidates: Sequence[Root], relevance: Relevance, libraries: "_Libraries"
) -> Iterator[Root]:
    """Those that name one that is called, and can have got it.

    A function is named by its name, a method by an attribute's that is not a library's, and one that Python calls by
    itself, such as `__call__`, by the name of its class, which may stand elsewhere in the class of the caller.
    """
    names: dict[str, set[Module]] = defaultdict(set)
    attributes: dict[str, set[Module]] = defaultdict(set)
    classes: dict[str, set[Module]] = defaultdict(set)
    for root in called:
        name = root.node.name
        if root.owner is None:
            names[name] |= relevance.importers(root.module)
        elif _is_special(name):
            classes[root.owner.name] |= relevance.importers(root.module)
        attributes[name] |= relevance.importers(root.module)
    for root in candidates:
        seen = seen_in(root.node)
        around = seen_in(root.owner).names if root.owner is not None and classes else seen.names
        if (
            any(root.module in names[name] for name in seen.names & names.keys())
            or any(root.module in classes[name] for name in (seen.names | around) & classes.keys())
            or any(
                root.module in attributes[name] and not seen.attributes[name] <= libraries.named_in(root.module)
                for name in seen.attributes.keys() & attributes.keys()
            )
        ):
            yield root


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class _Libraries:
    """By which names modules have what is not the project's: `run` of `asyncio` is no method of the project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[Module, frozenset[str]] = {}

    def named_in(self, module: Module) -> frozenset[str]:
        """The names that a module binds to something of a library."""
        if module not in self._known:
            self._known[module] = frozenset(
                name
                for name, bound in module.bindings.items()
                if isinstance(bound, Imported) and self._is_foreign(bound.target, module)
            )
        return self._known[module]

    def _is_foreign(self, target: str, near: Module) -> bool:
        parts = target.split(".")
        return all(self._project.module(".".join(parts[:end]), near=near) is None for end in range(1, len(parts) + 1))


def _starting(known: Mapping[Module, Sequence[Root]], agents: frozenset[Module]) -> Iterator[Root]:
    """Those that start something, or run what may be an agent; most modules need not be looked into."""
    for module, inside in known.items():
        names = _STARTS | RUNS if module in agents else _STARTS
        if any(name in module.text for name in names):
            yield from (root for root in inside if names & _called(root.node))


def _keeping(known: Mapping[Module, Sequence[Root]], relevance: Relevance) -> Iterator[Root]:
    """Those that set what others read: names of modules, attributes of what is there, a state, a request's context."""
    for module, inside in known.items():
        sets = relevance.sets(module)
        if sets or _KEEPS.search(module.text):
            yield from (
                root for root in inside if seen_in(root.node).keeps or not seen_in(root.node).sets.isdisjoint(sets)
            )


def _called(node: Function) -> frozenset[str]:
    """The last parts of the names of what a function calls or hands on."""
    seen = seen_in(node)
    return seen.names | seen.attributes.keys()
