"""A class as its source shows it: bases, fields, methods."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.project.module import Function, Module

__all__ = ["Class", "Field"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A name in a class's body with its annotation, its default, or both."""

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    line: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Class:
    """A class of the project; `bases` are dotted names, as far as they can be resolved."""

    name: str
    module: Module
    node: ast.ClassDef = field(repr=False)
    bases: Sequence[str]

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The class's own fields in their order."""
        found: dict[str, Field] = {}
        for node in self.node.body:
            for each in _fields(node):
                found[each.name] = each
        return found

    @cached_property
    def methods(self) -> Mapping[str, Function]:
        """The class's own functions; of several with one name the last, but not the setter of a property."""
        found: dict[str, Function] = {}
        for node in self.node.body:
            if isinstance(node, Function) and not any(_is_setter(each) for each in node.decorator_list):
                found[node.name] = node
        return found

    def contains(self, path: str, line: int) -> bool:
        """Whether a line of a file is inside of the class."""
        return str(self.module.path) == path and self.node.lineno <= line <= (self.node.end_lineno or line)


def _fields(node: ast.stmt) -> list[Field]:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            return [Field(name=name, annotation=annotation, default=value, line=node.lineno)]
        case ast.Assign(targets=targets, value=value):
            names = [each.id for each in targets if isinstance(each, ast.Name)]
            return [Field(name=name, annotation=None, default=value, line=node.lineno) for name in names]
        case _:
            return []


def _is_setter(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Attribute) and decorator.attr in {"setter", "deleter"}
