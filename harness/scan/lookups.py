"""What the source says by itself, looked up once: nothing of it depends on what has been followed.

Problem: the same class, annotation or function is met thousands of times, and asking the project takes longer than
what is done with the answer.

Guarantee: an answer that depends on what names are bound to at the moment is not kept: names of modules are bound while
these are followed, and bound again by functions.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.project.classes import Class, Field
from harness.project.kept import kept
from harness.project.module import Function, Module, below, children
from harness.project.project import Project
from harness.scan.known import kind_of
from harness.scan.values import Kind, Place

__all__ = ["Lookups", "Shaped", "expressions_in", "is_generator", "marks_of", "stored_on_self"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """A field of a class, and where it stands."""

    field: Field
    place: Place


class Lookups:
    """What is asked of a project again and again."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._methods: dict[tuple[Class, str], Class | None] = {}
        self._kinds: dict[Class, Kind | None] = {}
        self._shapes: dict[Class, Mapping[str, Shaped]] = {}

    def having_method(self, class_: Class, name: str) -> Class | None:
        """The class itself, or the nearest of its bases, that has the method."""
        key = class_, name
        if key not in self._methods:
            ancestors = (each for each in self._project.ancestors(class_) if isinstance(each, Class))
            self._methods[key] = next((each for each in ancestors if name in each.methods), None)
        return self._methods[key]

    def kind_of_class(self, class_: Class) -> Kind | None:
        """What a class is by the libraries' classes among its bases."""
        if class_ not in self._kinds:
            kinds = (kind_of(base) for base in self._project.ancestors(class_) if isinstance(base, str))
            self._kinds[class_] = next((each for each in kinds if each not in {None, Kind.RUN_CONTEXT}), None)
        return self._kinds[class_]

    def shape(self, class_: Class) -> Mapping[str, Shaped]:
        """The fields of a class and of its bases, in the order in which a dataclass takes them."""
        if class_ not in self._shapes:
            self._shapes[class_] = {
                name: Shaped(field=each, place=self._place(class_, name, each))
                for name, each in self._project.fields(class_).items()
            }
        return self._shapes[class_]

    def _place(self, class_: Class, name: str, field: Field) -> Place:
        return Place(file=str(self._project.owner(class_, name).module.path), line=field.line)


@kept
def expressions_in(node: ast.expr) -> Sequence[ast.expr]:
    """The expressions directly in one."""
    return tuple(each for each in children(node) if isinstance(each, ast.expr))


@kept
def marks_of(node: Function) -> frozenset[str]:
    """The last parts of the names of the decorators."""
    heads = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    names = {each.id for each in heads if isinstance(each, ast.Name)}
    return frozenset(names | {each.attr for each in heads if isinstance(each, ast.Attribute)})


@kept
def stored_on_self(method: Function) -> frozenset[str]:
    """The attributes of `self` that a method sets."""
    return frozenset(
        node.attr
        for node in below(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


@kept
def is_generator(node: Function, module: Module) -> bool:
    """Whether a function of the module gives items one by one."""
    if "yield" not in module.text:
        return False
    waiting: list[ast.AST] = [*node.body]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += children(each)
    return False
