"""Python source without the string literals that are secrets by their names.

Problem: the masks for text (`harness.masking`) look for a value right behind its name. In a program there is an
annotation, a call, a parenthesis or a line between them, or the name stands far above the lines that are shown.

Mechanism: the whole file's syntax tree says what each literal is a value of. One that lies anywhere in what is assigned
to, the default of, passed as, put under, compared with, or returned by a name, an attribute or a key that means a
secret (`harness.masking.is_secret_name`) is replaced by the mask; and so is one in a call of such a name (`SecretStr`),
or in one with such a string (`getenv("DB_PASSWORD", ...)`). A private key is one under whatever name.

Guarantee: pure; the text that is returned has as many lines as that which was given, and is the same but for literals.
Where it is not clear, more is masked than need be, but a key such as `"DB_PASSWORD"` in `environ["DB_PASSWORD"]` stays.
What it cannot know is a secret under an innocent name, in a comment, or in the text of another literal: the masks for
text have to follow.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.masking import MASK, is_secret_name

__all__ = ["without_secrets"]

_PRIVATE_KEY = "-----BEGIN"
_NAME = re.compile(r"[\w.-]{1,100}")
_GETTERS = frozenset({"env", "get", "getenv", "pop", "setdefault"})
_COMPARISONS = frozenset({"__eq__", "compare_digest", "endswith", "removeprefix", "removesuffix", "startswith"})
_Nodes = Iterator[ast.AST | None]


def without_secrets(lines: Sequence[str], tree: ast.AST) -> list[str]:
    """The lines of which `tree` was parsed, with the mask, on each of its lines, in place of each secret literal."""
    whole = _formatted(tree)
    pieces: set[tuple[int, int, int | None]] = set()
    for literal in _secrets(tree):
        pieces |= set(_pieces(whole.get(literal, literal)))
    shown = [line.encode() for line in lines]  # the tree counts bytes of UTF-8
    for number, start, end in sorted(pieces, key=lambda piece: piece[:2], reverse=True):
        line = shown[number - 1]
        shown[number - 1] = line[:start] + MASK.encode() + (b"" if end is None else line[end:])
    return [line.decode() for line in shown]


def _formatted(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """For what is in an f-string the outermost one: Python 3.11 does not know where in it things are."""
    whole: dict[ast.AST, ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and node not in whole:
            whole.update(dict.fromkeys(ast.walk(node), node))
    return whole


def _pieces(literal: ast.AST) -> Iterator[tuple[int, int, int | None]]:
    """What a literal takes of each of its lines: the number, the first byte, and the one behind the last."""
    if isinstance(literal, ast.Constant | ast.JoinedStr):
        last = literal.end_lineno or literal.lineno
        for number in range(literal.lineno, last + 1):
            first = literal.col_offset if number == literal.lineno else 0
            yield number, first, literal.end_col_offset if number == last else None


def _secrets(tree: ast.AST) -> Iterator[ast.AST]:
    """The literals that are secrets."""
    keys = [node for node in ast.walk(tree) if _text(node).find(_PRIVATE_KEY) >= 0]
    yield from keys
    for node in ast.walk(tree):
        for value in _values(node):
            if value is not None:
                yield from _literals(value)
        if keys and isinstance(node, ast.BinOp | ast.List | ast.Set | ast.Tuple):
            parts = list(_literals(node))
            yield from parts if not set(keys).isdisjoint(parts) else ()


def _literals(value: ast.AST) -> Iterator[ast.AST]:
    """The strings in it, but for those that are keys of secrets."""
    inside = list(ast.walk(value))
    keys = {key for node in inside for key in _keys(node) if is_secret_name(_name(key))}
    literals = (node for node in inside if isinstance(node, ast.JoinedStr) or _is_string(node))
    yield from (literal for literal in literals if literal not in keys)


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _keys(node: ast.AST) -> Iterator[ast.AST]:
    """What is only a key, in a mapping, of what this is."""
    match node:
        case ast.Subscript():
            yield node.slice
        case ast.Dict():
            yield from (key for key in node.keys if key is not None)
        case ast.Call(args=[first, *_]) if _last(node.func) in _GETTERS:
            yield first


def _values(node: ast.AST) -> _Nodes:
    """What has the name of a secret because of this node: the literals in it are secrets."""
    yield from _bound(node)
    yield from _passed(node)
    yield from _put_under_a_key(node)
    yield from _beside(node)


def _bound(node: ast.AST) -> _Nodes:
    match node:
        case ast.Assign() if any(map(_mentions, node.targets)):
            yield node.value
        case ast.AnnAssign() if _mentions(node.target):
            yield from (node.value, node.annotation)
        case ast.AugAssign() | ast.NamedExpr() if _mentions(node.target):
            yield node.value
        case ast.For() | ast.AsyncFor() | ast.comprehension() if _mentions(node.target):
            yield node.iter
        case ast.ClassDef() if is_secret_name(node.name):
            yield from (each.value for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign))
        case ast.FunctionDef() | ast.AsyncFunctionDef() if is_secret_name(node.name):
            yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return | ast.Yield))


def _passed(node: ast.AST) -> _Nodes:
    match node:
        case ast.keyword() if node.arg is not None and is_secret_name(node.arg):
            yield node.value
        case ast.arg() if is_secret_name(node.arg):
            yield node.annotation
        case ast.arguments():
            positional = [*node.posonlyargs, *node.args]
            own = zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True)
            named = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            yield from (default for argument, default in (*own, *named) if is_secret_name(argument.arg))
        case ast.Call():
            yield from _of_call(node)


def _of_call(node: ast.Call) -> _Nodes:
    """Everything that is passed, or, if a string among it is a secret's name, what is passed besides."""
    passed = [*node.args, *(keyword.value for keyword in node.keywords)]
    function = _last(node.func)
    if is_secret_name(function) or (function in _COMPARISONS and any(map(_mentions, [node.func, *passed]))):
        yield from passed
    elif names := [each for each in passed if is_secret_name(_name(each))]:
        yield from (each for each in passed if each is not names[0])


def _put_under_a_key(node: ast.AST) -> _Nodes:
    match node:
        case ast.Dict():
            yield from (value for key, value in zip(node.keys, node.values, strict=True) if _means(key))
        case ast.DictComp() if _means(node.key):
            yield node.value
        case ast.Tuple() | ast.List():  # a header, or an option of a command and its value
            yield from (value for key, value in pairwise(node.elts) if is_secret_name(_name(key)))
        case ast.MatchMapping():
            yield from (value for key, value in zip(node.keys, node.patterns, strict=True) if _means(key))
        case ast.MatchClass():
            named = zip(node.kwd_attrs, node.kwd_patterns, strict=True)
            yield from (value for name, value in named if is_secret_name(name))


def _beside(node: ast.AST) -> _Nodes:
    """What a secret is compared with, or stands in its place if there is none."""
    match node:
        case ast.Compare() if _mentions(node):
            yield from (node.left, *node.comparators)
        case ast.Match() if _mentions(node.subject):
            yield from (case.pattern for case in node.cases)
        case ast.BoolOp() if any(map(_mentions, node.values)):
            yield from filter(_text, node.values)
        case ast.IfExp() if _mentions(node.body) or _mentions(node.orelse):
            yield from filter(_text, (node.body, node.orelse))


def _means(key: ast.AST | None) -> bool:
    """Whether a key, a string or what holds one, is that of a secret."""
    return key is not None and (is_secret_name(_text(key)) or _mentions(key))


def _mentions(node: ast.AST) -> bool:
    """Whether a secret's name is in an expression: that of a variable, of an attribute, or a string that is a key."""
    return any(map(is_secret_name, (name for each in ast.walk(node) for name in _names(each))))


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name():
            yield node.id
        case ast.Attribute():
            yield node.attr
        case ast.Subscript():
            yield _text(node.slice)
        case ast.Call():
            yield from map(_name, node.args)


def _last(function: ast.AST) -> str:
    """The name by which a function is called."""
    match function:
        case ast.Name():
            return function.id
        case ast.Attribute():
            return function.attr
        case _:
            return ""


def _name(node: ast.AST) -> str:
    """A string that can be a name: it is one word."""
    text = _text(node)
    return text if _NAME.fullmatch(text) else ""


def _text(node: ast.AST | None) -> str:
    """What a literal says; nothing of what is none."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=bytes(content)):
            return content.decode("latin-1")
        case ast.JoinedStr():
            return "".join(map(_text, node.values)) or MASK
        case _:
            return ""
