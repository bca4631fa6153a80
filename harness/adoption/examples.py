"""Values made up from types: what a tool or a route is called with when nobody says what.

Only what JSON can say: dates are ISO texts, models are dictionaries of their required fields. Bounds that an
annotation states (`Field(ge=…)`) are kept where they are literal. A type that says nothing of its values gives
`NoExample`, with the reason, and nothing is guessed.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.adoption.aliases import read_as
from harness.adoption.tree import Tree, has_default, unwrapped
from harness.project.classes import Class
from harness.project.module import Module

__all__ = ["NoExample", "example_of"]

_PLAIN: dict[str, object] = {
    "bool": True,
    "bytes": "example",
    "datetime.date": "2026-03-02",
    "datetime.datetime": "2026-03-02T09:00:00Z",
    "datetime.time": "09:00:00",
    "datetime.timedelta": "PT1H",
    "decimal.Decimal": "1",
    "dict": {},
    "float": 1.0,
    "int": 1,
    "object": "example",
    "pydantic.EmailStr": "someone@example.org",
    "pydantic.HttpUrl": "https://example.org/",
    "pydantic.PositiveFloat": 1.0,
    "pydantic.PositiveInt": 1,
    "pydantic.SecretStr": "example",
    "typing.Any": "example",
    "uuid.UUID": "00000000-0000-4000-8000-000000000001",
}
_SEQUENCES = {
    "collections.abc.Collection",
    "collections.abc.Iterable",
    "collections.abc.Sequence",
    "frozenset",
    "list",
    "set",
    "tuple",
    "typing.Iterable",
    "typing.List",
    "typing.Sequence",
    "typing.Set",
    "typing.Tuple",
}
_MAPPINGS = {"collections.abc.Mapping", "dict", "typing.Dict", "typing.Mapping"}
_TEXTS = (
    ("email", "someone@example.org"),
    ("phone", "555-0199"),
    ("url", "https://example.org/"),
    ("date", "2026-03-02"),
    ("time", "2026-03-02T09:00:00"),
    ("currency", "USD"),
    ("country", "US"),
    ("language", "en"),
    ("locale", "en"),
    ("sql", "SELECT 1"),
)
_MODELS = frozenset({"pydantic.BaseModel", "sqlmodel.SQLModel"})
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class NoExample:
    """Why there is no value."""

    reason: str


def example_of(tree: Tree, module: Module, annotation: ast.expr | None, *, name: str, depth: int = 0) -> object:
    """A value for an argument of this name and type, or `NoExample`."""
    if annotation is None:
        return NoExample(f"{name!r} has no type")
    if depth > _DEEPEST:
        return NoExample(f"{name!r} has a type that has itself in it")
    return _bounded(annotation, _of(tree, module, unwrapped(annotation), name, depth))


def _of(tree: Tree, module: Module, node: ast.expr | None, name: str, depth: int) -> object:
    if isinstance(node, ast.Subscript):
        return _generic(tree, module, node, name, depth)
    if node is None:
        return NoExample(f"{name!r} has a type that cannot be read")
    called = _name(tree, module, node)
    if (plain := _plain(called, name)) is not None:
        return plain
    class_ = tree.project.class_(called, near=module)
    if class_ is not None:
        return _instance(tree, class_, name, depth)
    if (aliased := tree.value(called, module)) is not None:
        return example_of(tree, aliased[0], aliased[1], name=name, depth=depth + 1)
    return NoExample(f"{name!r} is a {ast.unparse(node)}")


def _plain(called: str, name: str) -> object:
    """A value of a type that says all by its name; `None` if it does not."""
    if called == "str":
        return next((text for part, text in _TEXTS if part in name.lower()), "example")
    if called in _SEQUENCES:
        return ["example"]
    return {} if called in _MAPPINGS else _PLAIN.get(called)


def _name(tree: Tree, module: Module, node: ast.expr) -> str:
    """The type's dotted name; builtins have none but their own."""
    return tree.resolve(module, node) or (node.id if isinstance(node, ast.Name) else "")


def _generic(tree: Tree, module: Module, node: ast.Subscript, name: str, depth: int) -> object:
    called = _name(tree, module, node.value)
    inside: Sequence[ast.expr] = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if called.rpartition(".")[2] == "Literal" and inside and isinstance(inside[0], ast.Constant):
        return inside[0].value
    if called.rpartition(".")[2] == "Union":
        return example_of(tree, module, _first_given(inside), name=name, depth=depth + 1)
    if called in _SEQUENCES and inside:
        one = example_of(tree, module, inside[0], name=name, depth=depth + 1)
        return one if isinstance(one, NoExample) else [one]
    if called in _MAPPINGS:
        return {}
    return NoExample(f"{name!r} is a {ast.unparse(node)}")


def _first_given(members: Sequence[ast.expr]) -> ast.expr | None:
    return next((each for each in members if not (isinstance(each, ast.Constant) and each.value is None)), None)


def _instance(tree: Tree, class_: Class, name: str, depth: int) -> object:
    """The first member of an enumeration, or the required fields of a model."""
    ancestors = [each if isinstance(each, str) else each.name for each in tree.project.ancestors(class_)]
    if any(each.startswith("enum.") for each in ancestors):
        return _member(class_, name)
    is_model = bool(_MODELS.intersection(ancestors))
    made: dict[str, object] = {}
    for label, each in tree.project.fields(class_).items():
        if each.annotation is None or label.startswith("_") or has_default(each.default):
            continue
        value = example_of(tree, class_.module, each.annotation, name=label, depth=depth + 1)
        if isinstance(value, NoExample):
            return value
        made[read_as(tree, class_, label, each) if is_model else label] = value
    if not made and class_.methods.get("__init__") is not None:
        return NoExample(f"{name!r} is a {class_.name}")
    return made


def _member(class_: Class, name: str) -> object:
    first = next((each.default for each in class_.fields.values() if each.default is not None), None)
    if isinstance(first, ast.Constant):
        return first.value
    if isinstance(first, ast.Call):  # auto()
        return next(iter(class_.fields)).lower()
    return NoExample(f"{name!r} is the enumeration {class_.name}")


def _bounded(annotation: ast.expr, value: object) -> object:
    """The value within the literal bounds of an `Annotated[…, Field(…)]`."""
    fields = [node for node in ast.walk(annotation) if isinstance(node, ast.Call)]
    for each in fields:
        given = {word.arg: word.value.value for word in each.keywords if isinstance(word.value, ast.Constant)}
        value = _fitted(value, given)
    return value


def _fitted(value: object, given: Mapping[str | None, object]) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, given)
    shortest = given.get("min_length")
    if isinstance(value, str) and isinstance(shortest, int) and shortest > len(value):
        return value.ljust(shortest, "e")
    longest = given.get("max_length")
    return value[:longest] if isinstance(value, str) and isinstance(longest, int) else value


def _number(value: float, given: Mapping[str | None, object]) -> float:
    low = [given.get("ge"), _above(given.get("gt"), 1)]
    high = [given.get("le"), _above(given.get("lt"), -1)]
    for each in low:
        if isinstance(each, int | float) and value < each:
            value = each
    for each in high:
        if isinstance(each, int | float) and value > each:
            value = each
    return value


def _above(bound: object, step: int) -> object:
    return bound + step if isinstance(bound, int | float) else None
