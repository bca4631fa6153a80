"""Where a project makes its engine and its sessions, and where it keeps them.

Two ways matter. What is made as its module is imported is there before the adapter can say anything, and has to be
replaced wherever it is held. What a function makes (a lifespan, a factory, a constructor) is made again for each
start, so that it is enough to replace what the function calls.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.adoption.calls import Calls
from harness.adoption.found import EngineSource, SessionSource, Way
from harness.adoption.parameters import SESSIONS, parameters_of
from harness.adoption.tree import FunctionAt, Tree, attribute_of_self, keyword, returns
from harness.adoption.words import words
from harness.project.module import Module

__all__ = ["find_engines", "find_sessions", "find_synchronous"]

_ASYNC = frozenset({"sqlalchemy.ext.asyncio.create_async_engine", "sqlalchemy.ext.asyncio.engine.create_async_engine"})
_WRAPPED = frozenset({"sqlalchemy.ext.asyncio.AsyncEngine"})
_SYNC = frozenset({"sqlalchemy.create_engine", "sqlmodel.create_engine", "sqlalchemy.engine.create_engine"})
_MAKERS = frozenset({"sqlalchemy.ext.asyncio.async_sessionmaker", "sqlalchemy.ext.asyncio.session.async_sessionmaker"})
_ANY_MAKERS = frozenset({"sqlalchemy.orm.sessionmaker", "sqlalchemy.orm.session.sessionmaker"})
_SCOPED = frozenset({"sqlalchemy.ext.asyncio.async_scoped_session"})
_OF_THE_POOL = frozenset(
    words(
        "echo echo_pool future max_overflow pool pool_pre_ping pool_recycle pool_size pool_timeout "
        "pool_use_lifo poolclass url"
    )
)
_CACHES = ("cache", "lru_cache", "alru_cache", "cached")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """A call, what its result is kept in from the module on, and the function that it stands in."""

    module: Module
    call: ast.Call
    path: str
    function: FunctionAt | None = None


def find_engines(tree: Tree, calls: Calls) -> list[EngineSource]:
    """Every place where an async engine is made."""
    return [_engine(tree, calls, site) for site in _sites(tree, _ASYNC | _WRAPPED)]


def find_synchronous(tree: Tree) -> list[str]:
    """Where engines are made that no task can wait for."""
    inside = {argument for _, call, _ in tree.calls_of(_WRAPPED) for argument in call.args}
    return [tree.place(site.module, site.call) for site in _sites(tree, _SYNC) if site.call not in inside]


def find_sessions(tree: Tree) -> list[SessionSource]:
    """Every sessionmaker for async sessions."""
    found = []
    for site in _sites(tree, _MAKERS | _ANY_MAKERS | _SCOPED):
        within = site.function.within if site.function else ()
        kind = tree.resolve(site.module, site.call.func, within)
        class_ = tree.resolve(site.module, keyword(site.call, "class_"), within)
        if kind in _ANY_MAKERS and class_ not in SESSIONS:
            continue
        found.append(_sessions(tree, site, scoped=kind in _SCOPED))
    return found


def _sessions(tree: Tree, site: _Site, *, scoped: bool) -> SessionSource:
    function = site.function if not site.path else None
    within = site.function.within if site.function else ()
    bind = site.call.args[0] if site.call.args else keyword(site.call, "bind")
    path = site.path or (function.qualname if function else "")
    return SessionSource(
        module=tree.import_name(site.module),
        path=path,
        place=tree.place(site.module, site.call),
        key=f"{site.module.name}.{path}",
        way=Way.FUNCTION if function else Way.GLOBAL,
        parameters=parameters_of(tree, function) if function else (),
        bound_to=tree.resolve(site.module, bind, within),
        scoped=scoped,
        returns=function is not None and function.is_top and returns(function, site.call),
    )


def _engine(tree: Tree, calls: Calls, site: _Site) -> EngineSource:
    function = site.function if not site.path else None
    path = site.path or (function.qualname if function else "")
    key = f"{site.module.name}.{path}"
    above = calls.above(function) if function else ()
    return EngineSource(
        module=tree.import_name(site.module),
        path=path,
        place=tree.place(site.module, site.call),
        key=key,
        way=Way.FUNCTION if function else Way.GLOBAL,
        holders=() if function else tuple(tree.holders(site.module, path)),
        maker=tree.looked_up(site.module, site.call.func, function.within) if function else "",
        caches=tuple(f"{tree.import_name(each.module)}.{each.qualname}" for each in above if _is_cached(each)),
        globals=tuple(dict.fromkeys(name for each in above for name in _globals(tree, each))),
        options=tuple(_options(site.call)),
    )


def _sites(tree: Tree, makers: frozenset[str]) -> Iterator[_Site]:
    for module, call, within in tree.calls_of(makers):
        function = tree.by_node.get(within[-1]) if within else None
        if function is not None:
            yield from _in_function(tree, function, call)
        else:
            yield from [_Site(module=module, call=call, path=path) for path in _kept_in(module.tree.body, call)]


def _kept_in(body: Sequence[ast.stmt], call: ast.Call) -> Iterator[str]:
    """The attributes, from the module on, that a call's result is kept in."""
    waiting = [(node, "") for node in reversed(body)]
    while waiting:
        node, prefix = waiting.pop()
        match node:
            case ast.ClassDef(name=name, body=inner):
                waiting += [(each, f"{prefix}{name}.") for each in reversed(inner)]
            case ast.Assign(targets=[target, *_], value=value) | ast.AnnAssign(target=target, value=value) if (
                value is call and isinstance(target, ast.Name | ast.Attribute)
            ):
                yield prefix + ast.unparse(target)
            case ast.If() | ast.Try() | ast.With():
                waiting += [(each, prefix) for each in reversed([*node.body, *getattr(node, "orelse", [])])]


def _in_function(tree: Tree, function: FunctionAt, call: ast.Call) -> Iterator[_Site]:
    """In a constructor of something that a module's name holds, that; else the function."""
    attribute = attribute_of_self(function, call)
    if attribute and function.owner is not None and function.node.name in {"__init__", "__post_init__"}:
        instances = tree.instances(function.module, function.owner.name)
        yield from [
            _Site(module=each, call=call, path=f"{name}.{attribute}", function=function) for each, name in instances
        ]
        if instances:
            return
    yield _Site(module=function.module, call=call, path="", function=function)


def _is_cached(function: FunctionAt) -> bool:
    names = [ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in function.node.decorator_list]
    return function.is_top and any(name in _CACHES for name in names)


def _globals(tree: Tree, function: FunctionAt) -> Iterator[str]:
    for node in ast.walk(function.node):
        if isinstance(node, ast.Global):
            yield from (f"{tree.import_name(function.module)}.{name}" for name in node.names)


def _options(call: ast.Call) -> Iterator[tuple[str, str]]:
    for each in call.keywords:
        if each.arg and each.arg not in _OF_THE_POOL:
            yield each.arg, ast.unparse(each.value)
