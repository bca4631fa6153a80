"""What something is of which only the annotation is known.

Mechanism: an annotation is followed through the project's aliases, `Optional`, `Annotated` and unions, to a class of a
library or of the project. A symbolic thing gets what is inside of it when somebody looks: from its `__init__`, from the
annotations of its fields, and from methods that set them.
"""

import ast
from abc import ABC
from collections.abc import Iterator
from functools import lru_cache

from harness.project.module import Assigned
from harness.scan.environment import Environment
from harness.scan.known import is_synchronous, key_of, kind_of, short
from harness.scan.lookups import stored_on_self
from harness.scan.state import State
from harness.scan.trace import Trace
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    Constant,
    External,
    FunctionValue,
    Giving,
    Kind,
    Pending,
    Some,
    Step,
    Thing,
    Value,
    Values,
    joined,
)

__all__ = ["Annotations"]

_TRANSPARENT = frozenset(
    {"Annotated", "Optional", "Union", "Final", "ClassVar", "InitVar", "Required", "NotRequired", "SkipValidation"}
)
_PLAIN = frozenset({"str", "int", "UUID"})
_CALLABLES = frozenset({"Callable", "Awaitable", "Coroutine", "AbstractAsyncContextManager", "AbstractContextManager"})
_AWAITED = frozenset({"Awaitable", "Coroutine"})
_ENTERED = frozenset(
    {"AbstractAsyncContextManager", "AbstractContextManager", "AsyncContextManager", "ContextManager"}
    | {"AsyncIterator", "AsyncGenerator", "AsyncIterable", "Iterator", "Generator", "Iterable"}
)
_TYPES = frozenset({"type", "Type"})


class Annotations(State, ABC):
    """Values that are known by their annotations alone."""

    __slots__ = ()

    def symbolic(self, annotation: ast.expr | None, scope: Environment, made: Step, born: int) -> Values:
        """One thing for each class that the annotation allows; dependencies of FastAPI are carried out."""
        if annotation is None:
            return UNKNOWN
        found: Values = UNKNOWN
        for value, _ in self._named(annotation, scope, 0):
            found = joined(found, self._symbolic_one(value, made, born))
        return found

    def dependency_in(self, annotation: ast.expr | None, scope: Environment) -> Thing | None:
        """The `Depends` in an `Annotated`, also behind an alias."""
        if annotation is None or id(annotation) in self.independent:
            return None
        for node, there in self._expanded(annotation, scope, 0):
            if isinstance(node, ast.Subscript) and self._short_name(node.value, there) == "Annotated":
                parts = node.slice.elts[1:] if isinstance(node.slice, ast.Tuple) else []
                for part in parts:
                    for value in self.evaluate(part, there) if isinstance(part, ast.Call | ast.Name) else UNKNOWN:
                        if isinstance(value, Thing) and value.kind is Kind.DEPENDS:
                            return value
        self.independent.add(id(annotation))
        return None

    def kinds_in(self, annotation: ast.expr | None, scope: Environment) -> set[Kind]:
        """Which kinds of a library the annotation allows."""
        if id(annotation) not in self.known_kinds:
            names = [value.name for value, _ in self._named(annotation, scope, 0) if isinstance(value, External)]
            self.known_kinds[id(annotation)] = {kind for name in names if (kind := kind_of(name)) is not None}
        return self.known_kinds[id(annotation)]

    def instance_of(self, value: ClassValue, made: Step, born: int) -> Thing:
        """A symbolic thing of a class of the project."""
        class_ = value.class_
        kind = self.kind_of_class(value) or Kind.INSTANCE
        thing = Thing(kind=kind, made=made, born=born, name=class_.node.name, class_=class_, symbolic=True)
        thing.data = value.environment
        return thing

    def kind_of_class(self, value: ClassValue) -> Kind | None:
        """What a class of the project is by the libraries' classes among its bases."""
        return self.lookups.kind_of_class(value.class_)

    def arguments_of(self, annotation: ast.expr | None, scope: Environment) -> Iterator[tuple[ast.expr, Environment]]:
        """What stands in the brackets of an annotation, such as the deps of a `RunContext`."""
        for node, there in self._expanded(annotation, scope, 0):
            if isinstance(node, ast.Subscript):
                inner = node.slice
                yield from ((each, there) for each in (inner.elts if isinstance(inner, ast.Tuple) else [inner]))

    def _symbolic_one(self, value: Value, made: Step, born: int) -> Values:
        if isinstance(value, ClassValue):
            return (self.instance_of(value, made, born),)
        if isinstance(value, Giving):
            return (Thing(kind=Kind.GIVER, made=made, born=born, name="something that is called", data=value),)
        if not isinstance(value, External):
            return UNKNOWN
        kind = kind_of(value.name)
        if kind is None:
            return UNKNOWN
        thing = Thing(kind=kind, made=made, born=born, name=short(value.name), symbolic=True)
        thing.synchronous = is_synchronous(value.name)
        return (thing,)

    def _named(self, node: ast.expr | None, scope: Environment, depth: int) -> Iterator[tuple[Value, Environment]]:
        for each, there in self._expanded(node, scope, depth):
            if isinstance(each, ast.Subscript) and self._gives_sessions(each, there):
                yield External(name="sqlalchemy.async_sessionmaker"), there
                continue
            if isinstance(each, ast.Subscript) and (giving := self._giving(each, there, depth)):
                yield giving, there
                continue
            target = each.value if isinstance(each, ast.Subscript) else each
            for value in self.evaluate(target, there) if isinstance(target, ast.Name | ast.Attribute) else UNKNOWN:
                yield value, there

    def _expanded(
        self, node: ast.expr | None, scope: Environment, depth: int
    ) -> Iterator[tuple[ast.expr, Environment]]:
        """The annotation's alternatives, with aliases followed."""
        if node is None or depth > 12:  # noqa: PLR2004  # a chain of aliases, not a number of anything
            return
        match node:
            case ast.Constant(value=str() as text):
                yield from self._expanded(_parsed(text), scope, depth + 1)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                yield from self._expanded(left, scope, depth + 1)
                yield from self._expanded(right, scope, depth + 1)
            case ast.Subscript(value=head, slice=inner):
                yield from self._subscript(node, head, inner, scope, depth)
            case ast.Name() | ast.Attribute():
                yield from self._alias(node, scope, depth)

    def _subscript(
        self, node: ast.expr, head: ast.expr, inner: ast.expr, scope: Environment, depth: int
    ) -> Iterator[tuple[ast.expr, Environment]]:
        name = self._short_name(head, scope)
        if name == "Annotated":
            yield node, scope
        if name in _TRANSPARENT:
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            for part in parts if name == "Union" else parts[:1]:
                yield from self._expanded(part, scope, depth + 1)
        elif name not in _CALLABLES or name == "Callable":
            yield node, scope

    def _giving(self, node: ast.Subscript, scope: Environment, depth: int) -> Giving | None:
        """What a `Callable` gives, or `type[...]` makes, if that is of a class of the project."""
        match self._short_name(node.value, scope), node.slice:
            case "Callable", ast.Tuple(elts=[_, result]):
                found = self._reached(result, scope)
            case head, result if head in _TYPES:
                found = Giving(result=result, environment=scope, head="type")
            case _:
                return None
        classes = (value for value, _ in self._named(found.result, scope, depth + 1))
        return found if any(isinstance(each, ClassValue) for each in classes) else None

    def _reached(self, node: ast.expr, scope: Environment) -> Giving:
        """What is given, and by what it is reached."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = _parsed(node.value) or node
        if isinstance(node, ast.Subscript):
            head = self._short_name(node.value, scope)
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if head in _AWAITED | _ENTERED and parts:
                return Giving(result=parts[-1 if head == "Coroutine" else 0], environment=scope, head=head)
        return Giving(result=node, environment=scope)

    def is_made(self, giver: Thing) -> bool:
        """Whether it is a class that is called, and not one of which only others are made."""
        giving: Giving = giver.data
        classes = [each for each, _ in self._named(giving.result, giving.environment, 0)]
        names = {
            key_of(base)[1]
            for each in classes
            if isinstance(each, ClassValue)
            for base in self.project.ancestors(each.class_)
            if isinstance(base, str)
        }
        return giving.head == "type" and names.isdisjoint({"ABC", "Protocol"})

    def given_by(self, giver: Thing, given: Arguments) -> Values:
        """What something gives of which only the annotation is known: another thing each time."""
        giving: Giving = giver.data
        if giving.head == "type":
            classes = (value for value, _ in self._named(giving.result, giving.environment, 0))
            return joined(UNKNOWN, *(self.call(each, given) for each in classes if isinstance(each, ClassValue)))

        def run() -> Values:
            self.last_yield = None
            made = Step(place=given.place, words="it is given here")
            return self.symbolic(giving.result, giving.environment, made, self.next_serial())

        if not giving.head:
            return run()
        return (Pending(label=giver.name, run=self.from_here(run), place=given.place, manager=giving.head in _ENTERED),)

    def _gives_sessions(self, node: ast.expr, scope: Environment) -> bool:
        """Whether it is a `Callable` that gives a session, or what one is entered by."""
        match node:
            case ast.Subscript(value=head, slice=ast.Tuple(elts=[_, result])) if _last(head) == "Callable":
                pass
            case _:
                return False
        names = [each for each in ast.walk(result) if isinstance(each, ast.Name | ast.Attribute)]
        dotted = [self.project.resolve(scope.module, each) for each in names]
        return any(kind_of(each) is Kind.SESSION for each in dotted if each)

    def _alias(self, node: ast.expr, scope: Environment, depth: int) -> Iterator[tuple[ast.expr, Environment]]:
        dotted = self.project.resolve(scope.module, node)
        if isinstance(node, ast.Name) and scope.outer is not None and scope.find(node.id) is not None:
            dotted = None
        found = self.project.definition(dotted, near=scope.module) if dotted else None
        if found is not None and isinstance(found.binding, Assigned) and _is_alias(found.binding.value):
            yield from self._expanded(found.binding.value, self.module_environment(found.module), depth + 1)
        else:
            yield node, scope

    def _short_name(self, node: ast.expr, scope: Environment) -> str:
        name = self.project.resolve(scope.module, node)
        if name is None:
            return node.id if isinstance(node, ast.Name) else ""
        return key_of(name)[1]

    def module_environment(self, module: object) -> Environment:
        """The names of a module."""
        raise NotImplementedError

    def fill(self, thing: Thing) -> None:
        """Give a symbolic thing what its `__init__` gives it, once."""
        if not thing.symbolic or thing.class_ is None or "" in thing.attributes:
            return
        thing.attributes[""] = UNKNOWN
        self._run_aside(thing, "__init__")

    def find_setter(self, thing: Thing, name: str) -> None:
        """Follow the methods that set this attribute, to see what to."""
        mark = f"set {name}"
        if thing.class_ is None or mark in thing.attributes:
            return
        thing.attributes[mark] = UNKNOWN
        for class_ in self.project.ancestors(thing.class_):
            for method in getattr(class_, "methods", {}).values():
                if name in stored_on_self(method) and method.name != "__init__":
                    self._run_aside(thing, method.name)

    def _run_aside(self, thing: Thing, name: str) -> None:
        place = thing.made.place
        with self.aside(Trace(context=dict(self.trace.context))), self.anywhere(once=True):
            before, self.age = self.age, thing.born
            for method in self.attribute(thing, name, place):
                if isinstance(method, FunctionValue):
                    self.settle(self.call(method, Arguments(place=place)), place)
            self.age = before

    def some(self, annotation: ast.expr | None) -> Values:
        """A text or number that nobody knows, but that stays the same wherever it is handed on."""
        if not _is_plain(annotation):
            return UNKNOWN
        self.somes += 1
        return (Constant(value=Some(number=self.somes)),)

    def constant(self, values: Values) -> object:
        """The one constant that the values are; `None` if they are none."""
        found = [value.value for value in values if isinstance(value, Constant)]
        return found[0] if len(found) == len(values) == 1 else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_plain(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = _parsed(node.value)
    return isinstance(node, ast.Name | ast.Attribute) and _last(node) in _PLAIN


def _is_alias(node: ast.expr | None) -> bool:
    match node:
        case ast.Subscript() | ast.Name() | ast.Attribute():
            return True
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_alias(left) or _is_alias(right)
        case ast.Constant(value=str()):
            return True
        case _:
            return False
