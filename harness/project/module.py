"""A module: its tree, and what its names are bound to.

Guarantee: a binding inside of `if`, `try` and `with` counts as one outside, because which branch runs is not known; of
several the first counts, unless a later one defines a class or a function.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

__all__ = [
    "Assigned",
    "Binding",
    "Function",
    "Imported",
    "Module",
    "below",
    "bindings_of",
    "children",
    "import_bindings",
]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_WITHOUT_NODES = frozenset(
    {"arg", "asname", "attr", "conversion", "ctx", "id", "kind", "level", "module", "type_comment"}
)
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _WITHOUT_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that may have nodes in them."""
_INNER_IMPORT = re.compile(r"(?:^[ \t]+|[:;][ \t]*)(?:from|import)\b", re.MULTILINE)
_BLOCKS = (ast.If, ast.Try, ast.TryStar, ast.With, ast.For, ast.While)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A name that is bound by an import to what has this dotted name."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A name that is bound to the value of an expression, or only annotated."""

    value: ast.expr | None
    annotation: ast.expr | None = None


Binding = Imported | Assigned | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False, kw_only=True)
class Module:
    """A file of the project; `name` is how it is imported, `package` whether it is an `__init__`."""

    name: str
    path: Path
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)
    package: bool

    @cached_property
    def bindings(self) -> Mapping[str, Binding]:
        """What the module's own names are bound to."""
        return bindings_of(self.tree.body, self)

    @cached_property
    def imports(self) -> Sequence[ast.Import | ast.ImportFrom]:
        """All imports, wherever they stand."""
        everything = _all_statements if _INNER_IMPORT.search(self.text) else _statements
        return [node for node in everything(self.tree.body) if isinstance(node, ast.Import | ast.ImportFrom)]

    @cached_property
    def stars(self) -> Sequence[str]:
        """The modules of which all names are imported."""
        found = [node for node in self.imports if isinstance(node, ast.ImportFrom)]
        return [self.absolute(node) for node in found if any(alias.name == "*" for alias in node.names)]

    def absolute(self, node: ast.ImportFrom) -> str:
        """The dotted name of the module that `from … import` names, also relatively."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        keep = len(parts) - node.level + (1 if self.package else 0)
        return ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])


def bindings_of(body: Sequence[ast.stmt], module: Module) -> Mapping[str, Binding]:
    """What the statements of a body bind, without those of functions and classes in it."""
    found: dict[str, Binding] = {}
    for node in _statements(body):
        for name, binding in _bound(node, module):
            if isinstance(binding, ast.ClassDef | Function):
                found[name] = binding
            else:
                found.setdefault(name, binding)
    return found


def import_bindings(node: ast.Import | ast.ImportFrom, module: Module) -> Iterator[tuple[str, Imported]]:
    """The names that an import binds, without those of a star."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            yield name, Imported(target=alias.name if alias.asname else name)
        return
    origin = module.absolute(node)
    for alias in node.names:
        if alias.name != "*":
            yield alias.asname or alias.name, Imported(target=f"{origin}.{alias.name}" if origin else alias.name)


def children(node: ast.AST) -> list[ast.AST]:
    """What is directly below a node, but contexts: as `ast.iter_child_nodes`, in a fraction of the time."""
    found: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        inner = getattr(node, name, None)
        if isinstance(inner, list):
            found += [each for each in inner if isinstance(each, ast.AST)]
        elif isinstance(inner, ast.AST):
            found.append(inner)
    return found


def below(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, but contexts, in no order."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += children(here)


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """In their order. A chain of `elif` is as deep as it is long, so that nothing here may recurse."""
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _BLOCKS):
            inner = [each for name in ("body", "orelse", "finalbody") for each in getattr(node, name, ())]
            caught = [each for handler in getattr(node, "handlers", ()) for each in handler.body]
            waiting += reversed([*inner, *caught])


def _all_statements(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """In their order, also those of functions and classes."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("cases", "finalbody", "orelse", "handlers", "body"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                waiting += reversed(inner)


def _bound(node: ast.stmt, module: Module) -> Iterator[tuple[str, Binding]]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from import_bindings(node, module)
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, node
        case ast.Assign():
            yield from ((each.id, Assigned(value=node.value)) for each in node.targets if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name, Assigned(value=node.value, annotation=node.annotation)
        case _ if type(node).__name__ == "TypeAlias":  # Python 3.12 has them
            yield getattr(node, "name").id, Assigned(value=getattr(node, "value"))  # noqa: B009  # 3.11 has no such node
