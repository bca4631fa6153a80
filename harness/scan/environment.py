"""The names of a module, or of one call of a function, and what they are bound to at a point of the program."""

from dataclasses import dataclass, field
from typing import Optional

from harness.project.module import Module
from harness.scan.arms import Tests
from harness.scan.values import FunctionValue, Step, Thing, Value, Values, joined

__all__ = ["Environment", "Yield"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """What a generator gave: the values, how many events had been before, and which locks were held."""

    values: Values
    index: int
    held: tuple[Thing, ...]


@dataclass(eq=False, slots=True, kw_only=True)
class Environment:
    """`outer` is the function's around this one's; the module's own has none, nor a function."""

    module: Module
    outer: Optional["Environment"] = None
    function: FunctionValue | None = None
    names: dict[str, Values] = field(default_factory=dict)
    returned: list[Value] = field(default_factory=list)
    yields: list[Yield] = field(default_factory=list)
    elsewhere: dict[str, "Environment"] = field(default_factory=dict)
    call: Step | None = None
    tests: Tests = field(default_factory=Tests)

    def find(self, name: str) -> Values | None:
        """What the name is bound to, here or around; `None` if nothing binds it."""
        scope: Environment | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None

    def bind(self, name: str, values: Values) -> None:
        """Bind the name; one that is declared `global` or `nonlocal` may be bound to what it was, too."""
        there = self.elsewhere.get(name)
        bound = (there or self).tests.bound
        bound[name] = bound.get(name, 0) + 1
        if there is None:
            self.names[name] = values
        else:
            before = there.names.get(name, ())
            there.names[name] = joined(before, values)
