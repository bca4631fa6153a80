"""The agents of a project, and their tools.

Tools are registered by decorator, by a call of one, in `tools=[…]`, or in toolsets, each also through a function that
is given the agent.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.adoption.agent_sites import AgentSite, is_agent_run
from harness.adoption.calls import Calls
from harness.adoption.deeds import deeds_of
from harness.adoption.found import Agent, Deeds, Tool, Way
from harness.adoption.parameters import is_static, parameters_of
from harness.adoption.tree import FunctionAt, Tree, arguments_of, keyword, literal_text
from harness.project.module import Function, Module

__all__ = ["find_agents"]

_CONTEXTS = frozenset({"pydantic_ai.RunContext", "pydantic_ai.tools.RunContext"})
_TOOLS = frozenset({"pydantic_ai.Tool", "pydantic_ai.tools.Tool"})
_TOOLSETS = frozenset({"pydantic_ai.toolsets.FunctionToolset", "pydantic_ai.FunctionToolset"})
_WRAPPERS = frozenset({"approval_required", "filtered", "prefixed", "prepared", "renamed", "with_metadata"})


def find_agents(tree: Tree, calls: Calls, sites: Sequence[AgentSite]) -> list[Agent]:
    """The agents of these places."""
    return [_agent(tree, calls, site, sites) for site in sites]


def _agent(tree: Tree, calls: Calls, site: AgentSite, sites: Sequence[AgentSite]) -> Agent:
    tools = _Registered(tree=tree, calls=calls, sites=sites)
    maker = site.maker.module if site.maker is not None else site.module
    tools.listed(keyword(site.call, "tools"), maker, site.within)
    tools.sets(keyword(site.call, "toolsets"), maker, site.within)
    tools.on(site.names, None)
    if site.maker is not None:
        tools.on(frozenset({site.local}), site.maker)
    named = _deps_of(tree, site, maker)
    is_function = site.way is Way.FUNCTION
    return Agent(
        module=tree.import_name(site.module),
        path=site.path,
        place=tree.place(maker, site.call),
        key=site.name,
        way=site.way,
        holders=tuple(tree.holders(site.module, site.path)) if is_function else (),
        maker=tree.looked_up(maker, site.call.func, site.within) if site.way is Way.INSIDE else "",
        deps="" if named in {"None", "NoneType"} else named,
        tools=tuple({tool.name: tool for tool in tools.found}.values()),
        unclear=tuple(dict.fromkeys(tools.unclear)),
    )


def _deps_of(tree: Tree, site: AgentSite, module: Module) -> str:
    deps = keyword(site.call, "deps_type")
    if deps is None and isinstance(site.call.func, ast.Subscript):
        inner = site.call.func.slice
        deps = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
    return "" if deps is None else tree.resolve(module, deps, site.within) or ast.unparse(deps)


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
        self._by_calls(names, maker, prefix)

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
        for module, call, within in self.tree.all_calls:
            if not ast.unparse(call.func).endswith(owner.name):
                continue
            target = self.tree.function(self.tree.resolve(module, call.func, within), module)
            if target is not None and target.node is owner:
                given = call.args[position] if len(call.args) > position else keyword(call, name)
                found.add(self.tree.resolve(module, given, within))
        return found

    def _by_calls(self, names: frozenset[str], maker: FunctionAt | None, prefix: str) -> None:
        """`agent.tool(f)`, `toolset.add_function(f)`, `agent.tool(name="x")(f)`; a local one within its `maker`."""
        for module, call, within in self.tree.all_calls:
            if not call.args or (maker is not None and maker.node not in within):
                continue
            called = call.func.func if isinstance(call.func, ast.Call) else call.func
            if not (
                isinstance(called, ast.Attribute) and called.attr in {"tool", "tool_plain", "add_function", "add_tool"}
            ):
                continue
            if self.tree.resolve(module, called.value, within) in names:
                self._one(call.args[0], module, within, prefix)

    def _tool(self, function: FunctionAt, *, name: str, prefix: str, context: bool = False) -> None:
        given = arguments_of(function.node)[0 if function.owner is None or is_static(function) else 1 :]
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
