"""Parts of an adapter that nobody has written yet, told all at once, before anything is tried.

Problem: `sessionproof init` marks what it did not find, and an adapter with several such parts fails at them one by
one, each time far from the part.

Mechanism: the file of the backend's class is read. A function is left open if it does nothing but raise
`NotImplementedError` with a text that begins with the marker; what only raises that error may be an abstract method.
"""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from harness.backend.import_failure import shown
from harness.backend.violation import Violation
from harness.stacks import is_application

__all__ = ["MARKER", "left_open"]

MARKER = "TODO: "


def left_open(candidate: object) -> Iterator[Violation]:
    """A violation for each function in the file of the candidate's class that is left to be written, by line."""
    try:
        file = inspect.getsourcefile(type(candidate))
        tree = ast.parse(Path(file).read_bytes()) if file is not None and is_application(file) else None
    except (TypeError, ValueError, OSError, SyntaxError):
        return
    nodes = ast.walk(tree) if tree is not None else ()
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in sorted(functions, key=lambda function: function.lineno):
        if sentence := _sentence(node):
            yield Violation(
                part=node.name,
                seen="it is left to be written",
                asked=sentence,
                change="write that in place of its `raise`",
                place=f"{shown(str(file))}:{node.lineno}",
            )


def _sentence(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """What is to be written there; empty if the function does anything."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    match body:
        case [
            ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str() as text)]))
        ]:
            return text.removeprefix(MARKER) if text.startswith(MARKER) else ""
    return ""
