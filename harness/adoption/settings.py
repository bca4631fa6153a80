"""The classes of settings (pydantic-settings) of a project, and the environment variables that their fields read.

A field's variables are its aliases, or its name with the class's `env_prefix`; those of a model in it have
`env_nested_delimiter` between the names, and without one the model is read as JSON. What says the configuration, in
the class or in one that it derives from, is read where it is literal.
"""

import ast
import builtins
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.adoption.addresses import NOWHERE, Address, Part, address_of
from harness.adoption.examples import NoExample, example_of
from harness.adoption.found import Kind, Parameter, Placeholder
from harness.adoption.model_config import option_of
from harness.adoption.parameters import SETTINGS, fields_of, is_model
from harness.adoption.tree import Tree, has_default, keyword, literal_text, unwrapped
from harness.adoption.uses import Uses
from harness.project.classes import Class, Field
from harness.project.module import Module

__all__ = ["find_settings", "is_settings", "variables_of"]

_EXPLICIT = frozenset({"dsn", "uri", "url"})
_DEEPEST = 4


def find_settings(tree: Tree, uses: Uses) -> dict[str, tuple[Parameter, ...]]:
    """The classes that hold settings, with their fields: pydantic-settings', and those with a database's URL."""
    found = {}
    for class_ in tree.project.classes:
        if class_.module not in tree.modules:
            continue
        fields = fields_of(tree, class_)
        told = is_settings(tree, class_)
        if told or any(_is_url(each) for each in fields):
            labels = tree.project.fields(class_)
            found[class_.name] = tuple(
                _as_setting(each, _address(tree, class_.module, labels[each.name], uses))
                if told and each.name in labels
                else _as_setting(each, None)
                for each in fields
            )
    return found


def _is_url(field: Parameter) -> bool:
    """Whether a field of any class is a database's URL, by its name alone."""
    last = field.name.lower().rpartition("_")[2]
    address = address_of(field.name, ())
    return last in _EXPLICIT and address is not None and address.value == NOWHERE


def _as_setting(field: Parameter, address: Address | None) -> Parameter:
    if _is_url(field) or (address is not None and address.part is Part.URL and address.is_sql):
        return replace(field, kind=Kind.DATABASE_URL)
    if address is None:
        return field
    example = int(address.value) if address.part is Part.PORT and field.annotation == "int" else address.value
    return replace(field, kind=Kind.EXAMPLE, example=example, has_example=True)


def is_settings(tree: Tree, class_: Class) -> bool:
    """Whether a class is one of pydantic-settings'."""
    names = [each if isinstance(each, str) else each.name for each in tree.project.ancestors(class_)]
    return bool(SETTINGS.intersection(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    """What a class's configuration says of names."""

    tree: Tree
    uses: Uses
    prefix: str
    delimiter: str
    exact: bool

    def variable(self, name: str) -> str:
        """The variable of that name, as it is usually written."""
        return name if self.exact else name.upper()


def variables_of(tree: Tree, class_: Class, uses: Uses) -> Iterator[Placeholder]:
    """The variables that must be there for a class of settings, and those that may name a database."""
    config = _Config(
        tree=tree,
        uses=uses,
        prefix=literal_text(option_of(tree, class_, "env_prefix")),
        delimiter=literal_text(option_of(tree, class_, "env_nested_delimiter")),
        exact=_is_true(option_of(tree, class_, "case_sensitive")),
    )
    place = tree.place(class_.module, class_.node)
    for name, label in tree.project.fields(class_).items():
        if label.annotation is None or name.startswith("_") or name == "model_config":
            continue
        aliases = _aliases(label)
        names = [*aliases, config.variable(config.prefix + name)]
        module = tree.project.owner(class_, name).module
        for each in _of_field(config, module, label, names, 0):
            yield replace(each, place=place)


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _aliases(label: Field) -> list[str]:
    """The variables that a field names itself: `alias`, `validation_alias`, and the `env` of old."""
    parts = [part for part in (label.annotation, label.default) if part is not None]
    fields = [
        node
        for part in parts
        for node in ast.walk(part)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Field"
    ]
    given = [keyword(each, name) for each in fields for name in ("validation_alias", "alias", "env")]
    return [text for each in given if each is not None for node in ast.walk(each) if (text := _literal(node))]


def _literal(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _of_field(config: _Config, module: Module, label: Field, names: Sequence[str], depth: int) -> Iterator[Placeholder]:
    """The variables of one field under all of its names; of a model in it, those of its fields."""
    tree = config.tree
    inner = _model(tree, module, label.annotation)
    required = not has_default(label.default)
    if inner is not None and depth < _DEEPEST:
        yield from _of_model(config, inner, names, required=required, depth=depth)
        return
    address = next(
        (found for name in names if (found := _address(tree, module, label, config.uses, name)) is not None), None
    )
    if address is not None:
        value = _wrapped(label.annotation, address.value)
        is_url = address.part is Part.URL and address.is_sql and value == address.value
        for name in names:
            yield Placeholder(name=name, value=value, place="", forced=True, is_url=is_url)
    elif required:
        made = example_of(tree, module, label.annotation, name=label.name)
        yield Placeholder(name=names[0], value="1" if isinstance(made, NoExample) else _said(made), place="")


def _of_model(
    config: _Config, inner: Class, names: Sequence[str], *, required: bool, depth: int
) -> Iterator[Placeholder]:
    tree = config.tree
    labels = {
        name: label
        for name, label in tree.project.fields(inner).items()
        if label.annotation is not None and not name.startswith("_") and name != "model_config"
    }
    if config.delimiter:
        for each in names:
            for name, label in labels.items():
                below = [config.variable(f"{each}{config.delimiter}{name}")]
                module = tree.project.owner(inner, name).module
                found = _of_field(config, module, label, below, depth + 1)
                yield from (one for one in found if required or one.forced)
        return
    told = {
        name: _address(tree, inner.module, label, config.uses, f"{names[0]}_{name}") for name, label in labels.items()
    }
    made = {name: each.value for name, each in told.items() if each is not None}
    for name, label in labels.items():
        if name not in made and not has_default(label.default):
            example = example_of(tree, inner.module, label.annotation, name=name)
            made[name] = "1" if isinstance(example, NoExample) else example  # type: ignore[assignment]  # any JSON
    forced = any(each is not None for each in told.values())
    if required or forced:
        for each in names if forced else names[:1]:
            yield Placeholder(name=each, value=json.dumps(made), place="", forced=forced)


def _model(tree: Tree, module: Module, annotation: ast.expr | None) -> Class | None:
    """The model that a field is one of, whose own fields the variables fill."""
    named = tree.resolve(module, unwrapped(annotation))
    class_ = tree.project.class_(named, near=module) if named else None
    return class_ if class_ is not None and (is_model(tree, class_) or is_settings(tree, class_)) else None


def _address(tree: Tree, module: Module, label: Field, uses: Uses, name: str = "") -> Address | None:
    """What a field says of a database's address: under the name of a variable first, which says more."""
    if label.annotation is None:
        return None
    types = frozenset(_types(tree, module, label.annotation, 0))
    schemes = _schemes(label.annotation)
    default, used = _default(label.default), uses.attributes.get(label.name)
    names = [name, label.name] if name else [label.name]
    told = (address_of(each, types, default=default, schemes=schemes, used=used) for each in names)
    return next((each for each in told if each is not None), None)


def _types(tree: Tree, module: Module, annotation: ast.expr, depth: int) -> Iterator[str]:
    """The dotted names of all types in an annotation, through aliases and bases of the project."""
    for node in ast.walk(_parsed(annotation)):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = _named(tree, module, node)
        class_ = tree.project.class_(name, near=module) if name else None
        there = tree.value(name, module) if class_ is None else None
        if there is not None and depth < _DEEPEST:
            yield from _types(tree, *there, depth + 1)
        elif class_ is not None:
            yield from (each for each in tree.project.ancestors(class_) if isinstance(each, str))
        elif name:
            yield name


def _named(tree: Tree, module: Module, node: ast.Name | ast.Attribute) -> str:
    """A type's dotted name; a builtin's is its own, whatever `import *` may have brought."""
    if isinstance(node, ast.Name) and hasattr(builtins, node.id) and node.id not in module.bindings:
        return node.id
    return tree.resolve(module, node)


def _parsed(annotation: ast.expr) -> ast.expr:
    """An annotation without quotes around it."""
    if text := literal_text(annotation):
        try:
            return ast.parse(text, mode="eval").body
        except SyntaxError:
            return annotation
    return annotation


def _schemes(annotation: ast.expr) -> list[str]:
    """What `UrlConstraints(allowed_schemes=[…])` accepts."""
    calls = [node for node in ast.walk(annotation) if isinstance(node, ast.Call)]
    given = [each for call in calls if (each := keyword(call, "allowed_schemes")) is not None]
    return [text for each in given for node in ast.walk(each) if (text := _literal(node))]


def _default(node: ast.expr | None) -> str:
    """A field's literal default, also one in `Field(…)` or around which a type stands."""
    if isinstance(node, ast.Call):
        node = keyword(node, "default") or (node.args[0] if node.args else None)
    return _default(node) if isinstance(node, ast.Call) else literal_text(node)


def _wrapped(annotation: ast.expr | None, value: str) -> str:
    """A value as the variable has it: JSON, if the field is a collection of them."""
    bare = unwrapped(annotation)
    outer = ast.unparse(bare.value).rpartition(".")[2].lower() if isinstance(bare, ast.Subscript) else ""
    if outer in {"list", "set", "frozenset", "tuple", "sequence"}:
        return json.dumps([value])
    return json.dumps({"default": value}) if outer in {"dict", "mapping"} else value


def _said(example: object) -> str:
    """An example as a variable has it."""
    return json.dumps(example) if isinstance(example, dict | list) else str(example)
