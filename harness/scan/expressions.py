"""What expressions give."""

import ast
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.project.classes import Class
from harness.project.module import Module
from harness.scan.agents import Agents
from harness.scan.environment import Environment, Yield
from harness.scan.trace import Nature
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    Constant,
    External,
    FunctionValue,
    Kind,
    Method,
    ModuleValue,
    Pending,
    Place,
    Step,
    Super,
    Thing,
    Value,
    Values,
    joined,
    key_in,
)

__all__ = ["Expressions", "state_of"]

_Handler = Callable[["Expressions", ast.expr, Environment], Values]
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
_LIBRARY_KINDS = frozenset(Kind) - {Kind.INSTANCE, Kind.RUN_CONTEXT, Kind.DEPENDS, Kind.GUARD, Kind.OPAQUE}


class Expressions(Agents, ABC):
    """Evaluates expressions."""

    def evaluate(self, node: ast.expr | None, scope: Environment) -> Values:
        """What the expression gives, and what it does."""
        if node is None:
            return UNKNOWN
        self.spend()
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, scope)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, scope)
        return UNKNOWN

    def settle(self, values: Values, place: Place) -> Values:
        """What `await` gives."""
        found: Values = UNKNOWN
        for value in values:
            match value:
                case Pending():
                    found = joined(found, self.settle(value.run(), place))
                case Thing(kind=Kind.TASK):
                    found = joined(found, self.await_task(value))
                case Thing(kind=Kind.OPAQUE):
                    found = joined(found, self._settle_opaque(value, place))
                case Thing(kind=Kind.SIGNAL):
                    self.use(value, "await", Nature.TAKE, place)
                    found = joined(found, *value.items)
                case _:
                    found = joined(found, (value,))
        return found

    def _settle_opaque(self, thing: Thing, place: Place) -> Values:
        """Something of a library is awaited: it uses what it was given."""
        found: Values = UNKNOWN
        for each in thing.carried:
            if isinstance(each, Pending):
                found = joined(found, self.settle((each,), place))
            elif isinstance(each, Thing) and each.kind is Kind.SESSION:
                self.use(each, thing.name, Nature.AWAITED, place)
            elif isinstance(each, Thing) and each.kind is Kind.TASK:
                found = joined(found, self.await_task(each))
        return found or (thing,)

    def call(self, callee: Value, given: Arguments) -> Values:
        """What a call gives."""
        match callee:
            case FunctionValue():
                return self.call_function(callee, given)
            case ClassValue():
                return self._made_by(callee, given)
            case External():
                return self._completed(self.call_external(callee, given), given)
            case Method():
                return self._called_method(callee, given)
            case Thing():
                return self._called_thing(callee, given)
            case _:
                return UNKNOWN

    def _called_method(self, method: Method, given: Arguments) -> Values:
        if method.thing.kind in {Kind.AGENT, Kind.TOOLSET}:
            return self.agent_method(method.thing, method.name, given)
        return self.call_method(method, given)

    def _made_by(self, callee: ClassValue, given: Arguments) -> Values:
        found = self.instantiate(callee, given)
        return self._completed(found, given)

    def _completed(self, found: Values, given: Arguments) -> Values:
        for thing in found:
            if isinstance(thing, Thing) and thing.made.place == given.place:
                if thing.kind in {Kind.AGENT, Kind.TOOLSET} and thing not in self.agents:
                    self.make_agent(thing, given)
                elif thing.kind is Kind.TOOL:
                    self.make_tool(thing, given)
        return found

    def _called_thing(self, thing: Thing, given: Arguments) -> Values:
        if thing.name == "decorator" and isinstance(thing.data, tuple):
            owner, name, options = thing.data
            self.agent_method(owner, name, replace(options, positional=given.positional[:1]))
            return given.get(0)
        return self.call_thing(thing, given)

    def attribute(self, value: Value, name: str, place: Place) -> Values:
        """What an attribute is."""
        match value:
            case Thing():
                return self._thing_attribute(value, name, place)
            case ModuleValue(module=module):
                return self.member(module, name)
            case External(name=owner):
                return (External(name=f"{owner}.{name}"),)
            case ClassValue():
                return self._class_attribute(value, name)
            case Super(thing=thing, after=class_):
                return self._method(thing, name, place, after=class_)
            case _:
                return UNKNOWN

    def _thing_attribute(self, thing: Thing, name: str, place: Place) -> Values:
        if name in thing.attributes and name != "":
            return thing.attributes[name]
        if thing.class_ is not None:
            return self._instance_attribute(thing, name, place)
        if thing.kind is Kind.SESSION and name in {"sync_session", "sync_connection"}:
            return (thing,)
        if thing.kind in _LIBRARY_KINDS or (thing.kind is Kind.OPAQUE and thing.carried):
            return (Method(thing=thing, name=name),)
        if thing.kind is Kind.OPAQUE and thing.data is not None:
            inner = self.make(Kind.OPAQUE, thing.made, name=f"{thing.name}.{name}")
            inner.born = thing.born
            inner.data = thing.data
            thing.attributes[name] = (inner,)
            return (inner,)
        return UNKNOWN

    def _instance_attribute(self, thing: Thing, name: str, place: Place) -> Values:
        if found := self._method(thing, name, place):
            return found
        self.fill(thing) if name != "__init__" else None
        if name in thing.attributes:
            return thing.attributes[name]
        if (own := self._field(thing, name)) is not None:
            thing.attributes[name] = own
            return own
        if not name.startswith("__"):
            self.find_setter(thing, name)
            if name in thing.attributes:
                return thing.attributes[name]
        if thing.kind is not Kind.INSTANCE or thing.carried:
            return (Method(thing=thing, name=name),)
        return UNKNOWN

    def _method(self, thing: Thing, name: str, place: Place, *, after: Class | None = None) -> Values:
        """The method of the nearest class that has it; beyond `after`, if that is given."""
        passed = after is None
        for class_ in self.project.ancestors(thing.class_) if thing.class_ is not None else ():
            if passed and isinstance(class_, Class) and name in class_.methods:
                return self._bound_method(thing, class_, name, place)
            passed = passed or class_ is after
        return UNKNOWN

    def _bound_method(self, thing: Thing, class_: Class, name: str, place: Place) -> Values:
        node = class_.methods[name]
        marks = _marks(node)
        environment = thing.data if class_ is thing.class_ and isinstance(thing.data, Environment) else None
        scope = environment or self.module_environment(class_.module)
        found: list[Value] = []
        for each in self.defined(node, scope, class_=class_):
            if not isinstance(each, FunctionValue) or "staticmethod" in marks:
                found.append(each)
            elif marks & {"property", "cached_property"}:
                given = self.call(self.with_first(each, thing), Arguments(place=place))
                if "cached_property" in marks:
                    thing.attributes[name] = given
                return given
            elif "classmethod" in marks:
                found.append(
                    replace(each, bound=True, first=[(ClassValue(class_=class_, environment=scope),), *each.first])
                )
            else:
                found.append(self.with_first(each, thing))
        return tuple(found)

    def _field(self, thing: Thing, name: str) -> Values | None:
        """What a field of the class is: what its annotation says of a symbolic thing, or the class's own value."""
        assert thing.class_ is not None  # noqa: S101  # for the type checker
        each = self.project.fields(thing.class_).get(name)
        if each is None:
            return None
        owner = self.project.owner(thing.class_, name)
        scope = thing.data if owner is thing.class_ and isinstance(thing.data, Environment) else None
        scope = scope or self.module_environment(owner.module)
        place = Place(file=str(owner.module.path), line=each.line)
        thing.fields[name] = place
        if each.annotation is not None and (thing.symbolic or each.default is None):
            made = Step(place=place, words=f"it is the field `{name}` of `{owner.node.name}`")
            if found := self.symbolic(each.annotation, scope, made, thing.born) or self.some(each.annotation):
                return found
        key = owner.name, name
        self.beginning.asked.add(key)
        if key not in self.class_attributes:
            with self.anywhere(once=True):
                self.class_attributes[key] = self.evaluate(each.default, scope)
        return self.class_attributes[key]

    def _class_attribute(self, value: ClassValue, name: str) -> Values:
        for class_ in self.project.ancestors(value.class_):
            if isinstance(class_, str):
                return (External(name=f"{class_}.{name}"),)
            if name in class_.methods:
                scope = value.environment if class_ is value.class_ else self.module_environment(class_.module)
                found = self.defined(class_.methods[name], scope, class_=class_)
                if "classmethod" in _marks(class_.methods[name]):
                    return tuple(
                        replace(each, bound=True, first=[(value,)]) if isinstance(each, FunctionValue) else each
                        for each in found
                    )
                return found
            self.beginning.asked.add((class_.name, name))
            if (class_.name, name) in self.class_attributes:
                return self.class_attributes[class_.name, name]
            if name in class_.fields:
                scope = self.module_environment(class_.module)
                with self.anywhere(once=True):
                    self.class_attributes[class_.name, name] = self.evaluate(class_.fields[name].default, scope)
                return self.class_attributes[class_.name, name]
        return UNKNOWN

    def _name(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Name)  # noqa: S101  # for the type checker
        found = scope.find(node.id)
        if found is not None:
            return self.named_here(found)
        module = self.member(scope.module, node.id)
        return self.named_here(module) or (External(name=f"builtins.{node.id}"),)

    def named_here(self, values: Values) -> Values:
        """Functions, as they are where they are named: what is done with them is done in these branches."""
        if not self.arms:
            return values
        return tuple(
            replace(each, arms=each.arms | self.arms) if isinstance(each, FunctionValue) else each for each in values
        )

    def chosen_here(self, values: Values) -> Values:
        """What is chosen in a branch: of lists and toolsets, those that are chosen are others than elsewhere."""
        return tuple(map(self._chosen, values)) if self.arms else values

    def _chosen(self, value: Value) -> Value:
        match value:
            case Pending():
                return replace(value, run=self.from_here(value.run))
            case FunctionValue():
                return replace(value, arms=value.arms | self.arms)
            case Thing(kind=Kind.TOOL | Kind.TOOLSET):
                tools = [replace(each, arms=each.arms | self.arms) for each in value.tools]
                return replace(value, tools=tools)
            case Thing(kind=Kind.SEQUENCE) if any(map(_may_be_tools, value.items)):
                return replace(value, items=[self.chosen_here(each) for each in value.items])
            case _:
                return value

    def member(self, module: Module, name: str) -> Values:
        """What a module's name is bound to."""
        environment = self.module_environment(module)
        if name in environment.names:
            return environment.names[name]
        dotted = self.project.resolve(module, name)
        return (
            self.imported(dotted, module)
            if dotted and dotted != f"{module.name}.{name}"
            else self._submodule(module, name)
        )

    def _submodule(self, module: Module, name: str) -> Values:
        inner = self.project.module(f"{module.name}.{name}", near=module) if module.package else None
        return (ModuleValue(module=inner),) if inner is not None else UNKNOWN

    def imported(self, dotted: str, near: Module) -> Values:
        """What a dotted name is: of the project, or of a library."""
        module = self.project.module(dotted, near=near)
        if module is not None and not self.project.hides(dotted, near=near):
            return (ModuleValue(module=module),)
        owner, _, name = dotted.rpartition(".")
        above = self.project.module(owner, near=near) if owner else None
        if above is None:
            return (External(name=dotted),)
        environment = self.module_environment(above)
        if name in environment.names:
            return environment.names[name]
        definition = self.project.definition(dotted, near=near)
        if definition is None:
            return UNKNOWN
        return self.bound_early(definition.binding, environment)

    def bound_early(self, binding: object, environment: Environment) -> Values:
        """What a definition gives to whoever imports it in a circle, before it was reached."""
        match binding:
            case ast.ClassDef():
                return (self.class_value(binding, environment),)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return (self.function_value(binding, environment),)
            case _:
                return UNKNOWN

    def class_value(self, node: ast.ClassDef, scope: Environment) -> ClassValue:
        """A class that is defined now."""
        known = self.project.class_(f"{scope.module.name}.{node.name}", near=scope.module)
        class_ = known if known is not None and known.node is node else self.project.class_of(scope.module, node)
        return ClassValue(class_=class_, environment=scope)

    def defined(self, node: ast.stmt, scope: Environment, *, class_: Class | None = None) -> Values:
        """A function with its decorators."""
        raise NotImplementedError

    def _attribute(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Attribute)  # noqa: S101  # for the type checker
        place = self.place(node, scope)
        owners = self.evaluate(node.value, scope)
        found = joined(UNKNOWN, *(self.attribute(owner, node.attr, place) for owner in owners))
        kept = state_of(node.value)
        if kept is None:
            return found
        self.beginning.asked.add((kept, node.attr))
        return joined(self.kept_states.get((kept, node.attr), UNKNOWN), found)

    def _call(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Call)  # noqa: S101  # for the type checker
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return self._super(scope)
        callees = self.evaluate(node.func, scope)
        given = self._given(node, scope)
        if not callees:
            return self._unknown(External(name="something"), given)
        return joined(UNKNOWN, *(self.call(callee, given) for callee in callees))

    def _super(self, scope: Environment) -> Values:
        function = scope.function
        if function is None or function.class_ is None or not scope.names:
            return UNKNOWN
        owner = next(iter(scope.names.values()))
        return tuple(Super(thing=each, after=function.class_) for each in owner if isinstance(each, Thing))

    def _given(self, node: ast.Call, scope: Environment) -> Arguments:
        positional: list[Values] = []
        for each in node.args:
            if isinstance(each, ast.Starred):
                values = self.evaluate(each.value, scope)
                positional += self.elements(values)
            else:
                positional.append(self.evaluate(each, scope))
        named: dict[str, Values] = {}
        for keyword in node.keywords:
            values = self.evaluate(keyword.value, scope)
            if keyword.arg is not None:
                named[keyword.arg] = values
                continue
            for value in values:
                named.update(value.attributes if isinstance(value, Thing) else {})
        return Arguments(positional=positional, named=named, place=self.place(node, scope))

    def _await(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Await)  # noqa: S101  # for the type checker
        return self.settle(self.evaluate(node.value, scope), self.place(node, scope))

    def _constant(self, node: ast.expr, _: Environment) -> Values:
        assert isinstance(node, ast.Constant)  # noqa: S101  # for the type checker
        return (Constant(value=node.value),)

    def _sequence_of(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.List | ast.Tuple | ast.Set)  # noqa: S101  # for the type checker
        items: list[Values] = []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                items += self.elements(self.evaluate(each.value, scope))
            else:
                items.append(self.evaluate(each, scope))
        return (self.sequence(self.place(node, scope), items),)

    def _mapping_of(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Dict)  # noqa: S101  # for the type checker
        thing = self.make(Kind.MAPPING, Step(place=self.place(node, scope), words="it is put together here"))
        for order, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
            values = self.evaluate(value, scope)
            if key is None:
                for each in values:
                    thing.attributes.update(each.attributes if isinstance(each, Thing) else {})
                continue
            thing.attributes[key_in(self.constant(self.evaluate(key, scope))) or f" {order}"] = values
        return (thing,)

    def _item(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Subscript)  # noqa: S101  # for the type checker
        owners = self.evaluate(node.value, scope)
        keys = self.evaluate(node.slice, scope)
        found: Values = UNKNOWN
        for owner in owners:
            if isinstance(owner, Thing) and owner.kind in {Kind.MAPPING, Kind.SEQUENCE, Kind.INSTANCE}:
                found = joined(found, self.item(owner, self.constant(keys)))
            elif isinstance(owner, External | ClassValue):
                found = joined(found, (owner,))  # `Agent[Deps, str]` is `Agent`
        return found

    def _either(self, node: ast.expr, scope: Environment) -> Values:
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.evaluate(test, scope)
                visit, turned = self.visit(test, scope)
                sides: list[Values] = []
                for side, each in enumerate((body, orelse)):
                    with self.under_arms(frozenset({(visit, side ^ turned)})):
                        sides.append(self.chosen_here(self.evaluate(each, scope)))
                return joined(*sides)
            case ast.BoolOp(values=values):
                return joined(UNKNOWN, *(self.evaluate(each, scope) for each in values))
            case ast.NamedExpr(target=target, value=value):
                found = self.evaluate(value, scope)
                scope.bind(target.id, found)
                return found
            case ast.BinOp(left=left, right=right):
                return self._added(self.evaluate(left, scope), self.evaluate(right, scope), self.place(node, scope))
            case _:
                return UNKNOWN

    def _added(self, left: Values, right: Values, place: Place) -> Values:
        both = [each for each in (*left, *right) if isinstance(each, Thing)]
        if both and all(each.kind is Kind.SEQUENCE for each in both):
            return (self.sequence(place, [item for each in both for item in each.items]),)
        if both and all(each.kind is Kind.MAPPING for each in both):
            thing = self.make(Kind.MAPPING, both[0].made)
            for each in both:
                thing.attributes.update(each.attributes)
            return (thing,)
        return UNKNOWN

    def _lambda(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Lambda)  # noqa: S101  # for the type checker
        defaults = self.defaults(node.args, scope)
        return (FunctionValue(node=node, name="lambda", environment=scope, defaults=defaults),)

    def defaults(self, arguments: ast.arguments, scope: Environment) -> dict[str, Values]:
        """The defaults of parameters, evaluated when the function is defined."""
        ordered = [*arguments.posonlyargs, *arguments.args]
        with_default = ordered[len(ordered) - len(arguments.defaults) :]
        found = {
            each.arg: self.evaluate(value, scope) for each, value in zip(with_default, arguments.defaults, strict=True)
        }
        for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if value is not None:
                found[each.arg] = self.evaluate(value, scope)
        return found

    def _comprehension(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp)  # noqa: S101  # for the type checker
        inner = Environment(module=scope.module, outer=scope, function=scope.function)
        items: list[Values] = []
        rows = self._rows(node.generators[0], scope)
        for order, row in enumerate(rows):
            with self.in_round(order):
                items.append(self._one_of(node, row, inner))
        return (self.sequence(self.place(node, scope), items),)

    def _one_of(self, node: _Comprehension, row: Values, inner: Environment) -> Values:
        self.assign(node.generators[0].target, row, inner)
        for generator in node.generators[1:]:
            self.assign(generator.target, joined(UNKNOWN, *self.elements(self.evaluate(generator.iter, inner))), inner)
        for condition in node.generators[0].ifs:
            self.evaluate(condition, inner)
        return self.evaluate(node.value if isinstance(node, ast.DictComp) else node.elt, inner)

    def _rows(self, generator: ast.comprehension, scope: Environment) -> list[Values]:
        """What the first target takes on: two rounds at least, so that each round meets another."""
        found = self.elements(self.evaluate(generator.iter, scope))[:6] or [UNKNOWN]
        return found if len(found) > 1 else [*found, *found]

    def assign(self, target: ast.expr, values: Values, scope: Environment) -> None:
        """Bind a target."""
        raise NotImplementedError

    def _yield(self, node: ast.expr, scope: Environment) -> Values:
        value = node.value if isinstance(node, ast.Yield) else None
        values = self.evaluate(value, scope)
        if isinstance(node, ast.YieldFrom):
            values = joined(UNKNOWN, *self.elements(self.evaluate(node.value, scope)))
        owner = scope
        owner.yields.append(Yield(values=values, index=len(self.trace.events), held=self.held))
        return UNKNOWN

    def _starred(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Starred)  # noqa: S101  # for the type checker
        return joined(UNKNOWN, *self.elements(self.evaluate(node.value, scope)))


def state_of(node: ast.expr) -> str | None:
    """Whose state an expression is that ends with `.state`: the application's, or the request's."""
    if not isinstance(node, ast.Attribute) or node.attr != "state":
        return None
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return "request" if name in {"request", "req", "websocket", "connection"} else "application"


def _may_be_tools(values: Values) -> bool:
    return any(
        isinstance(each, FunctionValue) or (isinstance(each, Thing) and each.kind in {Kind.TOOL, Kind.TOOLSET})
        for each in values
    )


def _marks(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The last parts of the names of the decorators."""
    found: set[str] = set()
    for each in node.decorator_list:
        head = each.func if isinstance(each, ast.Call) else each
        if isinstance(head, ast.Name):
            found.add(head.id)
        elif isinstance(head, ast.Attribute):
            found.add(head.attr)
    return found


_E = Expressions
_HANDLERS: Mapping[type[ast.expr], _Handler] = {
    ast.Name: _E._name,
    ast.Attribute: _E._attribute,
    ast.Call: _E._call,
    ast.Await: _E._await,
    ast.Constant: _E._constant,
    ast.List: _E._sequence_of,
    ast.Tuple: _E._sequence_of,
    ast.Set: _E._sequence_of,
    ast.Dict: _E._mapping_of,
    ast.Subscript: _E._item,
    ast.IfExp: _E._either,
    ast.BoolOp: _E._either,
    ast.NamedExpr: _E._either,
    ast.BinOp: _E._either,
    ast.Lambda: _E._lambda,
    ast.ListComp: _E._comprehension,
    ast.SetComp: _E._comprehension,
    ast.GeneratorExp: _E._comprehension,
    ast.DictComp: _E._comprehension,
    ast.Yield: _E._yield,
    ast.YieldFrom: _E._yield,
    ast.Starred: _E._starred,
}
