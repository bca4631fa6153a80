"""The codes of what a scan finds, each with what it means and what to change."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CODES", "ON_REQUEST", "Code", "Meaning", "Severity"]


class Severity(StrEnum):
    """How bad it is: an `error` loses rows or raises, a `warning` waits to, a `note` is for whoever asks."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """The codes: 1xx tools, 2xx tasks, 3xx what is milder, 9xx comments."""

    DEPS = "SP101"
    CLOSURE = "SP102"
    GLOBAL = "SP103"
    SELF = "SP104"
    CONTEXT_VARIABLE = "SP105"
    DEFAULT_ARGUMENT = "SP106"
    PARTIAL = "SP107"
    TRACKER = "SP108"
    GATHER = "SP201"
    TASK_GROUP = "SP202"
    TASK = "SP203"
    BACKGROUND = "SP204"
    THREAD = "SP205"
    HELD = "SP301"
    LOCKED = "SP302"
    ONE_TOOL = "SP303"
    NO_REASON = "SP901"
    UNKNOWN_CODE = "SP902"
    UNUSED = "SP903"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a code means, in one sentence, how bad that is, and what to change."""

    sentence: str
    severity: Severity
    repair: str


_OWN = "give the deps the session factory; each tool opens its own: `async with ctx.deps.factory() as session:`"
_EACH = "open a session in each tool: `async with factory() as session:`"
_TASKS = "let each task open its own session: `async with factory() as session:`, or await one after the other"
_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES: Mapping[Code, Meaning] = {
    Code.DEPS: Meaning(
        sentence="Tools that run in parallel share a session that they get from the deps.", severity=_E, repair=_OWN
    ),
    Code.CLOSURE: Meaning(
        sentence="Tools that run in parallel share a session of the function around them.", severity=_E, repair=_EACH
    ),
    Code.GLOBAL: Meaning(
        sentence="Tools that run in parallel share a session that a module or a class has.", severity=_E, repair=_EACH
    ),
    Code.SELF: Meaning(
        sentence="Tools that run in parallel are methods of one object, which has the session.",
        severity=_E,
        repair="give the object the session factory, and open a session in each method",
    ),
    Code.CONTEXT_VARIABLE: Meaning(
        sentence="Tools that run in parallel share a session in a context variable, which their tasks inherit.",
        severity=_E,
        repair="keep the session factory in it, and open a session in each tool",
    ),
    Code.DEFAULT_ARGUMENT: Meaning(
        sentence="Tools that run in parallel share a session that is the default of a parameter.",
        severity=_E,
        repair=_EACH,
    ),
    Code.PARTIAL: Meaning(
        sentence="Tools that run in parallel were given one session when they were bound.",
        severity=_E,
        repair="bind the session factory, and open a session in each tool",
    ),
    Code.TRACKER: Meaning(
        sentence="What writes a bill or a log was made with a session that tools use.",
        severity=_E,
        repair="give it the session factory, and let it open and commit a session of its own for each row",
    ),
    Code.GATHER: Meaning(sentence="What `gather` runs at the same time shares a session.", severity=_E, repair=_TASKS),
    Code.TASK_GROUP: Meaning(sentence="Tasks of one task group share a session.", severity=_E, repair=_TASKS),
    Code.TASK: Meaning(
        sentence="A task uses a session that is used elsewhere before the task has been awaited.",
        severity=_E,
        repair="await the task before, or let it open its own session",
    ),
    Code.BACKGROUND: Meaning(
        sentence="A background task uses the session of the request, which may be closed by then.",
        severity=_W,
        repair="let the background task open its own session from the factory",
    ),
    Code.THREAD: Meaning(
        sentence="Threads that run at the same time share a session.",
        severity=_E,
        repair="let each thread open its own session",
    ),
    Code.HELD: Meaning(
        sentence="A session keeps its transaction, and its connection, while the model answers.",
        severity=_W,
        repair="commit or close the session before the agent runs, and open another one after that",
    ),
    Code.LOCKED: Meaning(
        sentence="A lock keeps tools or tasks apart, but one commits or rolls back what another has written.",
        severity=_N,
        repair="open a session in each; a lock makes them take turns, and does not part their transactions",
    ),
    Code.ONE_TOOL: Meaning(
        sentence="One tool uses a session from outside, and shares it with itself if it is called twice at once.",
        severity=_N,
        repair="open a session in the tool, or register it with `sequential=True`",
    ),
    Code.NO_REASON: Meaning(
        sentence="A comment ignores a code and does not say why.", severity=_W, repair="write the reason after the code"
    ),
    Code.UNKNOWN_CODE: Meaning(
        sentence="A comment ignores a code that does not exist.", severity=_W, repair="write an existing code"
    ),
    Code.UNUSED: Meaning(
        sentence="A comment ignores what is not found there.", severity=_W, repair="delete the comment"
    ),
}
ON_REQUEST = frozenset({Code.LOCKED, Code.ONE_TOOL})
"""Codes that are told only if somebody selects them."""
