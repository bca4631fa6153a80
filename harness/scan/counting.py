"""Numbers that say which of several sessions is meant.

Problem: of tasks that take `sessions[i % 3]`, the fourth has what the first has; of those that take `sessions[i]`, or
that are three, each has its own.

Mechanism: a number that a loop counts is a `Round`, which knows how many there are, if anybody does. What is left of a
division is a number that comes again, a `Turn`, unless there are no more rounds than it has values.
"""

import ast
from dataclasses import dataclass

__all__ = ["FEW_ROUNDS", "Round", "Turn", "calculated", "repeated"]

FEW_ROUNDS = 6
"""So many rounds are counted one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The number of a round; `of` is a number, or what stands for one, and `None` if it is not known.

    `part` says that the rounds are a part of a longer way, which may be as short as it must be.
    """

    of: object = None
    part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A number that comes again, by how it is written."""

    text: str


def calculated(node: ast.BinOp, left: object, right: object) -> object:
    """What two constants give; `None` if that is not known."""
    match node.op:
        case ast.Mod() if not isinstance(left, str) and not isinstance(node.left, ast.JoinedStr):
            return _left_over(node, left, right)
        case ast.Add() | ast.Sub() if isinstance(left, Round):
            return left
        case ast.Add() | ast.Sub() if isinstance(right, Round):
            return right
        case ast.Add() if _is_number(left) and _is_number(right):
            return left + right  # type: ignore[operator]  # both are numbers
        case ast.Sub() if _is_number(left) and _is_number(right):
            return left - right  # type: ignore[operator]  # both are numbers
        case _:
            return None


def _left_over(node: ast.BinOp, left: object, right: object) -> object:
    if _is_number(left) and _is_number(right) and right:
        return left % right  # type: ignore[operator]  # both are numbers
    if isinstance(left, Round) and (left.part or _at_most(left.of, right)):
        return left
    return Turn(text=ast.unparse(node))


def _at_most(rounds: object, values: object) -> bool:
    if _is_number(rounds) and _is_number(values):
        return bool(rounds <= values)  # type: ignore[operator]  # both are numbers
    return rounds is not None and rounds == values


def repeated(count: object) -> int:
    """How often a list stands in a product of it, as far as it matters."""
    return min(count, FEW_ROUNDS) if isinstance(count, int) else 2


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
