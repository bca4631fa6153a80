"""The functions of a module that can be begun at, and what is named in each of them.

Guarantee: functions inside of functions are part of those. What is looked for is found once for each function.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.project.kept import kept
from harness.project.module import Function, Module, below
from harness.scan.values import Place

__all__ = ["Root", "Seen", "functions", "seen_in"]

_GOES_ON = frozenset({"call_next", "receive"})


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Root:
    """A function to begin at: `owner` is the class around it, if it is a method."""

    module: Module
    node: Function
    owner: ast.ClassDef | None

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(file=str(self.module.path), line=self.node.lineno, column=self.node.col_offset + 1)


def functions(module: Module) -> Iterator[Root]:
    """The functions and methods of a module."""
    for node in ast.iter_child_nodes(module.tree):
        yield from _of_statement(module, node, None)


def _of_statement(module: Module, node: ast.AST, owner: ast.ClassDef | None) -> Iterator[Root]:
    waiting = [(node, owner)]  # and no recursion: an `elif` is an `if` inside of the one before it
    while waiting:
        each, class_ = waiting.pop()
        if isinstance(each, Function):
            yield Root(module=module, node=each, owner=class_)
        elif isinstance(each, ast.ClassDef):
            waiting += [(inner, each) for inner in reversed(each.body)]
        elif isinstance(each, ast.If | ast.Try | ast.With):
            waiting += [(inner, class_) for inner in reversed([*ast.iter_child_nodes(each)])]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Seen:
    """What a function or class has in it, also in functions inside of it: names and attributes.

    `attributes` are with the names that they are attributes of; `""` stands for what is not imported at the top.
    `sets` are the names of what has an attribute set.
    """

    names: frozenset[str]
    attributes: Mapping[str, frozenset[str]]
    keeps: bool
    sets: frozenset[str]


@kept
def seen_in(node: Function | ast.ClassDef) -> Seen:
    """What is named in a function or class."""
    names: set[str] = set()
    attributes: dict[str, set[str]] = defaultdict(set)
    keeps = False
    own: set[str] = set()
    sets: set[str] = set()
    for each in below(node):
        if isinstance(each, ast.Name):
            names.add(each.id)
            if isinstance(each.ctx, ast.Store):
                own.add(each.id)
        elif isinstance(each, ast.Attribute):
            attributes[each.attr].add(each.value.id if isinstance(each.value, ast.Name) else "")
            if isinstance(each.ctx, ast.Store):
                keeps = keeps or _is_state(each.value)
                sets.add(_first_name(each))
        elif isinstance(each, ast.Global):
            keeps = True
        elif isinstance(each, ast.arg):
            own.add(each.arg)
    keeps = keeps or bool(names & _GOES_ON)
    return Seen(
        names=frozenset(names - _parameters(node)),
        attributes={
            name: frozenset("" if each in own else each for each in owners) for name, owners in attributes.items()
        },
        keeps=keeps,
        sets=frozenset(sets),
    )


def _parameters(node: Function | ast.ClassDef) -> set[str]:
    if isinstance(node, ast.ClassDef):
        return set()
    return {each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_state(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "state"
