"""Errors from every source that a process has, whoever handled them afterwards.

Problem: the error that matters is often not the one that the user sees: a tool's exception is told to the
model, the tracker's is logged, the driver's is caught, and a background task's ends in the event loop's
exception handler.

Mechanism: four sources write to one `ErrorLog`: log records of every logger (`Logger.callHandlers` is
wrapped, because a handler at the root does not see loggers with `propagate=False`), the event loop's
exception handler (chained), SQLAlchemy's `handle_error` event, and the server's log. Tools and spans
write to it by themselves.

Guarantee: each source is restored on `stop`. If one could not record, `errors` is absent; only a server
whose log cannot be read is no failure, but a note.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy.engine import ExceptionContext

from harness.errors import MissingEvidence
from harness.evidence import ErrorSource, Record
from harness.observe.listeners import Listeners
from harness.observe.marks import is_injected
from harness.observe.recorder import Context
from harness.observe.server_log import ServerLog
from harness.patching import Patch
from harness.stacks import capture

__all__ = ["ErrorsRecorder"]

_POOL_LOGGERS: Final = "sqlalchemy.pool"
_LoopHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class ErrorsRecorder:
    """Records `errors`; `server_log` is the PostgreSQL server's, if it can be read."""

    name = "errors"
    fields = ("errors",)

    def __init__(self, *, server_log: ServerLog | None = None) -> None:
        self._context: Context | None = None
        self._server_log = server_log
        self._listeners = Listeners()
        self._restore: list[Callable[[], None]] = []

    def start(self, context: Context) -> None:
        """Listen to every source."""
        self._context = context
        if self._server_log is not None:
            self._server_log.start()
        self._restore = [_listen_to_logging(context)]
        self._restore.append(_listen_to_loop(context))
        self._listeners.add(context.engine.sync_engine, "handle_error", self._on_database_error)

    def stop(self) -> None:
        """Restore every source; raises `MissingEvidence` if one of them was taken away meanwhile."""
        self._listeners.remove_all()
        while self._restore:
            self._restore.pop()()
        if self._context is not None and self._server_log is not None:
            for record in self._server_log.stop(self._context):
                self._context.errors.add(record)

    def records(self) -> Mapping[str, Record[Any]]:
        """The `errors`."""
        if self._context is None:
            return {"errors": Record.absent("errors", "it was not started")}
        return {"errors": self._context.errors.record()}

    def _on_database_error(self, exception: ExceptionContext) -> None:
        if self._context is None or is_injected(exception.execution_context):
            return
        error = exception.sqlalchemy_exception or exception.original_exception
        if isinstance(error, Exception):  # a cancellation is no error
            self._context.errors.add_exception(ErrorSource.DATABASE, error, stack=capture())


def _listen_to_logging(context: Context) -> Callable[[], None]:
    original = logging.Logger.callHandlers

    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno >= _least_level(record.name):
            _add_log_record(context, record)
        original(logger, record)

    patch = Patch(logging.Logger, "callHandlers", call_handlers)

    def restore() -> None:
        if not patch.restore():
            raise MissingEvidence("`logging.Logger.callHandlers` was replaced while log records were observed")

    return restore


def _least_level(logger: str) -> int:
    """The pool only warns when it lost a connection."""
    return logging.WARNING if logger.startswith(_POOL_LOGGERS) else logging.ERROR


def _add_log_record(context: Context, record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except Exception as failure:  # noqa: BLE001  # arguments that do not fit: logging itself prints and goes on
        message = f"{record.msg} <its arguments do not fit: {type(failure).__name__}>"
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, BaseException):
        context.errors.add_exception(ErrorSource.LOGGED, error, message=f"{message}: {error}", logger=record.name)
    else:
        kind = f"logging.{record.levelname}"
        context.errors.add_message(ErrorSource.LOGGED, kind, message, logger=record.name, stack=capture())


def _listen_to_loop(context: Context) -> Callable[[], None]:
    loop = context.loop
    previous: _LoopHandler | None = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        error, message = details.get("exception"), str(details.get("message", ""))
        if isinstance(error, BaseException):
            context.errors.add_exception(ErrorSource.LOOP, error, message=f"{message}: {error}")
        else:
            context.errors.add_message(ErrorSource.LOOP, "asyncio.exception_handler", message)
        if previous is None:
            loop.default_exception_handler(details)
        else:
            previous(loop, details)

    loop.set_exception_handler(handle)

    def restore() -> None:
        if loop.get_exception_handler() is not handle:
            raise MissingEvidence(
                "the application replaced the event loop's exception handler while it was observed; "
                "set it when the application starts"
            )
        loop.set_exception_handler(previous)

    return restore
