"""The project's files as the finders need them: every function with what is around it, and names to import by.

On top of `harness.project`, which says what a name stands for. A module has several names there; the one to import it
by is that which the project itself uses, or the one that begins at an import root (the folder, or its `src`).
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from keyword import iskeyword
from pathlib import Path

from harness.project.module import Assigned, Function, Module
from harness.project.project import Definition, Project

__all__ = [
    "FunctionAt",
    "Tree",
    "arguments_of",
    "attribute_of_self",
    "has_default",
    "keyword",
    "literal_text",
    "local_name",
    "returns",
    "unwrapped",
]

_ASIDE = frozenset({"alembic", "docs", "examples", "migrations", "test", "testing", "tests"})
"""Folders in which nothing is looked for: what stands there is not the application."""


_MAPPED = frozenset({"Column", "column_property", "mapped_column", "relationship"})
"""What is given a column's name and type by position, and no default."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FunctionAt:
    """A function: `qualname` is Python's, without `<locals>`; `within` are the functions around it, and itself."""

    module: Module
    node: Function
    qualname: str
    within: Sequence[Function]
    owner: ast.ClassDef | None = None

    @property
    def is_top(self) -> bool:
        """Whether it is a name of its module."""
        return "." not in self.qualname

    @cached_property
    def calls(self) -> Sequence[ast.Call]:
        """Every call in it, those of functions inside of it too."""
        return [node for node in ast.walk(self.node) if isinstance(node, ast.Call)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tree:
    """A project below `root`."""

    project: Project
    root: Path
    _seen: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def modules(self) -> Sequence[Module]:
        """The application's modules that can be imported by name."""
        return [module for module in self._own if _can_import(module)]

    @cached_property
    def nameless(self) -> Sequence[Module]:
        """Those that cannot be."""
        return [module for module in self._own if not _can_import(module)]

    @cached_property
    def _own(self) -> Sequence[Module]:
        return [module for module in self.project.modules if not self._is_aside(module)]

    @cached_property
    def functions(self) -> Sequence[FunctionAt]:
        """Every function and method, outer ones first."""
        return [found for module in self.modules for found in _functions(module)]

    @cached_property
    def by_node(self) -> Mapping[ast.AST, FunctionAt]:
        """Each function by its node."""
        return {function.node: function for function in self.functions}

    @cached_property
    def methods(self) -> Mapping[str, Sequence[FunctionAt]]:
        """All methods of a name."""
        found: dict[str, list[FunctionAt]] = {}
        for function in self.functions:
            if function.owner is not None:
                found.setdefault(function.node.name, []).append(function)
        return found

    @cached_property
    def all_calls(self) -> Sequence[tuple[Module, ast.Call, Sequence[Function]]]:
        """Every call, with the functions around it."""
        return [(module, call, within) for module in self.modules for call, within in _calls(module.tree)]

    @cached_property
    def _by_called(self) -> Mapping[str, Sequence[tuple[Module, ast.Call, Sequence[Function]]]]:
        found: dict[str, list[tuple[Module, ast.Call, Sequence[Function]]]] = {}
        for module, call, within in self.all_calls:
            found.setdefault(self.resolve(module, call.func, within), []).append((module, call, within))
        return found

    def calls_of(self, names: Iterable[str]) -> list[tuple[Module, ast.Call, Sequence[Function]]]:
        """Every call of something with one of these dotted names, with the functions around it, file by file."""
        order = {module: number for number, module in enumerate(self.modules)}
        found = [each for name in names for each in self._by_called.get(name, ())]
        return sorted(found, key=lambda each: (order[each[0]], each[1].lineno, each[1].col_offset))

    def instances(self, module: Module, owner: str) -> list[tuple[Module, str]]:
        """The names of modules that are bound to an instance of the module's class of that name."""
        found = []
        for other in self.modules:
            for node in other.tree.body:
                match node:
                    case (
                        ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=called))
                        | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=called))
                    ) if self.resolve(other, called) == f"{module.name}.{owner}":
                        found.append((other, name))
        return found

    def results(self, function: FunctionAt) -> list[tuple[Module, str]]:
        """The names of modules that are bound to what a function of a module returns."""
        return self.instances(function.module, function.qualname)

    def place(self, module: Module, node: ast.AST) -> str:
        """`shop/db.py:12`, from the root."""
        return f"{self.relative(module.path)}:{getattr(node, 'lineno', 1)}"

    def relative(self, path: Path) -> str:
        """A path from the root, as it is written everywhere."""
        whole = path.absolute()
        return (whole.relative_to(self.root) if whole.is_relative_to(self.root) else whole).as_posix()

    def resolve(self, module: Module, expression: ast.expr | str | None, within: Sequence[Function] = ()) -> str:
        """The dotted name that an expression stands for; empty if it is none."""
        if expression is None:
            return ""
        if isinstance(expression, ast.Attribute) and (owner := self._owner(expression.value, within)):
            return f"{module.name}.{owner}.{expression.attr}"
        return self.project.resolve(module, expression, within=within) or ""

    def _owner(self, node: ast.expr, within: Sequence[Function]) -> str:
        """The class whose method has an expression in it, if that is `self` or `cls`."""
        if not (isinstance(node, ast.Name) and node.id in {"self", "cls"} and within):
            return ""
        outermost = self.by_node.get(within[0])
        return outermost.owner.name if outermost is not None and outermost.owner is not None else ""

    def function(self, name: str, near: Module | None = None) -> FunctionAt | None:
        """The project's function of that dotted name: one of a module, or a method."""
        found = self.definition(name, near)
        if found is not None:
            return self.by_node.get(found.binding) if isinstance(found.binding, ast.AST) else None
        owner, _, attribute = name.rpartition(".")
        class_ = self.project.class_(owner, near=near) if owner else None
        if class_ is None:
            return None
        for each in self.project.ancestors(class_):
            if not isinstance(each, str) and attribute in each.methods:
                return self.by_node.get(each.methods[attribute])
        return None

    def definition(self, name: str, near: Module | None = None) -> Definition | None:
        """What a dotted name is bound to in the project."""
        return self.project.definition(name, near=near) if name else None

    def value(self, name: str, near: Module | None = None) -> tuple[Module, ast.expr] | None:
        """The expression that a module's name is assigned."""
        found = self.definition(name, near)
        if found is not None and isinstance(found.binding, Assigned) and found.binding.value is not None:
            return found.module, found.binding.value
        return None

    def holders(self, module: Module, path: str) -> list[str]:
        """All names that the project's modules have for something; an attribute of something is there once."""
        if "." in path:
            return [f"{self.import_name(module)}.{path}"]
        wanted = f"{module.name}.{path}"
        return [
            f"{self.import_name(other)}.{name}"
            for other in self.modules
            for name in other.bindings
            if self.resolve(other, ast.Name(id=name)) == wanted
        ]

    def looked_up(self, module: Module, called: ast.expr, within: Sequence[Function]) -> str:
        """What is to be replaced so that a function calls something else: a module's name, or the library's."""
        node = called.value if isinstance(called, ast.Subscript) else called
        if isinstance(node, ast.Name) and node.id in module.bindings:
            return f"{self.import_name(module)}.{node.id}"
        return self.resolve(module, node, within)

    def import_name(self, module: Module) -> str:
        """By which the module is imported."""
        return self._import_names[module]

    def import_root(self, module: Module) -> Path:
        """The folder that must be on the path for that."""
        parts = self.import_name(module).count(".") + (2 if module.package else 1)
        folder = module.path.absolute()
        for _ in range(parts):
            folder = folder.parent
        return folder

    @cached_property
    def _import_names(self) -> Mapping[Module, str]:
        used = {name for module in self.modules for name in _imported(module)}
        names: dict[Module, list[str]] = {module: [] for module in self.modules}
        for name, modules in self.project.by_name.items():
            for module in modules:
                if module in names:
                    names[module].append(name)
        return {module: self._best(module, sorted(given, key=len), used) for module, given in names.items()}

    def _best(self, module: Module, names: Sequence[str], used: set[str]) -> str:
        if module.package or (module.path.parent / "__init__.py").is_file():
            return module.name
        within = [name for name in names if self._inside(module, name)]
        if told := [name for name in within if name in used]:
            return told[0]
        packages = [name for name in within if name.partition(".")[0] in {each.partition(".")[0] for each in used}]
        return (packages or [name for name in within if not name.startswith("src.")][-1:] or [module.name])[0]

    def _inside(self, module: Module, name: str) -> bool:
        return name.count(".") < len(module.path.absolute().relative_to(self.root).parts)

    def _is_aside(self, module: Module) -> bool:
        parts = Path(self.relative(module.path)).parts
        name = parts[-1]
        return bool(_ASIDE & set(parts[:-1])) or name.startswith("test_") or name in {"conftest.py", "setup.py"}


def _can_import(module: Module) -> bool:
    return all(part.isidentifier() and not iskeyword(part) for part in module.name.split("."))


def _functions(module: Module) -> Iterator[FunctionAt]:
    waiting: list[_Inside] = [_Inside(node=node) for node in reversed(module.tree.body)]
    while waiting:
        here = waiting.pop()
        node = here.node
        if isinstance(node, Function):
            within = (*here.within, node)
            yield FunctionAt(
                module=module, node=node, qualname=here.prefix + node.name, within=within, owner=here.owner
            )
            here = _Inside(node=node, prefix=f"{here.prefix}{node.name}.", within=within)
        elif isinstance(node, ast.ClassDef):
            here = _Inside(node=node, prefix=f"{here.prefix}{node.name}.", within=here.within, owner=node)
        waiting += [replace(here, node=each) for each in reversed(_blocks(node))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside:
    """A node, with what is around it."""

    node: ast.AST
    prefix: str = ""
    within: tuple[Function, ...] = ()
    owner: ast.ClassDef | None = None


def _blocks(node: ast.AST) -> list[ast.AST]:
    names = ("body",) if isinstance(node, Function | ast.ClassDef) else ("body", "orelse", "finalbody", "handlers")
    return [each for name in names if isinstance(given := getattr(node, name, ()), list) for each in given]


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, tuple[Function, ...]]]:
    waiting: list[tuple[ast.AST, tuple[Function, ...]]] = [(tree, ())]
    while waiting:
        node, within = waiting.pop()
        if isinstance(node, ast.Call):
            yield node, within
        inside = (*within, node) if isinstance(node, Function) else within
        waiting += [(child, inside) for child in reversed(list(ast.iter_child_nodes(node)))]


def attribute_of_self(function: FunctionAt, call: ast.Call) -> str:
    """The attribute of `self` that a call's result is kept in; empty if it is none."""
    for node in ast.walk(function.node):
        match node:
            case (
                ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=value)
                | ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=attribute), value=value)
            ) if value is call:
                return attribute
    return ""


def local_name(function: FunctionAt, call: ast.Call) -> str:
    """The local name that a call's result is bound to; empty if it is none."""
    for node in ast.walk(function.node):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if value is call:
                return name
    return ""


def returns(function: FunctionAt, call: ast.Call) -> bool:
    """Whether a function returns the result of a call in it, itself or by a local name."""
    local = local_name(function, call)
    returned = [node.value for node in ast.walk(function.node) if isinstance(node, ast.Return)]
    return any(each is call or (isinstance(each, ast.Name) and each.id == local) for each in returned)


def _imported(module: Module) -> Iterator[str]:
    """The modules that it may import, by absolute names."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of an argument that is given by name."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def literal_text(node: ast.expr | None) -> str:
    """A literal text; empty if it is none."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def arguments_of(node: Function) -> list[tuple[ast.arg, ast.expr | None, bool]]:
    """The arguments, with their defaults, and whether each can only be given by position."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    found = [(each, default, each in given.posonlyargs) for each, default in zip(positional, defaults, strict=True)]
    return found + [(each, default, False) for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]


def unwrapped(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation without `Annotated`, without quotes, and without `None` in a union."""
    match annotation:
        case ast.Constant(value=str() as text):
            try:
                return unwrapped(ast.parse(text, mode="eval").body)
            except SyntaxError:
                return None
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            if name == "Annotated" and isinstance(inner, ast.Tuple) and inner.elts:
                return unwrapped(inner.elts[0])
            return unwrapped(inner) if name in {"Optional", "Mapped", "Final", "ClassVar"} else annotation
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return unwrapped(right if isinstance(left, ast.Constant) and left.value is None else left)
        case _:
            return annotation


def has_default(default: ast.expr | None) -> bool:
    """Whether a field's default gives it a value: `field()`, `Field(...)`, `mapped_column(String)`, `...` do not."""
    if isinstance(default, ast.Call):
        first = () if ast.unparse(default.func).rpartition(".")[2] in _MAPPED else default.args[:1]
        options = (*first, keyword(default, "default"), keyword(default, "default_factory"))
        return any(each is not None and not _is_ellipsis(each) for each in options)
    return default is not None and not _is_ellipsis(default)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
