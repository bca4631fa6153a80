"""Which sides of which tests had to be taken to come to a point of the program.

Problem: what stands in both sides of a branch is followed one after the other, but only one of them ever runs.

Mechanism: each time a test is met it has a number, its visit; the visits and sides on the way to a point are its arms.
Two points exclude each other if one of their visits is the same with another side. A test that is written again, on
names that were not bound meanwhile, is the same visit; in the next round of a loop it is another one.

Guarantee: what excludes each other is never in one run of the program.
"""

import ast
from dataclasses import dataclass, field

from harness.project.kept import kept

__all__ = ["NOWHERE", "Arms", "Asked", "Tests", "asked_by", "exclusive", "names_of", "plain"]

Arms = frozenset[tuple[int, int]]
NOWHERE: Arms = frozenset()
_PARTS = (ast.Name, ast.Constant, ast.Compare, ast.Is, ast.Eq, ast.Load)


def exclusive(first: Arms, second: Arms) -> bool:
    """Whether no run of the program comes to both."""
    if not first or not second or first is second:
        return False
    sides = dict(second)
    return any(sides.get(visit, side) != side for visit, side in first)


@dataclass(eq=False, slots=True)
class Tests:
    """The tests that were met in one call, and how often its names were bound."""

    bound: dict[str, int] = field(default_factory=dict)
    known: dict[object, int] = field(default_factory=dict)

    def visit(self, key: str, names: frozenset[str], fresh: int) -> int:
        """The number of the test with these names; `fresh` if it was not met since they were bound."""
        versions = tuple(sorted((name, self.bound.get(name, 0)) for name in names))
        return self.known.setdefault((key, versions), fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a test asks: the name that is the whole test, if one is, the names in it, and how it is written.

    `turned` says whether it is turned round. `names` is `None` if it asks for more than names.
    """

    turned: bool
    name: str = ""
    names: frozenset[str] | None = None
    text: str = ""


@kept
def asked_by(test: ast.expr) -> Asked:
    """What a test asks; many tests are met again and again."""
    inner, turned = plain(test)
    names = names_of(inner)
    if names is None:
        return Asked(turned=turned)
    return Asked(
        turned=turned, name=inner.id if isinstance(inner, ast.Name) else "", names=names, text=ast.unparse(inner)
    )


def plain(test: ast.expr) -> tuple[ast.expr, bool]:
    """The test without what turns it round, and whether it is turned round."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner, turned = plain(operand)
            return inner, not turned
        case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq() as operator], comparators=comparators):
            same = ast.Is() if isinstance(operator, ast.IsNot) else ast.Eq()
            return ast.Compare(left=left, ops=[same], comparators=comparators), True
        case _:
            return test, False


def names_of(test: ast.expr) -> frozenset[str] | None:
    """The names in a test that asks for nothing else; `None` if it asks for more."""
    parts = [*ast.walk(test)]
    if not all(isinstance(each, _PARTS) for each in parts):
        return None
    return frozenset(each.id for each in parts if isinstance(each, ast.Name))
