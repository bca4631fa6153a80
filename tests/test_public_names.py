"""Every module says what is public in it, in order."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import harness

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(harness.__path__, "harness.")
    if "_bundled" not in module.name and not module.ispkg
)


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_listed(name: str) -> None:
    """`__all__` is sorted, names what exists, and names every public class and function that the module defines."""
    module = importlib.import_module(name)
    listed: list[str] = list(module.__all__)
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }
    hooks = {node for node in defined if node.startswith("pytest_")} | _fixtures(tree)

    assert listed == sorted(listed, key=_constants_first)
    assert all(hasattr(module, entry) for entry in listed)
    assert defined - hooks <= set(listed)


def _fixtures(tree: ast.Module) -> set[str]:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name for node in functions if any("fixture" in ast.dump(item) for item in node.decorator_list)}


def _constants_first(name: str) -> tuple[int, str]:
    """The order of ruff's RUF022: constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)
