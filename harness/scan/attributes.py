"""What attributes and names are: fields, methods and properties of the project's classes, and what modules import."""

import ast
from abc import ABC
from dataclasses import replace

from harness.project.classes import Class
from harness.project.module import Module
from harness.scan.agents import Agents
from harness.scan.environment import Environment
from harness.scan.known import key_of
from harness.scan.lookups import marks_of
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
)

__all__ = ["Attributes"]

_PROPERTIES = frozenset({"property", "cached_property"})
_LIBRARY_KINDS = frozenset(Kind) - {Kind.INSTANCE, Kind.RUN_CONTEXT, Kind.DEPENDS, Kind.GUARD, Kind.OPAQUE}


class Attributes(Agents, ABC):
    """Looks attributes and names up."""

    __slots__ = ()

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
                own = value.name if isinstance(value, FunctionValue) and name == "__name__" else None
                return (Constant(value=own),) if own is not None else UNKNOWN

    def _thing_attribute(self, thing: Thing, name: str, place: Place) -> Values:
        if name in thing.attributes and name != "":
            return thing.attributes[name]
        if thing.class_ is not None:
            return self._instance_attribute(thing, name, place)
        if thing.kind in _LIBRARY_KINDS or (thing.kind is Kind.OPAQUE and thing.carried):
            return (self._of_library(thing, name, place),)
        if thing.kind is Kind.OPAQUE and thing.data is not None:
            inner = self.make(Kind.OPAQUE, thing.made, name=f"{thing.name}.{name}")
            inner.born = thing.born
            inner.data = thing.data
            thing.attributes[name] = (inner,)
            return (inner,)
        return UNKNOWN

    def _of_library(self, thing: Thing, name: str, place: Place) -> Value:
        if thing.kind is Kind.LOADED or (thing.kind is Kind.SESSION and name in {"sync_session", "sync_connection"}):
            return thing
        return self._lazily(thing, name, place) if thing.kind is Kind.LAZY else Method(thing=thing, name=name)

    def _lazily(self, thing: Thing, name: str, place: Place) -> Pending:
        """A lazy load, which is a query by the session of the object."""

        def run() -> Values:
            for session in thing.carried:
                if isinstance(session, Thing):
                    self.use(session, f"lazy load of {name}", Nature.AWAITED, place)
            loaded = self.make(Kind.LOADED, thing.made, name=name)
            loaded.attributes["awaitable_attrs"] = (thing,)
            return (loaded,)

        return Pending(label=f"awaitable_attrs.{name}", run=self.from_here(run), place=place)

    def _instance_attribute(self, thing: Thing, name: str, place: Place) -> Values:
        if found := self._method(thing, name, place):
            return found
        self.fill(thing) if name != "__init__" else None
        if name == "awaitable_attrs" and thing.symbolic and name not in thing.attributes and self._is_mapped(thing):
            thing.attributes[name] = (self._behind(thing),)
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

    def _behind(self, thing: Thing) -> Thing:
        """By what an object loads of which only the class is known: a session of which nothing else is known."""
        words = f"the session of `{thing.name}`"
        session = Thing(kind=Kind.SESSION, made=thing.made, born=thing.born, name=words, symbolic=True)
        return self.lazy(session, thing.made)

    def _is_mapped(self, thing: Thing) -> bool:
        """Whether it is of a class that loads lazily when it is awaited."""
        bases = self.project.ancestors(thing.class_) if thing.class_ is not None else ()
        return any(isinstance(each, str) and key_of(each) == ("sqlalchemy", "AsyncAttrs") for each in bases)

    def _method(self, thing: Thing, name: str, place: Place, *, after: Class | None = None) -> Values:
        """The method of the nearest class that has it; beyond `after`, if that is given."""
        if thing.class_ is None:
            return UNKNOWN
        if after is None:
            owner = self.lookups.having_method(thing.class_, name)
            return self._bound_method(thing, owner, name, place) if owner is not None else UNKNOWN
        passed = False
        for class_ in self.project.ancestors(thing.class_):
            if passed and isinstance(class_, Class) and name in class_.methods:
                return self._bound_method(thing, class_, name, place)
            passed = passed or class_ is after
        return UNKNOWN

    def _bound_method(self, thing: Thing, class_: Class, name: str, place: Place) -> Values:
        node = class_.methods[name]
        marks = marks_of(node)
        environment = thing.data if class_ is thing.class_ and isinstance(thing.data, Environment) else None
        scope = environment or self.module_environment(class_.module)
        found: list[Value] = []
        for each in self.defined(node, scope, class_=class_):
            if not isinstance(each, FunctionValue) or "staticmethod" in marks:
                found.append(each)
            elif not marks.isdisjoint(_PROPERTIES):
                given = self.call(each.bound_to(thing), Arguments(place=place))
                if "cached_property" in marks:
                    thing.attributes[name] = given
                return given
            elif "classmethod" in marks:
                found.append(
                    replace(each, bound=True, first=[(ClassValue(class_=class_, environment=scope),), *each.first])
                )
            else:
                found.append(each.bound_to(thing))
        return tuple(found)

    def _field(self, thing: Thing, name: str) -> Values | None:
        """What a field of the class is: what its annotation says of a symbolic thing, or the class's own value."""
        assert thing.class_ is not None  # noqa: S101  # for the type checker
        shaped = self.lookups.shape(thing.class_).get(name)
        if shaped is None:
            return None
        each, place = shaped.field, shaped.place
        owner = self.project.owner(thing.class_, name)
        scope = thing.data if owner is thing.class_ and isinstance(thing.data, Environment) else None
        scope = scope or self.module_environment(owner.module)
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
                if "classmethod" in marks_of(class_.methods[name]):
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

    def member(self, module: Module, name: str) -> Values:
        """What a module's name is bound to."""
        environment = self.modules.get(module) or self.module_environment(module)
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
