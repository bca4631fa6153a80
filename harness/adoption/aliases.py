"""What JSON calls the fields of a pydantic class: by an alias of the field's own, or by the class's generator.

A name that is read (in a request, by a constructor) and one that is written (in an answer) may differ. A generator is
a function, which is not run: it is known by its name, as `to_camel` is, also one of the project's own. What is made in
another way keeps the field's name.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence

from pydantic.alias_generators import to_camel, to_pascal, to_snake

from harness.adoption.model_config import option_of
from harness.adoption.tree import Tree, keyword, literal_text
from harness.project.classes import Class, Field

__all__ = ["read_as", "written_as"]

_READ = ("validation_alias", "alias")
_WRITTEN = ("serialization_alias", "alias")
_GENERATORS: Mapping[str, Callable[[str], str]] = {
    "camel": to_camel,
    "kebab": lambda name: name.replace("_", "-"),
    "pascal": to_pascal,
    "snake": to_snake,
}
_KNOWN = re.compile("|".join(_GENERATORS))


def read_as(tree: Tree, class_: Class, name: str, label: Field) -> str:
    """By which name a field is filled; its own, if nothing says otherwise."""
    by_alias = option_of(tree, class_, "validate_by_alias")
    if isinstance(by_alias, ast.Constant) and by_alias.value is False:
        return name
    return _alias(tree, class_, name, label, _READ)


def written_as(tree: Tree, class_: Class, name: str, label: Field) -> str:
    """By which name a field stands in JSON that is written by alias, as FastAPI does; its own, if nothing says more."""
    return _alias(tree, class_, name, label, _WRITTEN)


def _alias(tree: Tree, class_: Class, name: str, label: Field, ways: Sequence[str]) -> str:
    parts = [part for part in (label.annotation, label.default) if part is not None]
    calls = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Call)]
    for call in (each for each in calls if ast.unparse(each.func).rpartition(".")[2] == "Field"):
        for way in ways:
            if (given := keyword(call, way)) is not None:
                return _first_text(given) or name
    return _generated(option_of(tree, class_, "alias_generator"), name, ways)


def _first_text(node: ast.expr) -> str:
    """The alias, or the first of several choices; a path into something else is none."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "AliasChoices":
        return next(filter(None, map(literal_text, node.args)), "")
    return literal_text(node)


def _generated(generator: ast.expr | None, name: str, ways: Sequence[str]) -> str:
    if isinstance(generator, ast.Call):  # AliasGenerator(alias, …)
        given = (keyword(generator, way) for way in ways)
        return _generated(next(filter(None, given), generator.args[0] if generator.args else None), name, ways)
    if not isinstance(generator, ast.Name | ast.Attribute):
        return name
    known = _KNOWN.findall(ast.unparse(generator).rpartition(".")[2].lower())
    return _GENERATORS[known[-1]](name) if known else name
