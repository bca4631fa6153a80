"""What statements do: they define, bind and import names; compound ones are followed by `Blocks`."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.project.classes import Class
from harness.project.module import Module, import_bindings
from harness.scan.arms import NOWHERE, exclusive
from harness.scan.blocks import Blocks, merged
from harness.scan.calls import is_loaded
from harness.scan.choices import Choices, End, are_alternatives, choices_of, crossed, may_choose, one_of
from harness.scan.environment import Environment
from harness.scan.expressions import state_of
from harness.scan.known import key_of
from harness.scan.meetings import Meetings
from harness.scan.trace import Child
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    External,
    FunctionValue,
    Kind,
    Method,
    Place,
    Step,
    Thing,
    Value,
    Values,
    joined,
    key_in,
)

__all__ = ["Interpreter"]

_Handler = Callable[["Interpreter", ast.stmt, Environment], bool]
_WAYS = 3
_ENDING = (ast.If, ast.Match, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Assign, ast.AnnAssign)
_MANAGERS = frozenset({"contextmanager", "asynccontextmanager"})
_CACHES = frozenset({"cache", "lru_cache"})


class Interpreter(Meetings, Blocks):
    """Follows statements."""

    __slots__ = ()

    def execute(self, body: Sequence[ast.stmt], scope: Environment) -> bool:
        """Follow the statements; whether what comes after them is never reached."""
        for order, node in enumerate(body, start=1):
            self.spend()
            handler = _HANDLERS.get(type(node))
            if handler is None:
                continue
            if self.ways < _WAYS and may_choose(node, scope.module):
                choices = choices_of(node, body[order:])
                if choices is not None:
                    return self._both_ways(choices, node, body[order:], scope)
            if handler(self, node, scope):
                return True
            if self.crossings and self._is_crossed(node) and order < len(body):
                return self._each_way(self.crossings, body[order:], scope)
        return False

    def _is_crossed(self, node: ast.stmt) -> bool:
        """Whether the branch, or the choice, that was followed last is this statement, or its last part."""
        if not isinstance(node, _ENDING) or self.ways >= _WAYS:
            self.crossings = []
        return bool(self.crossings)

    def _both_ways(self, choices: Choices, node: ast.stmt, rest: Sequence[ast.stmt], scope: Environment) -> bool:
        """Follow a statement, and what comes after it, once for each side of the test of its choices."""
        visit, _ = self.visit(choices.test, scope)
        before, arms = scope.names, self.arms
        ends: list[End] = []
        for side in (0, 1):
            if (visit, 1 - side) in arms:
                continue
            scope.names, self.arms = dict(before), arms | {(visit, side)}
            self.chosen = {each: side ^ turned for each, turned in choices.turned.items()}
            if not _HANDLERS[type(node)](self, node, scope):
                ends.append(End(names=scope.names, arms=self.arms))
        self.chosen, self.arms = {}, arms
        return not ends or self._each_way(ends, rest, scope)

    def _each_way(self, starts: Sequence[End], rest: Sequence[ast.stmt], scope: Environment) -> bool:
        """Follow the rest of a block from each of these."""
        arms, held, ends = self.arms, self.held, []
        self.ways += 1
        for start in starts:
            scope.names, self.arms, self.held, self.crossings = dict(start.names), start.arms, held, []
            if not self.execute(rest, scope):
                ends.append(End(names=scope.names, arms=self.arms))
        self.ways -= 1
        self.arms = ends[0].arms if len(ends) == 1 else arms
        scope.names = merged([each.names for each in ends or starts])
        self.crossings = ends if crossed(ends) else []
        return not ends

    def module_environment(self, module: object) -> Environment:
        """The names of a module, which is followed when it is first asked for."""
        assert isinstance(module, Module)  # noqa: S101  # for the type checker
        if module not in self.modules:
            scope = self.modules[module] = Environment(module=module)
            before = self.held, self.way, self.sequential, self.active, self.age, self.arms, self.round
            self.held, self.way, self.sequential, self.active, self.age = (), (), 0, [], 0
            self.arms, self.round = NOWHERE, None
            try:
                self.carry_out(lambda: self.execute(module.tree.body, scope))
            finally:
                self.held, self.way, self.sequential, self.active, self.age, self.arms, self.round = before
        return self.modules[module]

    def function_value(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Environment) -> FunctionValue:
        """A function that is defined now, without its decorators."""
        defaults = self.defaults(node.args, scope)
        return FunctionValue(node=node, name=node.name, environment=scope, defaults=defaults, arms=self.arms)

    def defined(self, node: ast.stmt, scope: Environment, *, class_: Class | None = None) -> Values:
        """A function with its decorators; a method's are applied once."""
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101  # for the type checker
        if class_ is not None and id(node) in self.cached:
            return self.cached[id(node)]
        found: Values = (replace(self.function_value(node, scope), class_=class_),)
        for decorator in reversed(node.decorator_list):
            found = self._decorated(decorator, found, scope)
        if class_ is not None:
            self.cached[id(node)] = found
        return found

    def _decorated(self, node: ast.expr, functions: Values, scope: Environment) -> Values:
        place = self.place(node, scope)
        for decorator in self.evaluate(node, scope):
            name = _decorator_name(decorator)
            if name in _MANAGERS | _CACHES:
                flag = {"manager": True} if name in _MANAGERS else {"cached": True}
                return tuple(replace(each, **flag) if isinstance(each, FunctionValue) else each for each in functions)  # type: ignore[arg-type]  # a field
            if isinstance(decorator, FunctionValue | Method | Thing):
                given = self.call(decorator, Arguments(positional=[functions], place=place))
                functions = tuple(each for each in given if isinstance(each, FunctionValue)) or functions
        return functions

    def assign(self, target: ast.expr, values: Values, scope: Environment) -> None:
        """Bind a target: a name, an attribute, an item, or several."""
        match target:
            case ast.Name(id=name):
                scope.bind(name, values)
            case ast.Attribute(value=owner, attr=name):
                self._assign_attribute(owner, name, values, scope)
            case ast.Subscript(value=owner, slice=key):
                item = self.constant(self.evaluate(key, scope))
                for each in self.evaluate(owner, scope):
                    if isinstance(each, Thing):
                        each.attributes[key_in(item) or self.unknown_key()] = values
                self._escape(values)
            case ast.Starred(value=inner):
                self.assign(inner, values, scope)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, values, scope)

    def _assign_attribute(self, owner: ast.expr, name: str, values: Values, scope: Environment) -> None:
        if (kept := state_of(owner)) is not None:
            self.learn((kept, name), values)
        for each in self.evaluate(owner, scope):
            if isinstance(each, Thing):
                self._set(each, name, values, self.place(owner, scope))
            elif isinstance(each, ClassValue):
                key = each.class_.name, name
                self.class_attributes[key] = joined(values, self.class_attributes.get(key, UNKNOWN))
                self.learned.add(key)

    def learn(self, key: tuple[str, str], values: Values) -> None:
        """Something is kept in the state of an application, or of a request."""
        self.kept_states[key] = joined(values, self.kept_states.get(key, UNKNOWN))
        self.learned.add(key)

    def _set(self, thing: Thing, name: str, values: Values, place: Place) -> None:
        before = thing.attributes.get(name, UNKNOWN)
        stays = self.active and thing.symbolic and not exclusive(self.arms, self.set_in.get((thing, name), NOWHERE))
        thing.attributes[name] = joined(values, before) if stays else values
        self.set_in[thing, name] = self.arms
        thing.fields.setdefault(name, place)
        self._escape(values)

    def _escape(self, values: Values) -> None:
        """A task that is kept somewhere may be awaited there."""
        for value in self.inside(values):
            if isinstance(value, Thing) and isinstance(value.data, Child):
                value.data.escaped = True

    def _unpack(self, targets: Sequence[ast.expr], values: Values, scope: Environment) -> None:
        values = one_of(values)
        starred = next((order for order, each in enumerate(targets) if isinstance(each, ast.Starred)), None)
        for order, target in enumerate(targets):
            place = self.place(target, scope)
            if starred is None or order < starred:
                found = [self._part_of(each, order, place) for each in values if isinstance(each, Thing)]
            elif order > starred:
                last = order - len(targets)
                found = [self._part_of(each, last, place) for each in values if isinstance(each, Thing)]
            else:
                found = [self._rest(each, slice(order, order + 1 - len(targets) or None), place) for each in values]
            self.assign(target, joined(UNKNOWN, *found), scope)

    def _rest(self, value: Value, part: slice, place: Place) -> Values:
        """What a starred target gets."""
        if isinstance(value, Thing) and value.kind is Kind.SEQUENCE:
            return (self.sequence(place, value.items[part]),)
        return (value,) if is_loaded(value) else UNKNOWN

    def _part_of(self, thing: Thing, order: int, place: Place) -> Values:
        """An item of a sequence, or a field of a named tuple."""
        if thing.kind is Kind.SEQUENCE:
            return self.item(thing, order)
        if is_loaded(thing):
            return (thing,)
        names = list(self.project.fields(thing.class_)) if thing.class_ is not None else []
        return self.attribute(thing, names[order], place) if -len(names) <= order < len(names) else UNKNOWN

    # the handlers of statements; each says whether what follows is never reached

    def _define(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101  # for the type checker
        scope.bind(node.name, self.defined(node, scope))
        return False

    def _define_class(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.ClassDef)  # noqa: S101  # for the type checker
        scope.bind(node.name, (self.class_value(node, scope),))
        return False

    def _return(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Return)  # noqa: S101  # for the type checker
        values = self.evaluate(node.value, scope)
        if len(self.active) == 1:
            self._escape(values)
        scope.returned += values
        return True

    def _assign(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Assign)  # noqa: S101  # for the type checker
        values = self.evaluate(node.value, scope)
        self._bind(node.targets, values, scope)
        return False

    def _bind(self, targets: Sequence[ast.expr], values: Values, scope: Environment) -> None:
        """Bind all targets; if the values are alternatives, what follows is done once for each of them."""
        self.crossings = []
        if self.ways < _WAYS and are_alternatives(values) and all(map(_is_of_names, targets)):
            visit, names = self.next_visit(), scope.names
            for side, value in enumerate(values):
                scope.names = dict(names)
                for target in targets:
                    self.assign(target, (value,), scope)
                self.crossings.append(End(names=scope.names, arms=self.arms | {(visit, side)}))
            scope.names = merged([each.names for each in self.crossings])
            return
        for target in targets:
            self.assign(target, values, scope)

    def _assign_annotated(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.AnnAssign)  # noqa: S101  # for the type checker
        values = self.evaluate(node.value, scope)
        place = self.place(node, scope)
        made = Step(place=place, words="it is declared here")
        if all(map(is_loaded, values)):
            values = self.typed(values, node.annotation, scope, made)
        elif all(isinstance(each, Thing) and each.kind is Kind.OPAQUE for each in values):
            values = self.symbolic(node.annotation, scope, made, self.next_serial()) or values
        self._fill_variable(values, node.annotation, scope, made)
        if node.value is not None or values:
            self._bind([node.target], values, scope)
        return False

    def _fill_variable(self, values: Values, annotation: ast.expr, scope: Environment, made: Step) -> None:
        """What a context variable holds is what it is annotated with, if nobody is seen to set it."""
        for value in values:
            if isinstance(value, Thing) and value.kind is Kind.VARIABLE:
                for node, there in self.arguments_of(annotation, scope):
                    value.attributes.setdefault("content", self.symbolic(node, there, made, value.born))

    def _assign_more(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.AugAssign)  # noqa: S101  # for the type checker
        more = self.evaluate(node.value, scope)
        if isinstance(node.target, ast.Name):
            before = scope.find(node.target.id) or UNKNOWN
            scope.bind(node.target.id, self._added(before, more, self.place(node, scope)) or before)
        return False

    def _expression(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Expr)  # noqa: S101  # for the type checker
        self.evaluate(node.value, scope)
        return False

    def _stop(self, node: ast.stmt, scope: Environment) -> bool:
        if isinstance(node, ast.Raise):
            self.evaluate(node.exc, scope)
        return True

    def _import(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Import | ast.ImportFrom)  # noqa: S101  # for the type checker
        for name, bound in import_bindings(node, scope.module):
            dotted = self.project.resolve(scope.module, name) if scope.function is None else None
            scope.bind(name, self._imported(dotted or bound.target, bound.target, scope.module))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            self._import_all(scope.module.absolute(node), scope)
        return False

    def _imported(self, dotted: str, target: str, near: Module) -> Values:
        """The value where it is defined; if that is an alias's, what the module that was named has."""
        return self.imported(target, near) or self.imported(dotted, near)

    def _import_all(self, name: str, scope: Environment) -> None:
        module = self.project.module(name, near=scope.module)
        if module is not None and module is not scope.module:
            there = self.module_environment(module)
            for each, values in there.names.items():
                if not each.startswith("_"):
                    scope.names.setdefault(each, values)

    def _elsewhere(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Global | ast.Nonlocal)  # noqa: S101  # for the type checker
        for name in node.names:
            there = self.module_environment(scope.module)
            if isinstance(node, ast.Nonlocal) and scope.outer is not None:
                there = scope.outer
            scope.elsewhere[name] = there
            scope.names.pop(name, None)
        return False


def _is_of_names(target: ast.expr) -> bool:
    return not any(isinstance(each, ast.Attribute | ast.Subscript) for each in ast.walk(target))


def _decorator_name(value: object) -> str:
    match value:
        case External(name=name):
            return key_of(name)[1]
        case Thing(kind=Kind.OPAQUE, name=name):
            return name
        case _:
            return ""


_I = Interpreter
_HANDLERS: Mapping[type[ast.stmt], _Handler] = {
    ast.FunctionDef: _I._define,
    ast.AsyncFunctionDef: _I._define,
    ast.ClassDef: _I._define_class,
    ast.Return: _I._return,
    ast.Assign: _I._assign,
    ast.AnnAssign: _I._assign_annotated,
    ast.AugAssign: _I._assign_more,
    ast.Expr: _I._expression,
    ast.Raise: _I._stop,
    ast.Break: _I._stop,
    ast.Continue: _I._stop,
    ast.If: _I._if,
    ast.Match: _I._match,
    ast.For: _I._for,
    ast.AsyncFor: _I._for,
    ast.While: _I._while,
    ast.Try: _I._try,
    ast.TryStar: _I._try,
    ast.With: _I._with,
    ast.AsyncWith: _I._with,
    ast.Import: _I._import,
    ast.ImportFrom: _I._import,
    ast.Global: _I._elsewhere,
    ast.Nonlocal: _I._elsewhere,
}
