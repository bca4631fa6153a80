"""Who calls whom in a project, as far as names tell.

A call of a name is followed through imports. A call of a method on something whose class is not known is followed if
the project has one method of that name, and the name is not one that sessions, collections or models have too. So
what is followed may be too little, and what comes of it is a guess that the adapter states as one.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.adoption.tree import FunctionAt, Tree
from harness.adoption.words import words
from harness.project.module import Function, Module

__all__ = ["Calls"]

_OTHERS = frozenset(
    words(
        "add add_all all append begin close commit connect delete dict exec execute exists filter find first "
        "flush format get insert items iter join json keys list load lower merge model_dump one open override pop "
        "post put read refresh remove rollback run save scalar scalars send set split start stop stream strip "
        "tool update upper values write"
    )
)


@dataclass(frozen=True, eq=False)
class Calls:
    """The calls of one project; what each function calls is looked up once."""

    tree: Tree
    _known: dict[FunctionAt, Sequence[FunctionAt]] = field(default_factory=dict)

    def callees(self, function: FunctionAt) -> Sequence[FunctionAt]:
        """The project's functions that it calls, in the order of their first calls."""
        if function not in self._known:
            found = [each for call in function.calls for each in self._of(function, call)]
            self._known[function] = tuple(dict.fromkeys(found))
        return self._known[function]

    def below(self, function: FunctionAt) -> Iterator[FunctionAt]:
        """The function, and all that it calls, nearest first."""
        waiting, seen = [function], {function}
        while waiting:
            each = waiting.pop(0)
            yield each
            fresh = [other for other in self.callees(each) if other not in seen]
            seen.update(fresh)
            waiting += fresh

    @cached_property
    def _callers(self) -> Mapping[FunctionAt, Sequence[FunctionAt]]:
        found: dict[FunctionAt, list[FunctionAt]] = {}
        for function in self.tree.functions:
            for each in self.callees(function):
                found.setdefault(each, []).append(function)
        return found

    def above(self, function: FunctionAt) -> Sequence[FunctionAt]:
        """The function, and all that call it, nearest first."""
        found = [function]
        for each in found:
            found += [other for other in self._callers.get(each, ()) if other not in found]
        return found

    def any_below(self, function: FunctionAt, holds: Callable[[FunctionAt], bool]) -> bool:
        """Whether something holds of the function or of anything that it calls."""
        return any(holds(each) for each in self.below(function))

    def _of(self, function: FunctionAt, call: ast.Call) -> Iterator[FunctionAt]:
        if (known := self.target(function, call.func)) is not None:
            yield known
            return
        if isinstance(call.func, ast.Attribute):
            yield from self._method(function, call.func)

    def target(self, function: FunctionAt, called: ast.expr) -> FunctionAt | None:
        """The project's function that an expression in a function names; a class's `__init__`, if it names that."""
        return self.target_in(function.module, called, function.within)

    def target_in(self, module: Module, called: ast.expr, within: Sequence[Function] = ()) -> FunctionAt | None:
        """The same of an expression that stands in a module, outside of functions or within some."""
        name = self.tree.resolve(module, called, within)
        if not name:
            return None
        class_ = self.tree.project.class_(name, near=module)
        return self.tree.function(f"{name}.__init__" if class_ else name, module)

    def _method(self, function: FunctionAt, called: ast.Attribute) -> Iterator[FunctionAt]:
        match called.value:
            case ast.Name(id="self" | "cls") if function.owner is not None:
                yield from [each for each in self.tree.methods.get(called.attr, ()) if each.owner is function.owner]
            case ast.Call(func=maker):
                owner = self.tree.resolve(function.module, maker, function.within)
                made = self.tree.function(f"{owner}.{called.attr}", function.module) if owner else None
                yield from [made] if made is not None else self._only(called.attr)
            case _:
                yield from self._only(called.attr)

    def _only(self, name: str) -> Sequence[FunctionAt]:
        found = self.tree.methods.get(name, ())
        return found if len(found) == 1 and name not in _OTHERS and not name.startswith("__") else ()
