"""What a route or a function answers with: whole or in pieces, and which of its fields names the row that bills it.

A route may do both, as it is asked: `if body.stream:` stands above the answer in pieces. The field that names the row
is the one that is given the identifier of an object of the ledger's class, which the function makes or gets from a
function that returns one.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.adoption.calls import Calls
from harness.adoption.found import Ledger
from harness.adoption.tree import FunctionAt, unwrapped
from harness.project.module import Function

__all__ = ["Streaming", "billed_by", "names_of_rows", "streaming_of"]

_STREAMS = ("EventSourceResponse", "StreamingResponse")
_DEEPEST = 3
_CASTS = frozenset({"int", "str", "UUID", "uuid.UUID"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """Whether every answer comes in pieces; and if only some do, what asks for a whole one."""

    always: bool
    whole: Mapping[str, bool] = field(default_factory=dict)


def streaming_of(calls: Calls, function: FunctionAt, decorator: ast.Call) -> Streaming:
    """How a route answers."""
    in_general = " ".join(ast.unparse(each.value) for each in decorator.keywords if each.arg == "response_class")
    if any(name in in_general for name in _STREAMS):
        return Streaming(always=True)
    if _always(calls, function, 0):
        return Streaming(always=True)
    return Streaming(always=False, whole=dict(_asks(calls, function, function.node.body)))


def _always(calls: Calls, function: FunctionAt, depth: int) -> bool:
    declared = unwrapped(function.node.returns)
    if isinstance(declared, ast.Name | ast.Attribute) and ast.unparse(declared).endswith(_STREAMS):
        return True
    own = list(_own(function.node.body))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
        return True
    returned = [node.value for node in own if isinstance(node, ast.Return) and node.value is not None]
    return bool(returned) and all(_is_stream(calls, function, each, depth) for each in returned)


def _own(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of a body but those of functions in it."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _is_stream(calls: Calls, function: FunctionAt, node: ast.expr, depth: int) -> bool:
    match node:
        case ast.Await(value=value):
            return _is_stream(calls, function, value, depth)
        case ast.IfExp(body=first, orelse=second):
            return all(_is_stream(calls, function, each, depth) for each in (first, second))
        case ast.Name(id=name):
            given = [
                each.value
                for each in _own(function.node.body)
                if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in each.targets)
            ]
            return bool(given) and all(
                _is_stream(calls, function, each, depth + 1) for each in given if depth < _DEEPEST
            )
        case ast.Call(func=called):
            if ast.unparse(called).rpartition(".")[2].endswith(_STREAMS):
                return True
            target = calls.target(function, called) if depth < _DEEPEST else None
            return target is not None and _answers_in_pieces(calls, target, depth + 1)
    return False


def _answers_in_pieces(calls: Calls, function: FunctionAt, depth: int) -> bool:
    """Whether a function that a route calls returns an answer in pieces: one that yields is not an answer yet."""
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own(function.node.body)):
        return False
    return _always(calls, function, depth)


def _asks(calls: Calls, function: FunctionAt, body: Sequence[ast.stmt]) -> Iterator[tuple[str, bool]]:
    """What is tested above an answer in pieces, with the value that leads to another one."""
    for position, node in enumerate(body):
        if not isinstance(node, ast.If):
            continue
        rest = node.orelse or body[position + 1 :]
        first, second = (_kinds(calls, function, each) for each in (node.body, rest))
        name, value = _flag(node.test)
        if name and first == {True} and False in second:
            yield name, not value
        elif name and False in first and second == {True}:
            yield name, value
        else:
            yield from _asks(calls, function, node.body)
            yield from _asks(calls, function, node.orelse)


def _kinds(calls: Calls, function: FunctionAt, body: Sequence[ast.stmt]) -> set[bool]:
    """Of each answer in some statements, whether it comes in pieces."""
    returned = [node.value for node in _own(body) if isinstance(node, ast.Return) and node.value is not None]
    return {_is_stream(calls, function, each, 0) for each in returned}


def _flag(test: ast.expr) -> tuple[str, bool]:
    """The name that a condition tests, and the value that it has where the condition holds."""
    match test:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name, True
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            name, value = _flag(inner)
            return name, not value
        case ast.Compare(left=left, ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=bool() as wanted)]):
            name, value = _flag(left)
            return name, value is wanted
    return "", True


def billed_by(calls: Calls, function: FunctionAt, ledgers: Mapping[str, Ledger]) -> str:
    """The field of an answer that is given the identifier of a ledger's row; empty if none is seen to be."""
    rows = dict(_rows(calls, function, ledgers))
    for node in _own(function.node.body):
        if not isinstance(node, ast.Return):
            continue
        for name, value in _given(function, node.value):
            if _identifies(value, rows):
                return name
    return ""


def _rows(calls: Calls, function: FunctionAt, ledgers: Mapping[str, Ledger]) -> Iterator[tuple[str, str]]:
    """The local names that are objects of a ledger's class, each with its identifier's attribute."""
    for node in _own(function.node.body):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if value is not None:
                made = value.value if isinstance(value, ast.Await) else value
                ledger = _ledger_of(calls, function, made, ledgers, 0) if isinstance(made, ast.Call) else None
                if ledger is not None:
                    yield name, ledger.columns.get("id", "id")


def _ledger_of(
    calls: Calls, function: FunctionAt, call: ast.Call, ledgers: Mapping[str, Ledger], depth: int
) -> Ledger | None:
    made = ledgers.get(calls.tree.resolve(function.module, call.func, function.within))
    target = calls.target(function, call.func) if made is None and depth < _DEEPEST else None
    if target is None:
        return made
    declared = ledgers.get(calls.tree.resolve(target.module, unwrapped(target.node.returns), target.within))
    if declared is not None:
        return declared
    returned = {each.value.id for each in _own(target.node.body) if _returns_name(each)}  # type: ignore[attr-defined]  # it is such a `return`
    for each in _own(target.node.body):
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as inner) if name in returned:
                return _ledger_of(calls, target, inner, ledgers, depth + 1)
    return None


def _returns_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Name)


def _given(function: FunctionAt, node: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    """The fields of an answer, with what each is given."""
    match node:
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            yield from ((key.value, value) for key, value in pairs if _is_text(key))  # type: ignore[union-attr]  # it is one
        case ast.Call(keywords=words):
            yield from ((word.arg, word.value) for word in words if word.arg is not None)
        case ast.Name(id=name):
            for each in _own(function.node.body):
                match each:
                    case ast.Assign(targets=[ast.Name(id=other)], value=ast.Dict() | ast.Call() as value) if (
                        other == name
                    ):
                        yield from _given(function, value)


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _identifies(node: ast.expr, rows: Mapping[str, str]) -> bool:
    match node:
        case ast.Call(func=cast, args=[inner]) if ast.unparse(cast) in _CASTS:
            return _identifies(inner, rows)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return name in rows and attribute == rows[name]
    return False


def names_of_rows(ledgers: Iterable[Ledger]) -> list[str]:
    """How an answer could call a row's identifier: after the table, or after its class."""
    found: list[str] = []
    for each in ledgers:
        table, class_ = each.table.rpartition(".")[2], re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", each.path).lower()
        found += [f"{name}_id" for name in (_singular(table), class_, table)]
    return list(dict.fromkeys(found))


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
