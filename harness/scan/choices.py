"""Choices that hang together: which of two sessions a name has says which one another name has.

Problem: after `first, second = (a, b) if forward else (b, a)` each name may be either, but never both the same.

Mechanism: a statement with such a choice, and what comes after it, is followed once for each side of the test. The same
is done after a branch if one session is what one name has at the end of a side, and another name at the end of another;
a place in a list, a key of a mapping and an attribute are like names. Several lists, mappings or objects that one name
may be, and that have the same sessions crosswise, are followed one by one; where there is no name, the first counts.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.project.kept import kept
from harness.project.module import Module, below, children
from harness.scan.arms import Arms, names_of, plain
from harness.scan.values import Kind, Thing, Value, Values

__all__ = ["Choices", "End", "are_alternatives", "choices_of", "crossed", "may_choose", "one_of"]

_SIMPLE = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_TRACKED = frozenset({Kind.SESSION, Kind.INSTANCE})
_HOLDERS = frozenset({Kind.SEQUENCE, Kind.MAPPING, Kind.INSTANCE})
_SEVERAL, _DEEP = 2, 3
_ELSE = re.compile(r"\belse\b(?!\s*:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Conditional expressions with one test; with each, whether its test is turned round."""

    test: ast.expr
    turned: Mapping[ast.IfExp, bool]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class End:
    """What the names are at the end of one side, and the arms there."""

    names: dict[str, Values]
    arms: Arms


@kept
def _lines_of(module: Module) -> frozenset[int]:
    """The lines that may have the `else` of a conditional expression: most statements need not be looked into."""
    return frozenset(number for number, line in enumerate(module.text.splitlines(), start=1) if _ELSE.search(line))


@kept
def may_choose(statement: ast.stmt, module: Module) -> bool:
    """Whether there may be choices in a statement: of most, their lines say that there are none."""
    lines = _lines_of(module)
    last = statement.end_lineno or statement.lineno
    return bool(lines) and isinstance(statement, _SIMPLE) and not lines.isdisjoint(range(statement.lineno, last + 1))


def choices_of(statement: ast.stmt, rest: Sequence[ast.stmt]) -> Choices | None:
    """The choices in a statement that hang together, or with some in the rest of the block, if there are any."""
    for text, group in _groups(statement).items():
        first = next(iter(group))
        if len(group) >= _SEVERAL or _is_ordered(first) or (_is_of_names(first) and _is_asked_again(text, rest)):
            return Choices(test=first.test, turned=group)
    return None


def _is_asked_again(text: str, rest: Sequence[ast.stmt]) -> bool:
    return any(text in _groups(each) or text in _tests(each) for each in rest)


@kept
def _groups(statement: ast.stmt) -> Mapping[str, Mapping[ast.IfExp, bool]]:
    """The conditional expressions of a statement by their tests."""
    found: dict[str, dict[ast.IfExp, bool]] = {}
    for each in _choices_in(statement) if isinstance(statement, _SIMPLE) else ():
        test, turned = plain(each.test)
        own = "" if names_of(test) is not None else f" {each.lineno} {each.col_offset}"
        found.setdefault(f"{ast.unparse(test)}{own}", {})[each] = turned
    return found


@kept
def _tests(statement: ast.stmt) -> frozenset[str]:
    """The tests in a compound statement."""
    if isinstance(statement, _SIMPLE):
        return frozenset()
    tests = [each.test for each in below(statement) if isinstance(each, ast.If | ast.IfExp)]
    return frozenset(ast.unparse(plain(each)[0]) for each in tests)


def _choices_in(statement: ast.stmt) -> Iterator[ast.IfExp]:
    waiting: list[ast.AST] = [statement]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.IfExp):
            yield each
        if isinstance(each, _COMPREHENSIONS):
            waiting.append(each.generators[0].iter)
        elif not isinstance(each, ast.Lambda):
            waiting += children(each)


def _is_of_names(choice: ast.IfExp) -> bool:
    return all(isinstance(each, ast.Name | ast.Attribute | ast.Subscript) for each in (choice.body, choice.orelse))


def _is_ordered(choice: ast.IfExp) -> bool:
    """Whether it chooses one of two lists, mappings or calls with several things."""
    return all(len(_parts(each)) >= _SEVERAL for each in (choice.body, choice.orelse))


def _parts(node: ast.expr) -> Sequence[ast.expr]:
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
            return parts
        case ast.Call(args=given, keywords=named):
            return [*given, *(each.value for each in named)]
        case _:
            return ()


def crossed(ends: Sequence[End]) -> bool:
    """Whether something is what one name has at one end, and another name at another end."""
    return any(_cross(first.names, second.names) for first, second in combinations(ends, 2))


def _cross(first: Mapping[str, Values], second: Mapping[str, Values]) -> bool:
    changed = [name for name, values in first.items() if name in second and values is not second[name]]
    if not changed:
        return False
    return _is_moved(*(_holders((name, each) for name in changed for each in names[name]) for names in (first, second)))


def are_alternatives(values: Values) -> bool:
    """Whether some of the values have the same things at places that are exchanged: only one of them is there."""
    return len(one_of(values)) < len(values)


def one_of(values: Values) -> Values:
    """The values without those that have crosswise what an earlier one has."""
    if len(values) < _SEVERAL or not any(isinstance(each, Thing) and each.kind in _HOLDERS for each in values):
        return values
    kept: list[Value] = []
    seen: list[Mapping[Thing, set[str]]] = []
    for value in values:
        own = _holders([("", value)]) if isinstance(value, Thing) and value.kind in _HOLDERS else {}
        if not any(_is_moved(own, each) for each in seen):
            kept.append(value)
            seen.append(own)
    return values if len(kept) == len(values) else tuple(kept)


def _is_moved(one: Mapping[Thing, set[str]], other: Mapping[Thing, set[str]]) -> bool:
    """Whether something is at a place that it has not in the other, and there at one that it has not here."""
    return any(one[thing] - other[thing] and other[thing] - one[thing] for thing in one.keys() & other.keys())


def _holders(named: Iterable[tuple[str, Value]]) -> Mapping[Thing, set[str]]:
    """By which names, or places in a list, a mapping or an object, things are had."""
    found: dict[Thing, set[str]] = {}
    waiting = [(name, value, 0) for name, value in named]
    while waiting:
        place, value, depth = waiting.pop()
        if not isinstance(value, Thing):
            continue
        if value.kind in _TRACKED:
            found.setdefault(value, set()).add(place)
        if value.kind in _HOLDERS and depth < _DEEP:
            inner = enumerate(value.items) if value.kind is Kind.SEQUENCE else value.attributes.items()
            waiting += [(f"{place} {name}", each, depth + 1) for name, values in inner for each in values]
    return found
