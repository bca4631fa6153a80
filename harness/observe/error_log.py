"""Errors of a run, whoever saw them, described the same way.

Problem: one failure shows up as an exception in a tool, an error of the driver, a log record, a span, and
a line in the server's log, each with other words.

Mechanism: every source gives `ErrorLog` what it has; where there is an exception, `describe` takes from
it and from its causes what identifies the failure: type, SQLAlchemy's code, PostgreSQL's SQLSTATE. Where
only text is left, SQLAlchemy's code is read from the link that its messages end with.

Guarantee: if one of the sources could not record, the whole record is absent, because errors may be
missing from it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.evidence import ErrorRecord, ErrorSource, Record
from harness.observe.attribution import attributed
from harness.observe.redaction import Redactor
from harness.stacks import RawStack, format_stack, of_exception

__all__ = ["ErrorLog", "Identity", "causes", "code_in", "describe", "qualified_name"]

_CODE = re.compile(r"https?://sqlalche\.me/e/\w+/(?P<code>\w+)")
_SQLSTATE_LENGTH = 5
_PARAMETERS = re.compile(r"\n\[parameters: .*?\]$", re.MULTILINE)


class ErrorLog:
    """Collects errors from all sources; `clock` and `redactor` are those of the run."""

    def __init__(self, *, clock: Callable[[], float], redactor: Redactor) -> None:
        self._clock = clock
        self._redactor = redactor
        self._entries: list[ErrorRecord] = []
        self._incomplete: list[str] = []

    def add_exception(
        self,
        source: ErrorSource,
        error: BaseException,
        *,
        message: str | None = None,
        logger: str | None = None,
        stack: RawStack | None = None,
    ) -> None:
        """An error with its exception; `message` replaces the exception's text, `stack` its traceback."""
        identity = describe(error)
        self._append(
            source,
            identity,
            _text(error) if message is None else message,
            logger=logger,
            stack=of_exception(error) if stack is None else stack,
        )

    def add_message(
        self,
        source: ErrorSource,
        type_: str,
        message: str,
        *,
        logger: str | None = None,
        stack: RawStack = (),
    ) -> None:
        """An error of which only text is left; `type_` is what stands for the exception's class."""
        self._append(source, Identity(type=type_), message, logger=logger, stack=stack)

    def add(self, record: ErrorRecord) -> None:
        """An error that is described already."""
        self._entries.append(record)

    def incomplete(self, reason: str) -> None:
        """Say that a source could not record."""
        self._incomplete.append(reason)

    def record(self) -> Record[ErrorRecord]:
        """All errors in the order in which they were seen."""
        if self._incomplete:
            return Record.absent("errors", "; ".join(self._incomplete))
        return Record.of("errors", sorted(self._entries, key=lambda entry: entry.at))

    def _append(
        self, source: ErrorSource, identity: "Identity", message: str, *, logger: str | None, stack: RawStack
    ) -> None:
        who = attributed()
        self._entries.append(
            ErrorRecord(
                source=source,
                type=identity.type,
                message=self._redactor.text(message),
                at=self._clock(),
                code=identity.code or code_in(message),
                sqlstate=identity.sqlstate,
                chain=identity.chain,
                logger=logger,
                turn=who.turn,
                tool_call_id=who.tool_call_id,
                stack=format_stack(stack),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What identifies a failure, whatever its message says."""

    type: str
    code: str | None = None
    sqlstate: str | None = None
    chain: tuple[str, ...] = ()


def describe(error: BaseException) -> Identity:
    """What identifies an exception: its own type, and the first codes among it and its causes."""
    everything = [error, *causes(error)]
    return Identity(
        type=qualified_name(type(error)),
        code=next((code for each in everything if (code := _string(each, "code"))), None),
        sqlstate=next((state for each in everything if (state := _sqlstate(each))), None),
        chain=tuple(qualified_name(type(each)) for each in everything[1:]),
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """What led to an exception, nearest first: its cause, SQLAlchemy's `orig`, or what was being handled."""
    seen = {id(error)}
    cause = _cause(error)
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = _cause(cause)


def qualified_name(cls: type[BaseException]) -> str:
    """`sqlalchemy.exc.InvalidRequestError`; a built-in exception has no module."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def code_in(message: str) -> str | None:
    """SQLAlchemy's error code in a message's link."""
    found = _CODE.search(message)
    return found["code"] if found else None


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return original
    return None if error.__suppress_context__ else error.__context__


def _sqlstate(error: BaseException) -> str | None:
    state = _string(error, "sqlstate") or _string(error, "pgcode")
    return state if state and len(state) == _SQLSTATE_LENGTH else None


def _string(error: BaseException, name: str) -> str | None:
    value = getattr(error, name, None)
    return value if isinstance(value, str) else None


def _text(error: BaseException) -> str:
    """The exception's text without SQL parameters, which belong to the application."""
    try:
        text = str(error)
    except Exception as failure:  # noqa: BLE001  # an exception's own __str__ is foreign code
        return f"<its text cannot be made: {type(failure).__name__}>"
    return _PARAMETERS.sub("", text)
