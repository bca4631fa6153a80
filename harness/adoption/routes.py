"""How a message gets into the project: the routes that reach an agent, and the functions that run one.

A route is read as FastAPI reads it: what stands in the path, what is a model and so the body, what is a header or a
query, and what is a dependency, whose own arguments count too.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.adoption.agent_sites import AgentSite, is_agent_run
from harness.adoption.aliases import written_as
from harness.adoption.answers import billed_by, names_of_rows, streaming_of
from harness.adoption.calls import Calls
from harness.adoption.found import App, BodyPart, Entry, Kind, Ledger, Parameter, Returned, Route, Way
from harness.adoption.parameters import SESSIONS, fields_of, is_model, is_static, parameter_of, parameters_of
from harness.adoption.tree import FunctionAt, Tree, arguments_of, keyword, literal_text, returns, unwrapped
from harness.adoption.words import words
from harness.project.classes import Class, Field
from harness.project.module import Function, Module

__all__ = ["Ways", "find_apps"]

_APPS = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI", "starlette.applications.Starlette"})
_ROUTERS = frozenset({"fastapi.APIRouter", "fastapi.routing.APIRouter"})
_METHODS = frozenset({"post", "put", "get"})
_GIVEN = frozenset(
    f"{package}.{name}"
    for package in ("fastapi", "starlette.requests", "starlette.responses", "starlette.background", "fastapi.requests")
    for name in ("BackgroundTasks", "Request", "Response", "WebSocket")
)
_TEXT = words("answer reply text message output response content completion result assistant")
_BILL = words("llm_request_id bill_id billing_id usage_id ledger_id llm_usage_id cost_id charge_id")
_CONVERSATION = words("conversation_id session_id thread_id chat_id conversation")
_DEEPEST = 5
_SECRET = re.compile("auth|key|secret|signature|token", re.IGNORECASE)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ways:
    """Finds the routes and functions by which agents are run."""

    tree: Tree
    calls: Calls
    sites: Sequence[AgentSite]
    settings: frozenset[str]
    ledgers: Mapping[str, Ledger]

    @cached_property
    def _runs(self) -> Mapping[FunctionAt, Sequence[str]]:
        found: dict[FunctionAt, list[str]] = {}
        for function in self.tree.functions:
            sites = [is_agent_run(self.tree, function, call, self.sites) for call in function.calls]
            for name in dict.fromkeys(site.name for site in sites if site is not None):
                for each in self.calls.above(function):
                    found.setdefault(each, []).append(name)
        return found

    def agents_below(self, function: FunctionAt) -> tuple[str, ...]:
        """The agents that a function runs, itself or by what it calls."""
        return tuple(dict.fromkeys(self._runs.get(function, ())))

    def routes(self) -> list[Route]:
        """Those that reach an agent."""
        found = []
        for function in self.tree.functions:
            for decorator in function.node.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Attribute(value=on, attr=method)) if method in _METHODS:
                        owner = self.tree.resolve(function.module, on, function.within[:-1])
                        agents = self.agents_below(function) if owner else ()
                        if agents:
                            found.append(self._route(function, decorator, method, owner, agents))
        return found

    def _route(
        self, function: FunctionAt, decorator: ast.Call, method: str, owner: str, agents: tuple[str, ...]
    ) -> Route:
        path = literal_text(decorator.args[0] if decorator.args else keyword(decorator, "path"))
        prefix, unknown = self._prefix(owner, 0)
        asked = _Asked(tree=self.tree, calls=self.calls, settings=self.settings, path=prefix + path)
        asked.of(function)
        streaming = streaming_of(self.calls, function, decorator)
        asked.whole(streaming.whole)
        returned = self._returned(function, keyword(decorator, "response_model"), names=_names_of_answers(decorator))
        return Route(
            module=self.tree.import_name(function.module),
            path=function.qualname,
            place=self.tree.place(function.module, function.node),
            key=f"{function.module.name}.{function.qualname}",
            url=prefix + path,
            method=method,
            agents=agents,
            path_parameters=tuple(asked.in_path),
            query=tuple(asked.query),
            body=tuple(asked.body),
            embedded=asked.embedded,
            headers=tuple(asked.headers),
            returned=returned,
            streams=streaming.always,
            session_dependencies=tuple(asked.sessions),
            unknown=(*unknown, *asked.unknown),
            lost=tuple(asked.lost),
        )

    def _prefix(self, owner: str, depth: int) -> tuple[str, list[str]]:
        """What stands before a route's path: its router's prefix, and those with which the router is included."""
        own, unknown = self._own_prefix(owner)
        if depth > _DEEPEST:
            return own, unknown
        for module, call, within in self.tree.all_calls:
            if not (isinstance(call.func, ast.Attribute) and call.func.attr == "include_router"):
                continue
            if call.args and self.tree.resolve(module, call.args[0], within) == owner:
                given = keyword(call, "prefix")
                outer = self.tree.resolve(module, call.func.value, within)
                above, more = self._prefix(outer, depth + 1)
                text = self._text(module, given)
                if given is not None and not text:
                    more = [*more, f"the prefix {ast.unparse(given)} ({self.tree.place(module, given)})"]
                return above + text + own, [*unknown, *more]
        return own, unknown

    def _own_prefix(self, owner: str) -> tuple[str, list[str]]:
        there = self.tree.value(owner)
        if there is None or not isinstance(there[1], ast.Call):
            return "", []
        given = keyword(there[1], "prefix")
        return self._text(there[0], given), []

    def _text(self, module: Module, node: ast.expr | None) -> str:
        if node is None or literal_text(node):
            return literal_text(node)
        there = self.tree.value(self.tree.resolve(module, node), module)
        return literal_text(there[1]) if there is not None else ""

    def entries(self, routes: Sequence[Route]) -> list[Entry]:
        """Functions and methods that run an agent for a text, those that nothing else calls first."""
        taken = {route.key for route in routes}
        found: list[Entry] = []
        for function in self.tree.functions:
            is_method = _is_public_method(function)
            if not (function.is_top or is_method) or f"{function.module.name}.{function.qualname}" in taken:
                continue
            agents = self.agents_below(function)
            parameters = parameters_of(self.tree, function, settings=self.settings) if agents else ()
            if any(each.kind is Kind.MESSAGE for each in parameters) and not _is_other(function):
                entry = self._entry(function, parameters, agents)
                found += self._of_objects(function, entry) if is_method else [entry]
        called = {
            f"{other.module.name}.{other.qualname}"
            for each in self.tree.functions
            if f"{each.module.name}.{each.qualname}" in {entry.key for entry in found}
            for other in self.calls.callees(each)
        }
        told = [replace(each, called=each.key in called) for each in found]
        return sorted(told, key=lambda each: (each.called, not each.bills))

    def _entry(self, function: FunctionAt, parameters: tuple[Parameter, ...], agents: tuple[str, ...]) -> Entry:
        return Entry(
            module=self.tree.import_name(function.module),
            path=function.qualname,
            place=self.tree.place(function.module, function.node),
            key=f"{function.module.name}.{function.qualname}",
            agents=agents,
            parameters=parameters,
            returned=self._returned(function, None, names=None),
            is_async=isinstance(function.node, ast.AsyncFunctionDef),
            bills=self.calls.any_below(function, self._names_ledger),
        )

    def _of_objects(self, function: FunctionAt, entry: Entry) -> Iterator[Entry]:
        """A method of each object of its class that a module has; else of one that is made for it."""
        owner, _, method = function.qualname.partition(".")
        if is_static(function):
            yield entry
            return
        objects = self.tree.instances(function.module, owner)
        for module, name in objects:
            yield replace(entry, module=self.tree.import_name(module), path=f"{name}.{method}", is_method=True)
        if not objects:
            yield replace(entry, owner=f"{function.module.name}.{owner}", is_method=True)

    def _names_ledger(self, function: FunctionAt) -> bool:
        names = [node for node in ast.walk(function.node) if isinstance(node, ast.Name | ast.Attribute)]
        return any(self.tree.resolve(function.module, node, function.within) in self.ledgers for node in names)

    def _returned(
        self, function: FunctionAt, model: ast.expr | None, *, names: Callable[[Tree, Class, str, Field], str] | None
    ) -> Returned:
        """How an answer is read, from its model, its type, or what is returned; `names` are those of JSON."""
        billed = billed_by(self.calls, function, self.ledgers)
        for annotation in (model, function.node.returns):
            bare = unwrapped(annotation)
            class_ = (
                self.tree.project.class_(self.tree.resolve(function.module, bare, function.within)) if bare else None
            )
            if class_ is not None:
                return self._by_names(self._fields_in(class_, names), billed, by_key=False)
        for node in ast.walk(function.node):
            match node:
                case ast.Return(value=ast.Dict(keys=keys)):
                    literal = [literal_text(key) for key in keys]
                    return self._by_names(dict(zip(literal, literal, strict=True)), billed, by_key=True)
        return Returned()

    def _fields_in(self, class_: Class, names: Callable[[Tree, Class, str, Field], str] | None) -> dict[str, str]:
        """By which name each field of an answer is read: of its own name, and of the one that it is filled by."""
        labels = self.tree.project.fields(class_)
        found: dict[str, str] = {}
        for each in fields_of(self.tree, class_):
            told = (
                names(self.tree, class_, each.name, labels[each.name]) if names and each.name in labels else each.name
            )
            found |= {each.sent_as or each.name: told, each.name: told}
        return found

    def _by_names(self, names: Mapping[str, str], billed: str, *, by_key: bool) -> Returned:
        def first(likely: Sequence[str]) -> str:
            return next((names[name] for name in likely if name in names), "")

        bill = first([billed]) or first([*_BILL, *names_of_rows(self.ledgers.values())])
        return Returned(text=first(_TEXT), bill=bill, conversation=first(_CONVERSATION), by_key=by_key)


def _names_of_answers(decorator: ast.Call) -> Callable[[Tree, Class, str, Field], str] | None:
    """How the fields of a route's answer are called in JSON; `None` if by their own names."""
    by_alias = keyword(decorator, "response_model_by_alias")
    is_off = isinstance(by_alias, ast.Constant) and by_alias.value is False
    return None if is_off else written_as


def _is_public_method(function: FunctionAt) -> bool:
    """Whether it is a method that others call, of a class that is a name of its module."""
    is_method = function.owner is not None and function.qualname.count(".") == 1
    decorated = {ast.unparse(each).rpartition(".")[2] for each in function.node.decorator_list}
    return is_method and not function.node.name.startswith("_") and not decorated & {"classmethod", "property"}


def _is_other(function: FunctionAt) -> bool:
    """Whether it is a tool, or something else that an agent calls; or gives its answer in pieces."""
    given = [each for each in arguments_of(function.node) if each[0].arg != "self"]
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function.node)):
        return True
    return bool(given) and "RunContext" in ast.unparse(given[0][0].annotation or ast.Constant(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Here:
    """An expression, and where it stands: what its names mean is said there."""

    module: Module
    within: Sequence[Function] = ()
    node: ast.expr | None = None


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What a route asks of a request, with what its dependencies ask."""

    tree: Tree
    calls: Calls
    settings: frozenset[str]
    path: str
    in_path: list[Parameter] = field(default_factory=list)
    query: list[Parameter] = field(default_factory=list)
    body: list[BodyPart] = field(default_factory=list)
    embedded: bool = False
    headers: list[Parameter] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Dependencies that were not found."""
    _seen: set[FunctionAt] = field(default_factory=set)

    def of(self, function: FunctionAt) -> None:
        """Sort the arguments of the route's function, or of a dependency."""
        if function in self._seen:
            return
        self._seen.add(function)
        for argument, default, _ in arguments_of(function.node):
            if argument.arg not in {"self", "cls"}:
                self._one(function, argument, default)

    def _one(self, function: FunctionAt, argument: ast.arg, default: ast.expr | None) -> None:
        here = _Here(module=function.module, within=function.within)
        typed = here if argument.annotation is None else self._unaliased(here, argument.annotation)
        bare = unwrapped(typed.node)
        aliased = {} if typed.node is argument.annotation else _marks(typed.node, None)
        for marks, place in ((_marks(argument.annotation, default), here), (aliased, typed)):
            if (call := marks.get("Depends") or marks.get("Security")) is not None:
                is_session = self.tree.resolve(typed.module, bare, typed.within) in SESSIONS
                self._depends(call, place, argument=(function, argument), is_session=is_session)
                return
        self._sent(function, argument, default, _marks(argument.annotation, default) | aliased, typed)

    def _unaliased(self, here: "_Here", annotation: ast.expr) -> "_Here":
        """An annotation, or what it names: `SessionDep = Annotated[AsyncSession, Depends(get_session)]`, and where."""
        bare = unwrapped(annotation)
        named = self.tree.resolve(here.module, bare, here.within) if isinstance(bare, ast.Name | ast.Attribute) else ""
        alias = self.tree.value(named, here.module)
        return replace(here, node=annotation) if alias is None else _Here(module=alias[0], node=alias[1])

    def _sent(
        self,
        function: FunctionAt,
        argument: ast.arg,
        default: ast.expr | None,
        marks: Mapping[str, ast.Call],
        typed: "_Here",
    ) -> None:
        """Sort what is no dependency."""
        called = self.tree.resolve(typed.module, unwrapped(typed.node), typed.within)
        if called in _GIVEN:
            return
        required = default is None or (isinstance(default, ast.Call) and _is_required(default))
        parameter = parameter_of(
            self.tree,
            function.module,
            argument.annotation,
            name=argument.arg,
            required=required,
            settings=self.settings,
        )
        class_ = self.tree.project.class_(called, near=typed.module) if called else None
        embed = keyword(marks["Body"], "embed") if "Body" in marks else None
        self.embedded |= isinstance(embed, ast.Constant) and embed.value is True
        if f"{{{argument.arg}}}" in self.path or f"{{{argument.arg}:" in self.path:
            self.in_path.append(parameter)
        elif "Header" in marks and _SECRET.search(argument.arg):
            self._not_known(function, argument, f"the header {_header(argument.arg, marks['Header'])}")
        elif "Header" in marks:
            self.headers.append(replace(parameter, sent_as=_header(argument.arg, marks["Header"])))
        elif class_ is not None and is_model(self.tree, class_):
            self.body.append(BodyPart(value=parameter, fields=fields_of(self.tree, class_)))
        elif "Body" in marks:
            self.body.append(BodyPart(value=replace(parameter, sent_as=_alias(marks["Body"]))))
        elif "Form" in marks or "File" in marks or "Cookie" in marks:
            self._not_known(function, argument)
        else:
            alias = _alias(marks["Query"]) if "Query" in marks else ""
            self.query.append(replace(parameter, sent_as=alias))

    def _depends(
        self, call: ast.Call, here: "_Here", *, argument: tuple[FunctionAt, ast.arg], is_session: bool
    ) -> None:
        called = call.args[0] if call.args else keyword(call, "dependency")
        target = self.calls.target_in(here.module, called, here.within) if called is not None else None
        if target is not None:
            if is_session:
                self.sessions.append(f"{self.tree.import_name(target.module)}.{target.qualname}")
            self.of(target)
        elif called is not None and self._asks_who(replace(here, node=called)):
            self._not_known(*argument)
        elif called is not None:
            self.lost.append(f"{ast.unparse(called)} ({self.tree.place(argument[0].module, argument[1])})")

    def _asks_who(self, given: "_Here") -> bool:
        """Whether a dependency is one of FastAPI's that read who sends a request, or of a class made from one."""
        value = self.tree.value(self.tree.resolve(given.module, given.node, given.within), given.module)
        there = given if value is None else _Here(module=value[0], node=value[1])
        if not isinstance(there.node, ast.Call):
            return False
        made = self.tree.resolve(there.module, there.node.func, there.within)
        class_ = self.tree.project.class_(made, near=there.module) if made else None
        above = self.tree.project.ancestors(class_) if class_ is not None else (made,)
        return any(isinstance(each, str) and each.startswith("fastapi.security.") for each in above)

    def _not_known(self, function: FunctionAt, argument: ast.arg, said: str = "") -> None:
        self.unknown.append(f"{said or argument.arg} ({self.tree.place(function.module, argument)})")

    def whole(self, values: Mapping[str, bool]) -> None:
        """Ask for a whole answer, by the fields and arguments that say whether it comes in pieces."""
        self.query = [_asking(each, values) for each in self.query]
        self.body = [
            replace(part, value=_asking(part.value, values))
            if part.fields is None
            else replace(part, fields=tuple(_asking(each, values) for each in part.fields))
            for part in self.body
        ]


def _asking(parameter: Parameter, values: Mapping[str, bool]) -> Parameter:
    is_flag = parameter.example is True
    if parameter.name not in values or not is_flag:
        return parameter
    return replace(parameter, kind=Kind.WHOLE, example=values[parameter.name])


def _alias(mark: ast.Call) -> str:
    return literal_text(keyword(mark, "validation_alias")) or literal_text(keyword(mark, "alias"))


def _header(name: str, mark: ast.Call) -> str:
    """The header that an argument is read from: FastAPI writes hyphens for underscores, unless it is told not to."""
    converts = keyword(mark, "convert_underscores")
    is_kept = isinstance(converts, ast.Constant) and converts.value is False
    return _alias(mark) or (name if is_kept else name.replace("_", "-"))


def _marks(annotation: ast.expr | None, default: ast.expr | None) -> dict[str, ast.Call]:
    """`Depends(…)`, `Header(…)` and the like, by name."""
    parts = [part for part in (annotation, default) if part is not None]
    found = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Call)]
    return {ast.unparse(each.func).rpartition(".")[2]: each for each in found}


def _is_required(default: ast.Call) -> bool:
    """Whether `Query(…)` or `Header(…)` gives no default."""
    first = default.args[0] if default.args else keyword(default, "default")
    return first is None or (isinstance(first, ast.Constant) and first.value is ...)


def find_apps(tree: Tree, settings: frozenset[str]) -> list[App]:
    """The applications: objects of modules, and functions that return one."""
    found = []
    for module, call, within in tree.calls_of(_APPS):
        function = tree.by_node.get(within[-1]) if within else None
        if function is not None and function.is_top and returns(function, call):
            parameters = parameters_of(tree, function, settings=settings)
            found.append(_app(tree, module, function.qualname, function.node, way=Way.FUNCTION, parameters=parameters))
        names = [name for name, bound in module.bindings.items() if getattr(bound, "value", None) is call]
        found += [_app(tree, module, name, call, way=Way.GLOBAL) for name in names]
    return found


def _app(
    tree: Tree, module: Module, path: str, node: ast.AST, *, way: Way, parameters: tuple[Parameter, ...] = ()
) -> App:
    return App(
        module=tree.import_name(module),
        path=path,
        place=tree.place(module, node),
        key=f"{module.name}.{path}",
        way=way,
        parameters=parameters,
    )
