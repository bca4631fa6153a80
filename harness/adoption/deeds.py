"""What a function does to the database, guessed from what its code calls.

A session or connection is whatever statements are executed on, or what `async with` gives that is used like one. On
such a thing `add` writes; anywhere else it may be a set's.
"""

import ast
from collections.abc import Iterator

from harness.adoption.calls import Calls
from harness.adoption.found import Deeds
from harness.adoption.tree import FunctionAt, literal_text
from harness.adoption.words import words
from harness.sql import writes_rows

__all__ = ["deeds_of"]

_ON_SESSIONS = frozenset(
    words(
        "begin_nested commit exec execute flush get_one refresh rollback scalar scalar_one scalars stream "
        "stream_scalars"
    )
)
_SELECTING = frozenset(words("exec execute get get_one refresh scalar scalars stream stream_scalars fetch fetchrow"))
_WRITING_WORDS = frozenset({"delete", "insert", "update"})
_LIKELY = ("session", "db", "conn", "connection", "tx", "uow")


def deeds_of(calls: Calls, function: FunctionAt) -> Deeds:
    """What the function and all below it do."""
    done = Deeds()
    for each in calls.below(function):
        done |= _own(calls, each)
    return done


def _own(calls: Calls, function: FunctionAt) -> Deeds:
    receivers = set(_receivers(function))
    done = Deeds()
    for call in function.calls:
        done |= _of_call(calls, function, call, receivers)
    begins = any(_begins(item.context_expr) for item in _entered(function))
    retries = any(
        isinstance(node, ast.Raise) and node.exc is not None and "ModelRetry" in ast.unparse(node.exc)
        for node in ast.walk(function.node)
    )
    return done | Deeds(commits=begins, retries=retries)


def _of_call(calls: Calls, function: FunctionAt, call: ast.Call, receivers: set[str]) -> Deeds:
    if text := literal_text(call.args[0] if call.args else None):
        return Deeds(adds=True) if writes_rows(text) else Deeds()
    if isinstance(call.func, ast.Name):
        name = calls.tree.resolve(function.module, call.func, function.within)
        return Deeds(adds=name.startswith(("sqlalchemy.", "sqlmodel.")) and call.func.id in _WRITING_WORDS)
    if not isinstance(call.func, ast.Attribute):
        return Deeds()
    attribute, on_session = call.func.attr, ast.unparse(call.func.value) in receivers
    return Deeds(
        selects=on_session and attribute in _SELECTING,
        adds=(on_session and attribute in {"add", "add_all", "merge", "delete"}) or _is_core(call),
        flushes=on_session and attribute == "flush",
        commits=on_session and attribute == "commit",
        rolls_back=on_session and attribute == "rollback",
    )


def _is_core(call: ast.Call) -> bool:
    """`table.insert()`, and the like."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in {"insert", "update"} and not call.args


def _receivers(function: FunctionAt) -> Iterator[str]:
    """What is used as a session or a connection, as it is written."""
    for call in function.calls:
        if isinstance(call.func, ast.Attribute):
            on = ast.unparse(call.func.value)
            if call.func.attr in _ON_SESSIONS or on.lower().rpartition(".")[2] in _LIKELY:
                yield on
    for item in _entered(function):
        if isinstance(item.optional_vars, ast.Name) and isinstance(item.context_expr, ast.Call):
            yield item.optional_vars.id


def _entered(function: FunctionAt) -> Iterator[ast.withitem]:
    for node in ast.walk(function.node):
        if isinstance(node, ast.AsyncWith):
            yield from node.items


def _begins(context: ast.expr) -> bool:
    """`session.begin()`, `sessions.begin()`, `engine.begin()`: what commits at its end."""
    return isinstance(context, ast.Call) and isinstance(context.func, ast.Attribute) and context.func.attr == "begin"
