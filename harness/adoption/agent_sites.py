"""Where a project makes its agents, and by which names they are reached.

An agent that a module's name, a class's attribute or an attribute of a module's object holds is there when its module
is. One that a function without required arguments returns is made by calling that. One that is made inside of
anything else is reached by nobody but the function: all that can be changed is what it calls.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.adoption.found import Way
from harness.adoption.tree import FunctionAt, Tree, arguments_of, attribute_of_self, keyword, local_name, returns
from harness.project.module import Function, Module

__all__ = ["AgentSite", "is_agent_run", "sites_of"]

_AGENTS = frozenset({"pydantic_ai.Agent", "pydantic_ai.agent.Agent"})
_RUNS = frozenset({"iter", "run", "run_stream", "run_stream_events"})


@dataclass(frozen=True, eq=False, kw_only=True)
class AgentSite:
    """A call that makes an agent; `names` are the dotted names that it has everywhere.

    `maker` is the function that the call stands in, where it has the name `local`.
    """

    module: Module
    call: ast.Call
    path: str
    way: Way = Way.GLOBAL
    names: frozenset[str] = frozenset()
    local: str = ""
    maker: FunctionAt | None = None

    @property
    def name(self) -> str:
        """Its qualified name."""
        return f"{self.module.name}.{self.path}"

    @property
    def within(self) -> Sequence[Function]:
        """The functions around the call."""
        return self.maker.within if self.maker is not None else ()


def sites_of(tree: Tree) -> list[AgentSite]:
    """Every agent, in the order of the files."""
    found: list[AgentSite] = []
    for module, call, within in tree.calls_of(_AGENTS):
        maker = tree.by_node.get(within[-1]) if within else None
        found += _in_function(tree, maker, call) if maker is not None else _at_once(module, call)
    return found


def _at_once(module: Module, call: ast.Call) -> Iterator[AgentSite]:
    for path in _paths(module.tree.body, call, ""):
        yield AgentSite(module=module, call=call, path=path, names=frozenset({f"{module.name}.{path}"}))


def _paths(body: Sequence[ast.stmt], call: ast.Call, prefix: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.ClassDef(name=name, body=inner):
                yield from _paths(inner, call, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name), *_], value=value) if value is call:
                yield prefix + name
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is call:
                yield prefix + name
            case ast.If() | ast.Try() | ast.With():
                yield from _paths(node.body, call, prefix)


def _in_function(tree: Tree, maker: FunctionAt, call: ast.Call) -> Iterator[AgentSite]:
    module, attribute = maker.module, attribute_of_self(maker, call)
    owner = maker.owner.name if maker.owner is not None and attribute else ""
    local = f"{module.name}.{local_name(maker, call)}"
    names = frozenset({f"{module.name}.{owner}.{attribute}"} if owner else ())
    held = [(there, f"{name}.{attribute}") for there, name in tree.instances(module, owner)] if owner else []
    if not owner and maker.is_top and returns(maker, call):
        held = tree.results(maker)
        names = frozenset({f"{module.name}.{maker.qualname}"})
    for there, path in held:
        known = names | {f"{there.name}.{path}"}
        yield AgentSite(module=there, call=call, path=path, names=known, local=local, maker=maker)
    if not held:
        needs = any(default is None for _, default, _ in arguments_of(maker.node))
        way = Way.INSIDE if owner or needs or not names else Way.FUNCTION
        yield AgentSite(module=module, call=call, path=maker.qualname, way=way, names=names, local=local, maker=maker)


def is_agent_run(tree: Tree, function: FunctionAt, call: ast.Call, sites: Sequence[AgentSite]) -> AgentSite | None:
    """The agent that a call runs, if it is one of these; of one that is reached by no name, the only one there is."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr in _RUNS):
        return None
    on = call.func.value
    name = tree.resolve(function.module, on, function.within)
    made = tree.resolve(function.module, _made_by(function, on), function.within)
    for site in sites:
        is_local = name == site.local and site.maker is not None and site.maker.node in function.within
        if is_local or (site.names & {name, made}):
            return site
    last = ast.unparse(on).rpartition(".")[2].lower()
    return sites[0] if len(sites) == 1 and ("agent" in last or keyword(call, "deps") is not None) else None


def _made_by(function: FunctionAt, on: ast.expr) -> ast.expr | None:
    """The function whose result an expression is: `f()`, a local name for that, or a `Depends(f)`."""
    if isinstance(on, ast.Call):
        return on.func
    if not isinstance(on, ast.Name):
        return None
    for node in ast.walk(function.node):
        match node:
            case ast.Assign(targets=[ast.Name(id=on.id)], value=ast.Call(func=maker)):
                return maker
    for argument, default, _ in arguments_of(function.node):
        if argument.arg == on.id:
            given = [node for part in (default, argument.annotation) if part for node in ast.walk(part)]
            calls = [each for each in given if isinstance(each, ast.Call) and each.args]
            return next((each.args[0] for each in calls if "Depends" in ast.unparse(each.func)), None)
    return None
