"""What kind of thing an error is, by its cause.

Problem: the same bug shows as a dozen exception classes, and one class has several causes. Mechanism: what
identifies a cause is used in this order: the exception's type, where the library has one for it; SQLAlchemy's
code; PostgreSQL's SQLSTATE; and the text only where the libraries give nothing else. What was read in their
sources:

- `IllegalStateChangeError` always carries the code `isce` too (`orm/state_changes.py`): the type decides
  first. An `InvalidRequestError` with that code is the one of
  `SessionTransaction._raise_for_prerequisite_state`.
- "Session is already flushing" (`Session.flush`), "no further SQL can be emitted within this transaction" and
  "A transaction is already begun" are plain `InvalidRequestError`s without a code: only their text tells.
- `PendingRollbackError` has two codes: `7s2a`, the transaction was rolled back after a failed flush, and
  `8s2b`, its connection was lost. Either says that the statement came after another's failure had ended the
  transaction.
- A span or a log line has no `code`, but SQLAlchemy's text ends with a link whose last part is the code.
- asyncpg's `InterfaceError` has no code: text, and only of an `InterfaceError`, because anybody may say "in
  progress".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.evidence import ErrorRecord
from harness.verdict import FindingKind

__all__ = ["Classifier", "core", "is_of_data", "is_refusal", "is_text", "names"]

_LINK = re.compile(r"\(Background on this \w+ at: https://sqlalche\.me/e/[\w.]+/(\w+)\)")
_CLASS = re.compile(r"<class '([\w.]+)'>:?\s*")
_AUTOFLUSH = re.compile(r"^\(raised as a result of [^\n]*\)\n")
_PREFIX = re.compile(r"^(?:\([\w.]+\)\s*|(?:ERROR|FATAL|PANIC|WARNING):\s*)+")

_FOREIGN_LOOP_TEXTS = (
    "attached to a different loop",
    "is bound to a different event loop",
    "Event loop is closed",
)
_NO_ROWS_TEXT = "does not return rows"
_KIND_OF_TEXT = (
    (
        frozenset({"InvalidRequestError"}),
        ("due to the SQL transaction being rolled back",),
        FindingKind.ABORTED_TRANSACTION,
    ),
    (
        frozenset({"InvalidRequestError"}),
        (
            "Session is already flushing",
            "further SQL can be emitted within this transaction",
            "A transaction is already begun on this Session",
            "Can't operate on closed transaction inside context manager",
        ),
        FindingKind.ILLEGAL_STATE,
    ),
    (
        frozenset({"InterfaceError"}),
        ("cannot use Connection.transaction() in a manually started transaction",),
        FindingKind.POISONED_CONNECTION,
    ),
    (
        frozenset({"InterfaceError"}),
        ("cannot perform operation: another operation is",),
        FindingKind.DRIVER_BUSY,
    ),
    (
        frozenset({"SAWarning"}),
        ("non-checked-in connection",),
        FindingKind.CONNECTION_LEAK,
    ),
    (
        frozenset[str](),
        ("current transaction is aborted, commands ignored until end of transaction block",),
        FindingKind.ABORTED_TRANSACTION,
    ),
)
_KIND_OF_CODE = {
    "isce": FindingKind.CONCURRENT_OPERATION,
    "7s2a": FindingKind.ABORTED_TRANSACTION,
    "8s2b": FindingKind.ABORTED_TRANSACTION,
    "3o7r": FindingKind.POOL_EXHAUSTED,
}
_STATE_ERRORS = frozenset({"InvalidRequestError", "IllegalStateChangeError"})
_ABORTED_SQLSTATE = "25P02"
_ABORTED_ERRORS = frozenset({"PendingRollbackError", "InFailedSQLTransactionError"})
_DATABASE_ERRORS = frozenset({"IntegrityError", "DataError", "ProgrammingError", "NotSupportedError", "DatabaseError"})
# Connection lost, transaction state, serialisation and deadlock, resources, shutdown, system, corruption:
# what the server says of the circumstances, not of the statement.
_CIRCUMSTANCES = ("08", "25", "40", "53", "57P", "58", "XX")


@dataclass(frozen=True, slots=True)
class Classifier:
    """Classifies the errors of one cell; it needs them all, because one error may explain another.

    `foreign_loop_turns` are the turns in which some error names a foreign event loop; `None` is among them if
    an error that belongs to no turn does.
    """

    foreign_loop_turns: frozenset[str | None]

    @classmethod
    def of(cls, records: Iterable[ErrorRecord]) -> "Classifier":
        """A classifier that knows all errors of the cell."""
        return cls(frozenset(record.turn for record in records if _names_foreign_loop(record)))

    def kind(self, record: ErrorRecord) -> FindingKind:
        """The kind of finding that it is: by itself, and failing that by its nearest cause that tells."""
        if _names_foreign_loop(record):
            return FindingKind.FOREIGN_LOOP
        suspects = (_kind(record, types) for types in _nearest_first(record))
        kind = next((suspect for suspect in suspects if suspect is not None), FindingKind.UNEXPECTED_ERROR)
        if kind is FindingKind.DRIVER_BUSY and self._in_foreign_loop(record):
            return FindingKind.FOREIGN_LOOP
        return kind

    def _in_foreign_loop(self, record: ErrorRecord) -> bool:
        caused = "RuntimeError" in {_simple(name) for name in record.chain}
        return caused or bool({record.turn, None} & self.foreign_loop_turns)


def _names_foreign_loop(record: ErrorRecord) -> bool:
    told = is_text(record) or "RuntimeError" in names(record)
    return told and any(text in record.message for text in _FOREIGN_LOOP_TEXTS)


def _nearest_first(record: ErrorRecord) -> Iterator[frozenset[str]]:
    """The error's class, with those that its text quotes, then its causes' classes one by one."""
    yield frozenset({_simple(record.type)} | _classes(record.message))
    for name in record.chain:
        yield frozenset({_simple(name)})


def _kind(record: ErrorRecord, types: frozenset[str]) -> FindingKind | None:
    return _by_type(types) or _by_code(record, types) or _by_text(record, types)


def _by_type(types: frozenset[str]) -> FindingKind | None:
    if "IllegalStateChangeError" in types:
        return FindingKind.ILLEGAL_STATE
    if types & _ABORTED_ERRORS:
        return FindingKind.ABORTED_TRANSACTION
    return None


def _by_code(record: ErrorRecord, types: frozenset[str]) -> FindingKind | None:
    """By the code, which is that of the nearest cause that has one, if this may be the one."""
    if record.sqlstate == _ABORTED_SQLSTATE:
        return FindingKind.ABORTED_TRANSACTION
    code = _code(record)
    if code == "isce" and not (types & _STATE_ERRORS) and names(record) & _STATE_ERRORS:
        return None
    return _KIND_OF_CODE.get(code) if code is not None else None


def _by_text(record: ErrorRecord, types: frozenset[str]) -> FindingKind | None:
    """By the text, where the class has no code, or only text is left."""
    text_only, message = is_text(record), record.message
    for classes, parts, kind in _KIND_OF_TEXT:
        if (text_only or types & classes) and any(part in message for part in parts):
            return kind
    if "ResourceClosedError" in types and _NO_ROWS_TEXT not in message:
        return FindingKind.ILLEGAL_STATE
    return None


def is_text(record: ErrorRecord) -> bool:
    """Whether the record has no exception: its type names a log level, a span or a handler, and no class."""
    name = _simple(record.type)
    return not record.chain and (not name[:1].isupper() or name.isupper())


def is_of_data(record: ErrorRecord) -> bool:
    """Whether the database refused the data themselves: their form (class 22) or a constraint (class 23)."""
    return record.sqlstate is not None and record.sqlstate.startswith(("22", "23"))


def is_refusal(record: ErrorRecord) -> bool:
    """Whether the database refused the statement for its own sake: its data, its names, its constraints."""
    if record.sqlstate is not None:
        return not record.sqlstate.startswith(_CIRCUMSTANCES)
    return bool(names(record) & _DATABASE_ERRORS)


def names(record: ErrorRecord) -> set[str]:
    """The simple class names that the record carries: its own, its causes', and those its text quotes."""
    return {_simple(name) for name in (record.type, *record.chain)} | _classes(record.message)


def core(message: str) -> str:
    """What every source repeats of a message: its first line, without classes, links and severity.

    The line before it that tells of an autoflush says nothing of the cause.
    """
    text = _AUTOFLUSH.sub("", _LINK.sub("", message).strip())
    line = text.splitlines()[0] if text else ""
    return _PREFIX.sub("", _CLASS.sub("", line)).strip()


def _code(record: ErrorRecord) -> str | None:
    if record.code is not None:
        return record.code
    link = _LINK.search(record.message)
    return link[1] if link else None


def _classes(message: str) -> set[str]:
    return {_simple(name) for name in _CLASS.findall(message)}


def _simple(name: str) -> str:
    return name.rpartition(".")[2]
