"""What expressions give."""

import ast
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.scan.attributes import Attributes
from harness.scan.calls import is_loaded
from harness.scan.choices import one_of
from harness.scan.counting import calculated, repeated
from harness.scan.environment import Environment, Yield
from harness.scan.iterators import EXACT, SLICE
from harness.scan.lookups import expressions_in
from harness.scan.state import OutOfSteps
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

__all__ = ["Expressions", "goes_on", "state_of"]

_Handler = Callable[["Expressions", ast.expr, Environment], Values]
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


class Expressions(Attributes, ABC):
    """Evaluates expressions."""

    __slots__ = ()

    def evaluate(self, node: ast.expr | None, scope: Environment) -> Values:
        """What the expression gives, and what it does."""
        if node is None:
            return UNKNOWN
        self.left -= 1
        if self.left < 0:
            raise OutOfSteps
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, scope)
        for child in expressions_in(node):
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

    def _name(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Name)  # noqa: S101  # for the type checker
        found = scope.find(node.id)
        if found is None:
            found = self.member(scope.module, node.id) or (External(name=f"builtins.{node.id}"),)
        return self.named_here(found) if self.arms else found

    def named_here(self, values: Values) -> Values:
        """Functions, as they are where they are named: what is done with them is done in these branches."""
        if not self.arms:
            return values
        return tuple([each.under(self.arms) if isinstance(each, FunctionValue) else each for each in values])

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

    def _attribute(self, node: ast.expr, scope: Environment) -> Values:
        assert isinstance(node, ast.Attribute)  # noqa: S101  # for the type checker
        place = self.place(node, scope)
        owners = one_of(self.evaluate(node.value, scope))
        found = joined(*[self.attribute(owner, node.attr, place) for owner in owners])
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
        if goes_on(node):
            self.around_requests()
        if not callees:
            return self._unknown(External(name="something"), given)
        return joined(*[self.call(callee, given) for callee in callees])

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
        thing = self.sequence(self.place(node, scope), items)
        thing.data = None if any(isinstance(each, ast.Starred) for each in node.elts) else EXACT
        return (thing,)

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
        owners = one_of(self.evaluate(node.value, scope))
        if isinstance(node.slice, ast.Slice):
            return self._slice(owners, node.slice, self.place(node, scope), scope)
        keys = self.evaluate(node.slice, scope)
        found: Values = UNKNOWN
        for owner in owners:
            if is_loaded(owner):
                found = joined(found, (owner,))
            elif isinstance(owner, Thing) and owner.kind in {Kind.MAPPING, Kind.SEQUENCE, Kind.INSTANCE}:
                found = joined(found, self.item(owner, self.constant(keys)))
            elif isinstance(owner, External | ClassValue):
                found = joined(found, (owner,))  # `Agent[Deps, str]` is `Agent`
        return found

    def _slice(self, owners: Values, node: ast.Slice, place: Place, scope: Environment) -> Values:
        """A part of a sequence, if it is known which; of rows a part is as good as all."""
        ends = (node.lower, node.upper, node.step)
        given = [self.constant(self.evaluate(each, scope)) for each in ends]
        numbers = [each for each in given if each is None or isinstance(each, int)]
        known = (
            numbers if all(each is None or own is not None for each, own in zip(ends, numbers, strict=False)) else []
        )
        found: Values = UNKNOWN
        for each in owners:
            if isinstance(each, Thing) and each.kind is Kind.SEQUENCE and len(known) == len(ends):
                part = self.sequence(place, each.items[slice(*known)])
                part.data = each.data
                found = joined(found, (part,))
            elif is_loaded(each):
                found = joined(found, (each,))
        if not found:
            thing = self.make(Kind.OPAQUE, Step(place=place, words="it is a part of something"), name="slice")
            thing.data = SLICE
            found = (thing,)
        return found

    def _either(self, node: ast.expr, scope: Environment) -> Values:
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.evaluate(test, scope)
                visit, turned = self.visit(test, scope)
                if node in self.chosen:
                    return self.chosen_here(self.evaluate((body, orelse)[self.chosen[node]], scope))
                sides: list[Values] = []
                for side, each in enumerate((body, orelse)):
                    if (visit, 1 - (side ^ turned)) in self.arms:
                        continue
                    with self.under_arms(frozenset({(visit, side ^ turned)})):
                        sides.append(self.chosen_here(self.evaluate(each, scope)))
                return joined(*sides)
            case ast.BoolOp(values=values):
                return joined(UNKNOWN, *(self.evaluate(each, scope) for each in values))
            case ast.NamedExpr(target=target, value=value):
                found = self.evaluate(value, scope)
                scope.bind(target.id, found)
                return found
            case ast.BinOp():
                return self._calculated(node, scope)
            case _:
                return UNKNOWN

    def _calculated(self, node: ast.BinOp, scope: Environment) -> Values:
        left, right = self.evaluate(node.left, scope), self.evaluate(node.right, scope)
        if isinstance(node.op, ast.Mult):
            return self._repeated(left, right, node, scope) or self._repeated(right, left, node, scope)
        number = calculated(node, self.constant(left), self.constant(right))
        return self._added(left, right, self.place(node, scope)) if number is None else (Constant(value=number),)

    def _repeated(self, values: Values, count: Values, node: ast.expr, scope: Environment) -> Values:
        """A list, some times after itself."""
        found: Values = UNKNOWN
        for each in values:
            if isinstance(each, Thing) and each.kind is Kind.SEQUENCE:
                again = self.sequence(self.place(node, scope), each.items * repeated(self.constant(count)))
                found = joined(found, (again,))
        return found

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
        kept = self.make(Kind.MAPPING, Step(place=self.place(node, scope), words="it is put together here"))
        rows = self._rows(node.generators[0], scope)
        for order, row in enumerate(rows):
            with self.in_round(order):
                items.append(self._one_of(node, row, inner))
                if isinstance(node, ast.DictComp):
                    kept.items.append(self.evaluate(node.key, inner))
                    kept.attributes[key_in(self.constant(kept.items[-1])) or self.unknown_key()] = items[-1]
        return (kept,) if isinstance(node, ast.DictComp) else (self.sequence(kept.made.place, items),)

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


def goes_on(node: ast.Call) -> bool:
    """Whether a middleware goes on to what is inside of it: `call_next(request)`, `self.app(scope, receive, send)`."""
    if isinstance(node.func, ast.Name) and node.func.id == "call_next":
        return True
    match node.args:
        case [_, ast.Name(id="receive"), ast.Name(id="send")]:
            return True
        case _:
            return False


def _may_be_tools(values: Values) -> bool:
    return any(
        isinstance(each, FunctionValue) or (isinstance(each, Thing) and each.kind in {Kind.TOOL, Kind.TOOLSET})
        for each in values
    )


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
