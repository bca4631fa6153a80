"""Calls of the project's own functions and classes.

Mechanism: parameters are bound as Python binds them; one that is not given, or of which nothing is known, is what its
default, its `Depends` or its annotation says. A coroutine is carried out when it is awaited, and a generator when its
items are asked for; what a context manager does after its `yield` is done when it is left.
"""

import ast
from abc import ABC
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.project.classes import Class
from harness.project.kept import kept
from harness.scan.annotations import Annotations
from harness.scan.arms import NOWHERE
from harness.scan.environment import Environment
from harness.scan.known import bills
from harness.scan.lookups import is_generator
from harness.scan.state import DEPTH, FEW, RESULT, Self
from harness.scan.trace import Event
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    FunctionValue,
    Kind,
    Pending,
    Place,
    Step,
    Thing,
    Value,
    Values,
    joined,
)

__all__ = ["Calls", "Entered", "is_loaded"]

_Parameters = Sequence[ast.arg]
_PLAIN = frozenset({Kind.INSTANCE, Kind.OPAQUE, Kind.SEQUENCE, Kind.MAPPING, Kind.RUN_CONTEXT, Kind.LOADED, Kind.LAZY})
_OFTEN, _NEVER = 2, 1_000_000
_TRACKED = frozenset({Kind.SESSION, Kind.FACTORY, Kind.ENGINE, Kind.POOL})


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Entered:
    """What a context manager gives, what it does when it is left, and which locks it holds until then."""

    given: Values
    after: Sequence[Event] = ()
    held: tuple[Thing, ...] = ()


class Calls(Annotations, ABC):
    """Calls functions, makes instances, and carries out dependencies."""

    __slots__ = ()

    def call_function(self, function: FunctionValue, given: Arguments) -> Values:
        """What a function of the project gives."""
        if function.cached and id(function.node) in self.cached:
            return self.cached[id(function.node)]
        before = self.arms, self.round
        if function.cached:
            self.arms, self.round = NOWHERE, None
        elif function.arms:
            self.arms |= function.arms
        try:
            return self._called(function, given)
        finally:
            self.arms, self.round = before

    def _called(self, function: FunctionValue, given: Arguments) -> Values:
        if self.active.count(id(function.node)) > 1:
            return UNKNOWN
        if len(self.active) > DEPTH:
            self._too_deep(function, given)
            return UNKNOWN
        if function.module not in self.relevant and not _tells(function, given):
            return UNKNOWN
        if self._is_tired_of(function) and not self._leads(function, given):
            return self._unfollowed(function, given.place)
        scope = self._bound(function, given)
        if isinstance(function.node, ast.Lambda):
            return self.evaluate(function.node.body, scope)
        if function.manager or is_generator(function.node, function.module):
            found: Values = (self._generator(function, scope, given.place),)
        elif isinstance(function.node, ast.AsyncFunctionDef):
            found = (
                Pending(
                    label=function.name, run=self.from_here(lambda: self._invoke(function, scope)), place=given.place
                ),
            )
        else:
            found = self._invoke(function, scope)
        if function.cached:
            self.cached[id(function.node)] = found
        return found

    def _is_tired_of(self, function: FunctionValue) -> bool:
        """Whether it is followed no more by itself: it did nothing twice, or many others have been followed."""
        if isinstance(function.node, ast.Lambda):
            return False
        if self.quiet.get(id(function.node), 0) >= _OFTEN:
            return True
        return self.left < FEW and not self.relevance.is_source(function.node, function.module)

    def _too_deep(self, function: FunctionValue, given: Arguments) -> None:
        """A call that is not followed is told if it is given a session."""
        values = self.inside(joined(given.all(), *function.first, *function.named.values()))
        if any(isinstance(each, Thing) and _tracked(each) for each in values):
            self.beginning.failure = f"not followed to its end: calls are more than {DEPTH} deep at `{function.name}`"

    def _leads(self, function: FunctionValue, given: Arguments) -> bool:
        """Whether anything is given that is, or has, what sessions come from; or that may be called."""
        around = _around(function)
        for value in self.inside(joined(given.all(), *function.first, *function.named.values(), *around)):
            if isinstance(value, Pending | FunctionValue) or (
                isinstance(value, Thing) and (value.kind is Kind.LOADED or _tracked(value))
            ):
                return True
        return False

    def _unfollowed(self, function: FunctionValue, place: Place) -> Values:
        assert not isinstance(function.node, ast.Lambda)  # noqa: S101  # for the type checker
        made = Step(place=self.place(function.node, function.environment), words=f"`{function.name}` gives it")
        found = self.symbolic(function.node.returns, function.environment, made, self.next_serial())
        if isinstance(function.node, ast.AsyncFunctionDef):
            return (Pending(label=function.name, run=lambda: found, place=place),)
        return found

    def inside(self, values: Values) -> Values:
        """The values, and those in lists and mappings among them."""
        raise NotImplementedError

    def instantiate(self, value: ClassValue, given: Arguments) -> Values:
        """A new thing of a class of the project."""
        class_ = value.class_
        words = f"`{class_.node.name}` is made here"
        kind = self.kind_of_class(value)
        place = self._asked_from(class_, given.place) if kind is None else given.place
        thing = self.make(kind or Kind.INSTANCE, Step(place=place, words=words), name=class_.node.name)
        thing.class_, thing.data = class_, value.environment
        if self.lookups.having_method(class_, "__init__") is not None:
            for method in self.attribute(thing, "__init__", given.place):
                self.call(method, given)
        else:
            self._fill_fields(thing, class_, given)
        return (thing,)

    def _asked_from(self, class_: Class, place: Place) -> Place:
        """Where something is made: what a method of its own class makes, is made where that is called."""
        for step in reversed(self.way):
            if not class_.contains(place.file, place.line):
                break
            place = step.place
        return place

    def depends(self, thing: Thing, annotation: ast.expr | None, scope: Environment) -> Values:
        """What a dependency of FastAPI gives; the same one twice in a request gives one thing."""
        callees = thing.attributes.get("dependency") or (self.evaluate(annotation, scope) if annotation else UNKNOWN)
        found: Values = UNKNOWN
        for callee in callees:
            key = callee.node if isinstance(callee, FunctionValue) else getattr(callee, "class_", callee)
            if key not in self.dependencies or thing.data == "each":
                self.dependencies[key] = self._given_by(self.call(callee, Arguments(place=thing.made.place)))
            found = joined(found, self.dependencies[key])
        return found

    def _given_by(self, values: Values) -> Values:
        """What a dependency gives that is a function, a coroutine or a generator."""
        found: Values = UNKNOWN
        for value in values:
            if not isinstance(value, Pending):
                found = joined(found, (value,))
                continue
            entered = self.entered(value)
            self.after += entered.after
            found = joined(found, entered.given)
        return found

    def entered(self, pending: Pending) -> Entered:
        """What a generator gives first, the events of what it does after that, and the locks that it holds."""
        events = self.trace.events
        start = len(events)
        given = pending.run()
        last, self.last_yield = self.last_yield, None
        index = max(last.index, start) if last is not None else len(events)
        after = events[index:]
        del events[index:]
        return Entered(given=given, after=after, held=last.held if last is not None else ())

    def _generator(self, function: FunctionValue, scope: Environment, place: Place) -> Pending:
        def run() -> Values:
            self.last_yield = None
            self._invoke(function, scope)
            yields = scope.yields
            self.last_yield = yields[-1] if yields else None
            return joined(*(each.values for each in yields)) if yields else UNKNOWN

        return Pending(label=function.name, run=self.from_here(run), place=place, manager=True)

    def _invoke(self, function: FunctionValue, scope: Environment) -> Values:
        node = function.node
        if isinstance(node, ast.Lambda):
            return self.evaluate(node.body, scope)
        self.spend()
        if node is not self.beginning.node and self._takes_what_it_says(function, scope):
            self.beginning.entered.add(id(node))
        self.active.append(id(node))
        selves = self.selves
        self.selves = [*selves, *_self_of(function, scope)]
        before, done, arms = self.way, self.done, self.arms
        if scope.call is not None:
            self.way = (*self.way, scope.call)
        try:
            self.execute(node.body, scope)
        finally:
            self.active.pop()
            self.way, self.selves, self.arms = before, selves, arms
        self.crossings = []
        found = joined(tuple(scope.returned))
        quiet = self.done == done and not scope.yields and node.name != "__init__" and not any(map(_matters, found))
        self.quiet[id(node)] = self.quiet.get(id(node), 0) + 1 if quiet else -_NEVER
        if node.returns is None or scope.yields or not all(map(is_loaded, found)):
            return found
        made = Step(place=self.place(function.node, function.environment), words=f"`{function.name}` gives it")
        return self.typed(found, node.returns, function.environment, made)

    def typed(self, loaded: Values, annotation: ast.expr | None, scope: Environment, made: Step) -> Values:
        """What is annotated, and not known but for the session that has loaded it."""
        found = self.symbolic(annotation, scope, made, self.next_serial())
        for each in found if loaded else ():
            if isinstance(each, Thing) and each.kind is Kind.INSTANCE:
                each.attributes["awaitable_attrs"] = self.attribute(loaded[0], "awaitable_attrs", made.place)
        return joined(found, loaded)

    def loaded(self, session: Thing, given: Arguments) -> Values:
        """What a session has loaded: an object of a class, if one is named, or rows of whatever."""
        made = Step(place=given.place, words="it is loaded here")
        thing = self.make(Kind.LOADED, made, name="what is loaded")
        thing.attributes["awaitable_attrs"] = (self.lazy(session, made),)
        return (thing,)

    def lazy(self, session: Thing, made: Step) -> Thing:
        """By what an object loads lazily."""
        thing = self.make(Kind.LAZY, made, name="awaitable_attrs")
        thing.carried = [session]
        return thing

    def _takes_what_it_says(self, function: FunctionValue, scope: Environment) -> bool:
        """Whether what is given are sessions where its annotations say so: a test's double tells nothing of it."""
        assert not isinstance(function.node, ast.Lambda)  # noqa: S101  # for the type checker
        node = function.node
        if node not in self.told:
            kinds = [
                (each.arg, self.kinds_in(each.annotation, function.environment)) for each in _parameters(node.args)
            ]
            self.told[node] = [(name, each & _TRACKED) for name, each in kinds if each & _TRACKED]
        for name, wanted in self.told[node]:
            if not any(isinstance(value, Thing) and value.kind in wanted for value in scope.names.get(name, ())):
                return False
        return True

    def _bound(self, function: FunctionValue, given: Arguments) -> Environment:
        words = f"`{function.name}` is called here"
        scope = Environment(
            module=function.module,
            outer=function.environment,
            function=function,
            call=Step(place=given.place, words=words),
        )
        arguments = function.node.args
        positional = [*function.first, *given.positional]
        named = {**function.named, **given.named}
        ordered = [*arguments.posonlyargs, *arguments.args]
        for order, parameter in enumerate(ordered):
            values = positional[order] if order < len(positional) else named.pop(parameter.arg, UNKNOWN)
            scope.names[parameter.arg] = self._received(values, function, parameter)
        for parameter in arguments.kwonlyargs:
            values = named.pop(parameter.arg, UNKNOWN)
            scope.names[parameter.arg] = self._received(values, function, parameter)
        self._bind_rest(arguments, positional[len(ordered) :], named, scope, given.place)
        return scope

    def _received(self, values: Values, function: FunctionValue, parameter: ast.arg) -> Values:
        if not values:
            return self._missing(function, parameter)
        if parameter.annotation is None or not all(map(is_loaded, values)):
            return values
        made = Step(
            place=self.place(function.node, function.environment),
            words=f"`{parameter.arg}` is a parameter of `{function.name}`",
        )
        return self.typed(values, parameter.annotation, function.environment, made)

    def _bind_rest(
        self,
        arguments: ast.arguments,
        rest: Sequence[Values],
        named: dict[str, Values],
        scope: Environment,
        place: Place,
    ) -> None:
        if arguments.vararg is not None:
            scope.names[arguments.vararg.arg] = (self.sequence(place, rest),)
        if arguments.kwarg is not None:
            thing = self.make(Kind.MAPPING, Step(place=place, words="it is put together here"))
            thing.attributes = dict(named)
            scope.names[arguments.kwarg.arg] = (thing,)

    def _missing(self, function: FunctionValue, parameter: ast.arg) -> Values:
        default = function.defaults.get(parameter.arg, UNKNOWN)
        annotated = self.dependency_in(parameter.annotation, function.environment)
        for value in (*default, *((annotated,) if annotated else ())):
            if isinstance(value, Thing) and value.kind is Kind.DEPENDS:
                found = self.depends(value, parameter.annotation, function.environment)
                return found or self._of_annotation(function, parameter)
        if default and (self.active or not _is_none(default)):
            return default
        if parameter.arg == "self" and function.class_ is not None and not function.bound:
            made = Step(place=self.place(function.node, function.environment), words=f"`self` of `{function.name}`")
            value = ClassValue(class_=function.class_, environment=function.environment)
            return (self.instance_of(value, made, self.next_serial()),)
        return self._of_annotation(function, parameter) or default or self.some(parameter.annotation)

    def _of_annotation(self, function: FunctionValue, parameter: ast.arg) -> Values:
        born = self.next_serial()
        if parameter.annotation is None:
            return UNKNOWN
        place = self.place(parameter, function.environment)
        made = Step(place=place, words=f"`{parameter.arg}` is a parameter of `{function.name}`")
        found = self.symbolic(parameter.annotation, function.environment, made, born)
        for value in found:
            if isinstance(value, Thing) and value.kind is Kind.SESSION and self.active:
                value.data = "unknown"  # the caller has it from somewhere that is not seen
        return found

    def _fill_fields(self, thing: Thing, class_: Class, given: Arguments) -> None:
        fields = self.lookups.shape(class_)
        positional = list(given.positional)
        if not any(each.field.annotation is not None for each in fields.values()):
            thing.carried = [value for value in given.all() if isinstance(value, Thing | Pending)]
        for name, shaped in fields.items():
            each = shaped.field
            thing.fields[name] = shaped.place
            if each.annotation is None or _is_class_variable(each.annotation):
                continue
            if name in given.named:
                thing.attributes[name] = given.named[name]
            elif positional:
                thing.attributes[name] = positional.pop(0)
            elif each.default is not None:
                thing.attributes[name] = self._default(each.default, thing)
        for method in self.attribute(thing, "__post_init__", given.place):
            if isinstance(method, FunctionValue):
                self.call(method, Arguments(place=given.place))
        self._fill_unknown(thing, class_)

    def _fill_unknown(self, thing: Thing, class_: Class) -> None:
        """What is given but not known is what the field's annotation says."""
        for name, each in self.project.fields(class_).items():
            if thing.attributes.get(name) == UNKNOWN and each.annotation is not None:
                made = Step(place=thing.made.place, words=f"it is given to `{class_.node.name}` as `{name}`")
                thing.attributes[name] = self.symbolic(each.annotation, thing.data, made, thing.born)

    def _default(self, node: ast.expr, thing: Thing) -> Values:
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in {"default_factory", "factory"}:
                    made = [
                        self.call(each, Arguments(place=thing.made.place))
                        for each in self.evaluate(keyword.value, thing.data)
                    ]
                    return joined(UNKNOWN, *made)
                if keyword.arg == "default":
                    return self.evaluate(keyword.value, thing.data)
        return self.evaluate(node, thing.data)


def is_loaded(value: Value) -> bool:
    """Whether it is what a session has loaded, and nothing else is known of it."""
    return isinstance(value, Thing) and value.kind is Kind.LOADED


def _around(function: FunctionValue) -> Iterator[Values]:
    """What a function has from the functions around it."""
    scope: Environment | None = function.environment
    while scope is not None and scope.function is not None:
        yield from (scope.names[name] for name in _names_in(function.node) & scope.names.keys())
        scope = scope.outer


@kept
def _names_in(node: ast.AST) -> frozenset[str]:
    return frozenset(each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def _tracked(thing: Thing) -> bool:
    """Whether it is something that sessions come from, or has one as an attribute."""
    return thing.kind not in _PLAIN or any(
        isinstance(each, Thing) and each.kind not in _PLAIN for values in thing.attributes.values() for each in values
    )


def _matters(value: Value) -> bool:
    if isinstance(value, Thing):
        return bool(value.carried) or _tracked(value) or any(_matters(each) for item in value.items for each in item)
    return isinstance(value, Pending | FunctionValue)


def _tells(function: FunctionValue, given: Arguments) -> bool:
    """Whether anything is given that may lead to a session; a function inside of one that was given it has it, too."""
    if function.environment.function is not None:
        return True
    everything = joined(given.all(), *function.first, *function.named.values())
    return any(isinstance(each, Thing | Pending | FunctionValue | ClassValue) for each in everything)


def _self_of(function: FunctionValue, scope: Environment) -> list[Self]:
    """The object whose method it is, and whether an argument says what a run of an agent used up."""
    if function.class_ is None or not scope.names:
        return []
    own, *others = scope.names.values()
    billing = any(
        isinstance(each, Thing) and each.data == RESULT and bills(each.name) for values in others for each in values
    )
    return [
        Self(thing=each, method=function.name, billing=billing)
        for each in own
        if isinstance(each, Thing) and each.class_ is not None
    ]


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _is_none(values: Values) -> bool:
    return all(getattr(value, "value", "") is None for value in values)


def _is_class_variable(annotation: ast.expr) -> bool:
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return (head.attr if isinstance(head, ast.Attribute) else getattr(head, "id", "")) == "ClassVar"
