"""How a tool gets at a session: by its deps, its arguments, its object, what is around it, or what is global.

Mechanism: what a tool can reach is searched from each of these, in the order in which a reader would look, through
attributes and items, for the one thing that is the session.
"""

import ast
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.scan.codes import Code
from harness.scan.environment import Environment
from harness.scan.state import Meeting, Participant
from harness.scan.statements import Interpreter
from harness.scan.values import FunctionValue, Kind, Place, Step, Thing, Value, Values

__all__ = ["Route", "holders_of", "route_of"]

_DEEPEST = 6


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Route:
    """By what (a code), how it is written, and the things on the way, from the one that is reached first."""

    code: Code
    variable: str
    holders: Sequence[Thing] = ()
    steps: Sequence[Step] = ()
    field: Place | None = None


def route_of(meeting: Meeting, interpreter: Interpreter) -> Route:
    """How the participants get at the session of a meeting of tools."""
    starts = [*_starts(meeting)]
    for code, name, values in starts:
        for value in values:
            if (found := _search(value, meeting.thing)) is not None:
                return _route(code, name, found, meeting.thing)
    for code, name, values in _everywhere(interpreter):
        for value in values:
            if (found := _search(value, meeting.thing)) is not None:
                return _route(code, name, found, meeting.thing)
    return Route(code=Code.CLOSURE, variable=meeting.thing.name)


def holders_of(value: Value, thing: Thing) -> Sequence[Thing]:
    """The things through which a value leads to a session."""
    found = _search(value, thing)
    return [] if found is None else [holder for holder, _ in found]


def _starts(meeting: Meeting) -> Iterator[tuple[Code, str, Values]]:
    yield Code.DEPS, "deps", meeting.deps
    functions = [each.function for each in meeting.participants if isinstance(each.function, FunctionValue)]
    for function in functions:
        yield from _given(function)
    for function in functions:
        for name, default in function.defaults.items():
            yield Code.DEFAULT_ARGUMENT, name, default
    for function in functions:
        yield from _around(function.environment, function)
    for participant in meeting.participants:
        yield from _called(participant)


def _given(function: FunctionValue) -> Iterator[tuple[Code, str, Values]]:
    names = [each.arg for each in (*function.node.args.posonlyargs, *function.node.args.args)]
    for order, values in enumerate(function.first):
        own = order == 0 and function.bound
        name = names[order] if order < len(names) else "argument"
        yield (Code.SELF if own else Code.PARTIAL), name, values
    for name, values in function.named.items():
        yield Code.PARTIAL, name, values


def _around(environment: Environment, function: FunctionValue) -> Iterator[tuple[Code, str, Values]]:
    used = {node.id for node in ast.walk(function.node) if isinstance(node, ast.Name)}
    scope: Environment | None = environment
    while scope is not None:
        code = Code.GLOBAL if scope.function is None else Code.CLOSURE
        for name, values in scope.names.items():
            if name in used and name not in {"self", "cls"}:
                yield code, name, values
            elif name in used:
                yield Code.SELF, name, values
        scope = scope.outer


def _called(_: Participant) -> Iterator[tuple[Code, str, Values]]:
    yield from ()


def _everywhere(interpreter: Interpreter) -> Iterator[tuple[Code, str, Values]]:
    """The names of all modules, and what context variables hold."""
    for environment in interpreter.modules.values():
        for name, values in environment.names.items():
            variables = [each for each in values if isinstance(each, Thing) and each.kind is Kind.VARIABLE]
            for variable in variables:
                held = interpreter.set_somewhere.get(variable, ())
                yield Code.CONTEXT_VARIABLE, name, (*held, *variable.attributes.get("content", ()))
            if not variables:
                yield Code.GLOBAL, name, values
    for (owner, name), values in (*interpreter.class_attributes.items(), *interpreter.kept_states.items()):
        yield Code.GLOBAL, f"{owner.rpartition('.')[2]}.{name}", values
    for values in interpreter.cached.values():
        yield Code.GLOBAL, "a cached function", values


def _search(value: Value, thing: Thing) -> list[tuple[Thing, str]] | None:
    """The way from a value to a thing, nearest first; each step is a thing and the name by which it is left."""
    if not isinstance(value, Thing):  # a function may have been bound to it
        ways = (_search(each, thing) for each in _things((value,)))
        return next((way for way in ways if way is not None), None)
    waiting: deque[tuple[Thing, list[tuple[Thing, str]]]] = deque([(value, [])])
    seen: set[Thing] = set()
    while waiting:
        here, way = waiting.popleft()
        if here is thing:
            return way
        if here in seen or len(way) >= _DEEPEST:
            continue
        seen.add(here)
        waiting.extend((each, [*way, (here, name)]) for each, name in _inside(here))
    return None


def _inside(thing: Thing) -> Iterator[tuple[Thing, str]]:
    for name, values in thing.attributes.items():
        for each in _things(values):
            yield each, name
    for values in (*thing.items, tuple(thing.carried)):
        for each in _things(values):
            yield each, ""


def _things(values: Values) -> Iterator[Thing]:
    for value in values:
        if isinstance(value, Thing):
            yield value
        elif isinstance(value, FunctionValue):
            for given in (*value.first, *value.named.values()):
                yield from (each for each in given if isinstance(each, Thing))
            scope = value.environment
            if scope.function is not None:
                names = {node.id for node in ast.walk(value.node) if isinstance(node, ast.Name)}
                for name in names & scope.names.keys():
                    yield from (each for each in scope.names[name] if isinstance(each, Thing))


def _route(code: Code, name: str, way: Sequence[tuple[Thing, str]], thing: Thing) -> Route:
    written = ".".join([name, *(attribute for _, attribute in way if attribute)])
    steps: list[Step] = []
    field: Place | None = None
    for holder, attribute in way:
        place = holder.fields.get(attribute)
        if place is not None:
            owner = holder.class_.node.name if holder.class_ is not None else holder.name
            steps.append(Step(place=place, words=f"`{owner}.{attribute}` has it"))
            direct = holder is way[-1][0] and thing in holder.attributes.get(attribute, ())
            field = place if direct else field
    return Route(code=code, variable=written, holders=[holder for holder, _ in way], steps=steps, field=field)
