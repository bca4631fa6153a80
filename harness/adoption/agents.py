"""The agents of a project, and their tools.

An agent is a call of `pydantic_ai.Agent` that a module's name or a class's attribute is bound to, or that a function
without arguments returns. Tools are registered by decorator, by a call of one, in `tools=[…]`, or in toolsets, each
also through a function that is given the agent.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.adoption.calls import Calls
from harness.adoption.deeds import deeds_of
from harness.adoption.found import Agent, Deeds, Tool, Way
from harness.adoption.parameters import parameters_of
from harness.adoption.tree import FunctionAt, Tree, arguments_of, keyword, literal_text
from harness.project.module import Function, Module

__all__ = ["AgentSite", "find_agents", "is_agent_run", "sites_of"]

_AGENTS = frozenset({"pydantic_ai.Agent", "pydantic_ai.agent.Agent"})
_CONTEXTS = frozenset({"pydantic_ai.RunContext", "pydantic_ai.tools.RunContext"})
_TOOLS = frozenset({"pydantic_ai.Tool", "pydantic_ai.tools.Tool"})
_TOOLSETS = frozenset({"pydantic_ai.toolsets.FunctionToolset", "pydantic_ai.FunctionToolset"})
_RUNS = frozenset({"iter", "run", "run_stream", "run_stream_events"})
_WRAPPERS = frozenset({"approval_required", "filtered", "prefixed", "prepared", "renamed", "with_metadata"})


@dataclass(frozen=True, eq=False, kw_only=True)
class AgentSite:
    """Where an agent is made; `names` are the dotted names that it has, `maker` the function that returns it."""

    module: Module
    call: ast.Call
    path: str
    names: frozenset[str]
    maker: FunctionAt | None = None

    @property
    def name(self) -> str:
        """Its qualified name."""
        return f"{self.module.name}.{self.path}"


def sites_of(tree: Tree) -> list[AgentSite]:
    """Every agent that can be reached by a name."""
    found = [site for module in tree.modules for site in _in_body(tree, module, module.tree.body, "")]
    for function in tree.functions:
        if function.is_top and not any(default is None for _, default, _ in arguments_of(function.node)):
            found += _in_function(tree, function)
    return found


def _in_body(tree: Tree, module: Module, body: Sequence[ast.stmt], prefix: str) -> Iterator[AgentSite]:
    for node in body:
        match node:
            case ast.ClassDef(name=name, body=inner):
                yield from _in_body(tree, module, inner, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if _makes(tree, module, call):
                yield _site(module, call, prefix + name)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call) if _makes(tree, module, call):
                yield _site(module, call, prefix + name)
            case ast.If() | ast.Try() | ast.With():
                yield from _in_body(tree, module, node.body, prefix)


def _site(module: Module, call: ast.Call, path: str) -> AgentSite:
    return AgentSite(module=module, call=call, path=path, names=frozenset({f"{module.name}.{path}"}))


def _in_function(tree: Tree, function: FunctionAt) -> Iterator[AgentSite]:
    """The agent that a function returns."""
    made: dict[str, ast.Call] = {}
    for node in ast.walk(function.node):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
            ) if _makes(tree, function.module, call, function.within):
                made[name] = call
    for node in ast.walk(function.node):
        match node:
            case ast.Return(value=ast.Call() as call) if _makes(tree, function.module, call, function.within):
                local = ""
            case ast.Return(value=ast.Name(id=local)) if local in made:
                call = made[local]
            case _:
                continue
        names = frozenset({f"{function.module.name}.{local}"} if local else ())
        yield AgentSite(module=function.module, call=call, path=function.qualname, names=names, maker=function)
        return


def _makes(tree: Tree, module: Module, call: ast.Call, within: Sequence[Function] = ()) -> bool:
    return tree.resolve(module, call.func, within) in _AGENTS


def find_agents(tree: Tree, calls: Calls) -> list[Agent]:
    """The agents, in the order of the files."""
    sites = sites_of(tree)
    return [_agent(tree, calls, site, sites) for site in sites]


def _agent(tree: Tree, calls: Calls, site: AgentSite, sites: Sequence[AgentSite]) -> Agent:
    tools = _Registered(tree=tree, calls=calls, sites=sites)
    within = site.maker.within if site.maker else ()
    tools.listed(keyword(site.call, "tools"), site.module, within)
    tools.sets(keyword(site.call, "toolsets"), site.module, within)
    tools.on(site.names, site.maker)
    deps = keyword(site.call, "deps_type")
    if deps is None and isinstance(site.call.func, ast.Subscript):
        inner = site.call.func.slice
        deps = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
    named = "" if deps is None else tree.resolve(site.module, deps, within) or ast.unparse(deps)
    return Agent(
        module=tree.import_name(site.module),
        path=site.path,
        place=tree.place(site.module, site.call),
        key=site.name,
        way=Way.FUNCTION if site.maker else Way.GLOBAL,
        holders=tuple(tree.holders(site.module, site.path)) if site.maker else (),
        deps="" if named in {"None", "NoneType"} else named,
        tools=tuple({tool.name: tool for tool in tools.found}.values()),
        unclear=tuple(dict.fromkeys(tools.unclear)),
    )


def is_agent_run(tree: Tree, function: FunctionAt, call: ast.Call, sites: Sequence[AgentSite]) -> AgentSite | None:
    """The agent that a call runs, if it is one of these; of one that is reached by no name, the only one there is."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr in _RUNS):
        return None
    on = call.func.value
    name = tree.resolve(function.module, _made_by(function, on) or on, function.within)
    for site in sites:
        if name and (name in site.names or (site.maker is not None and name == site.name)):
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
            return next(
                (
                    each.args[0]
                    for each in given
                    if isinstance(each, ast.Call) and each.args and "Depends" in ast.unparse(each.func)
                ),
                None,
            )
    return None


@dataclass(slots=True, kw_only=True)
class _Registered:
    """The tools of one agent, as they are found."""

    tree: Tree
    calls: Calls
    sites: Sequence[AgentSite]
    found: list[Tool] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def listed(self, node: ast.expr | None, module: Module, within: Sequence[Function], prefix: str = "") -> None:
        """Those in a list."""
        for each in self._elements(node, module, within):
            self._one(each, module, within, prefix)

    def _elements(self, node: ast.expr | None, module: Module, within: Sequence[Function]) -> Iterator[ast.expr]:
        match node:
            case None:
                return
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                for each in elements:
                    yield from (
                        self._elements(each.value, module, within) if isinstance(each, ast.Starred) else (each,)
                    )
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                yield from self._elements(left, module, within)
                yield from self._elements(right, module, within)
            case _:
                there = self.tree.value(self.tree.resolve(module, node, within), module)
                if there is not None and isinstance(there[1], ast.List | ast.Tuple | ast.BinOp):
                    for each in self._elements(there[1], there[0], ()):
                        self._one(each, there[0], (), "")
                    return
                self._cannot_follow(node, module)

    def _one(self, node: ast.expr, module: Module, within: Sequence[Function], prefix: str) -> None:
        """A function, or a `Tool` around one."""
        name = ""
        if isinstance(node, ast.Call) and self.tree.resolve(module, node.func, within) in _TOOLS:
            name = literal_text(keyword(node, "name"))
            inner = node.args[0] if node.args else keyword(node, "function")
            if inner is None:
                return
            node = inner
        resolved = self.tree.resolve(module, node, within)
        function = self.tree.function(resolved, module) if resolved else None
        there = self.tree.value(resolved, module) if function is None else None
        if there is not None and isinstance(there[1], ast.Call):
            self._one(there[1], there[0], (), prefix)
        elif function is None:
            self._cannot_follow(node, module)
        else:
            self._tool(function, name=name, prefix=prefix)

    def _cannot_follow(self, node: ast.expr, module: Module) -> None:
        self.unclear.append(f"{ast.unparse(node)} ({self.tree.place(module, node)})")

    def sets(self, node: ast.expr | None, module: Module, within: Sequence[Function]) -> None:
        """Those of toolsets in a list."""
        for each in self._elements(node, module, within):
            self._set(each, module, within, "")

    def _set(self, node: ast.expr, module: Module, within: Sequence[Function], prefix: str) -> None:
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr=wrapper)) if wrapper in _WRAPPERS:
                first = literal_text(node.args[0] if node.args else keyword(node, "prefix"))
                self._set(inner, module, within, f"{first}_{prefix}" if wrapper == "prefixed" else prefix)
                return
            case ast.Call(func=called) if self.tree.resolve(module, called, within) in _TOOLSETS:
                self.listed(node.args[0] if node.args else keyword(node, "tools"), module, within, prefix)
                return
        name = self.tree.resolve(module, node, within)
        there = self.tree.value(name, module) if name else None
        if there is None:
            self._cannot_follow(node, module)
            return
        self._set(there[1], there[0], (), prefix)
        self.on(frozenset({name}), None, prefix)

    def on(self, names: frozenset[str], maker: FunctionAt | None, prefix: str = "") -> None:
        """Those that are registered on something with these names; a local one within its `maker`."""
        for function in self.tree.functions:
            if maker is not None and maker.node not in function.within:
                continue
            for decorator in function.node.decorator_list:
                if self._registers(decorator, function, names):
                    self._tool(function, name=_name_of(decorator), prefix=prefix, context=_gives_context(decorator))
        for module in self.tree.modules:
            self._by_calls(module, names, maker, prefix)

    def _registers(self, decorator: ast.expr, function: FunctionAt, names: frozenset[str]) -> bool:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not (isinstance(called, ast.Attribute) and called.attr in {"tool", "tool_plain"}):
            return False
        outer = function.within[:-1]
        if isinstance(called.value, ast.Name) and (given := self._given_to(outer, called.value.id)):
            return bool(given & names)
        return self.tree.resolve(function.module, called.value, outer) in names

    def _given_to(self, outer: Sequence[Function], name: str) -> set[str]:
        """What the enclosing function's argument of this name is called with, anywhere; empty if it is no argument."""
        owner = next((each for each in reversed(outer) if name in [a.arg for a, _, _ in arguments_of(each)]), None)
        if owner is None:
            return set()
        position = [argument.arg for argument, _, _ in arguments_of(owner)].index(name)
        found = {""}
        for module in self.tree.modules:
            for call in [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]:
                target = self.tree.function(self.tree.resolve(module, call.func), module)
                if target is not None and target.node is owner:
                    given = call.args[position] if len(call.args) > position else keyword(call, name)
                    found.add(self.tree.resolve(module, given))
        return found

    def _by_calls(self, module: Module, names: frozenset[str], maker: FunctionAt | None, prefix: str) -> None:
        """`agent.tool(f)`, `toolset.add_function(f)`, `agent.tool(name="x")(f)`."""
        within = maker.within if maker is not None and maker.module is module else ()
        for call in [node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and node.args]:
            called = call.func.func if isinstance(call.func, ast.Call) else call.func
            if not (
                isinstance(called, ast.Attribute) and called.attr in {"tool", "tool_plain", "add_function", "add_tool"}
            ):
                continue
            if self.tree.resolve(module, called.value, within) in names:
                self._one(call.args[0], module, within, prefix)

    def _tool(self, function: FunctionAt, *, name: str, prefix: str, context: bool = False) -> None:
        given = arguments_of(function.node)
        first = self.tree.resolve(function.module, given[0][0].annotation, function.within) if given else ""
        takes_context = context or first in _CONTEXTS
        parameters = parameters_of(self.tree, function)[1 if takes_context else 0 :]
        lacking = [each for each in parameters if each.required and not each.has_example]
        self.found.append(
            Tool(
                name=prefix + (name or function.node.name),
                place=self.tree.place(function.module, function.node),
                parameters=parameters,
                deeds=deeds_of(self.calls, function) | self._asks(function),
                unclear=", ".join(f"{each.name}: {each.annotation or 'no type'}" for each in lacking),
            )
        )

    def _asks(self, function: FunctionAt) -> Deeds:
        runs = [
            site.name
            for each in self.calls.below(function)
            for call in each.calls
            if (site := is_agent_run(self.tree, each, call, self.sites)) is not None
        ]
        return Deeds(asks=tuple(dict.fromkeys(runs)))


def _name_of(decorator: ast.expr) -> str:
    return literal_text(keyword(decorator, "name")) if isinstance(decorator, ast.Call) else ""


def _gives_context(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Attribute) and called.attr == "tool"
