"""What is used as a database's address, whatever it is called: given to an engine, or put into a URL.

A whole address is what `create_async_engine` is given; a host and a port are what stands behind the `@` of an f-string
that begins with a database's scheme, or what `URL.create(host=…)` is given. Attributes are known by their names alone,
without what they are of.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.adoption.addresses import Part, is_address
from harness.adoption.tree import Tree, keyword
from harness.project.module import Module

__all__ = ["Uses", "uses_of"]

_ENGINES = (
    "sqlalchemy.create_engine",
    "sqlalchemy.engine.create_engine",
    "sqlalchemy.engine.make_url",
    "sqlalchemy.ext.asyncio.create_async_engine",
    "sqlalchemy.make_url",
    "sqlmodel.create_engine",
)
_PARTS = (("host", Part.HOST), ("port", Part.PORT))
_LONGEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """By the names of attributes (`settings.store`), and by the expressions themselves, what of an address each is."""

    attributes: Mapping[str, Part] = field(default_factory=dict)
    expressions: Mapping[ast.AST, Part] = field(default_factory=dict)


def uses_of(tree: Tree) -> Uses:
    """Everything in the project that is used so."""
    attributes: dict[str, Part] = {}
    expressions: dict[ast.AST, Part] = {}
    for module, expression, part in _used(tree):
        for node in _sources(tree, module, expression, 0):
            expressions.setdefault(node, part)
            if isinstance(node, ast.Attribute):
                attributes.setdefault(node.attr, part)
    return Uses(attributes=attributes, expressions=expressions)


def _used(tree: Tree) -> Iterator[tuple[Module, ast.expr, Part]]:
    for module, call, _ in tree.calls_of(_ENGINES):
        given = call.args[0] if call.args else keyword(call, "url")
        if given is not None:
            yield module, given, Part.URL
    for module in tree.modules:
        for node in ast.walk(module.tree):
            for expression, part in _parts(node):
                yield module, expression, part


def _parts(node: ast.AST) -> Iterator[tuple[ast.expr, Part]]:
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str() as first), *_]) if is_address(first):
            yield from _behind(node)
        case ast.Call(func=ast.Attribute(attr="create" | "build")):
            given = [(keyword(node, name), part) for name, part in _PARTS]
            yield from ((value, part) for value, part in given if value is not None)


def _behind(node: ast.JoinedStr) -> Iterator[tuple[ast.expr, Part]]:
    """The host and the port in an address: behind the `@`, or if there is none, behind the scheme."""
    marks = "@" if any(isinstance(each, ast.Constant) and "@" in str(each.value) for each in node.values) else "//"
    is_host = False
    before = ""
    for each in node.values:
        if isinstance(each, ast.Constant):
            before = str(each.value)
        elif isinstance(each, ast.FormattedValue) and before.endswith(marks):
            is_host = True
            yield each.value, Part.HOST
        elif isinstance(each, ast.FormattedValue):
            if is_host and before == ":":
                yield each.value, Part.PORT
            is_host = False


def _sources(tree: Tree, module: Module, node: ast.expr, depth: int) -> Iterator[ast.expr]:
    """The expressions that a value comes from unchanged or as another type: `str(settings.store)`."""
    yield node
    if depth > _LONGEST:
        return
    match node:
        case ast.Call(func=ast.Attribute(value=on)):
            yield from _sources(tree, module, on, depth + 1)
        case ast.Call(args=[given, *_]):
            yield from _sources(tree, module, given, depth + 1)
        case ast.BoolOp(values=values):
            for each in values:
                yield from _sources(tree, module, each, depth + 1)
        case ast.Name():
            there = tree.value(tree.resolve(module, node), module)
            if there is not None:
                yield from _sources(tree, there[0], there[1], depth + 1)
