"""What the configuration of a pydantic class says: in its own line, in `model_config`, or in a class `Config` in it."""

import ast
from collections.abc import Iterator

from harness.adoption.tree import Tree, literal_text
from harness.project.classes import Class

__all__ = ["option_of"]


def option_of(tree: Tree, class_: Class, name: str) -> ast.expr | None:
    """What a class, or the nearest that it derives from, says of one option; `None` if nothing."""
    for each in tree.project.ancestors(class_):
        if isinstance(each, str):
            continue
        given: list[tuple[str | None, ast.expr]] = [(word.arg, word.value) for word in each.node.keywords]
        given += _configured(tree, each)
        told = next((value for key, value in given if key == name), None)
        if isinstance(told, ast.Name | ast.Attribute):
            there = tree.value(tree.resolve(each.module, told), each.module)
            told = there[1] if there is not None else told
        if told is not None:
            return told
    return None


def _configured(tree: Tree, class_: Class) -> Iterator[tuple[str | None, ast.expr]]:
    for node in class_.node.body:
        match node:
            case ast.ClassDef(name="Config", body=body):
                yield from (
                    (target.id, each.value)
                    for each in body
                    if isinstance(each, ast.Assign)
                    for target in each.targets
                    if isinstance(target, ast.Name)
                )
    told = class_.fields.get("model_config")
    value = told.default if told is not None else None
    if isinstance(value, ast.Name | ast.Attribute):
        there = tree.value(tree.resolve(class_.module, value), class_.module)
        value = there[1] if there is not None else None
    if isinstance(value, ast.Call):
        yield from ((word.arg, word.value) for word in value.keywords)
    elif isinstance(value, ast.Dict):
        yield from (
            (literal_text(key), each) for key, each in zip(value.keys, value.values, strict=True) if key is not None
        )
