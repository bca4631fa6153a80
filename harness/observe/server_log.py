"""Errors in the PostgreSQL server's log.

Problem: the server refuses a statement and says why in its log, whatever the client does with the answer.

Mechanism: the log file's size is noted at the start, and what was appended is read at the stop. Lines are
expected with `log_line_prefix = '%m [%p] %d %a '`; those of the observed database at ERROR, FATAL and
PANIC become errors, with the lines that explain them (DETAIL, HINT). PostgreSQL writes a line before it
answers the client, so nothing is missed.

Guarantee: lines of other databases, of background processes and of the harness's own connections are left
out. A log that cannot be read gives no errors and a note.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.evidence import ErrorRecord, ErrorSource
from harness.observe.marks import OWN_APPLICATION_NAME
from harness.observe.recorder import Context

__all__ = ["ServerLog"]

_LINE = re.compile(
    r"(?P<moment>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) (?P<zone>\S+) \[(?P<pid>\d+)\] (?P<database>\S*) "
    r"(?P<application>.*?) ?"
    r"(?P<severity>LOG|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT|QUERY):  (?P<text>.*)"
)
_ERRORS: Final = frozenset({"ERROR", "FATAL", "PANIC"})
_EXPLANATIONS: Final = frozenset({"DETAIL", "HINT"})
_UTC: Final = frozenset({"UTC", "GMT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    moment: str
    zone: str
    pid: int
    severity: str
    text: str


class ServerLog:
    """The part of a server's log that is written while somebody observes one database."""

    def __init__(self, path: Path | None, database: str) -> None:
        self._path = path
        self._database = database
        self._offset = 0
        self.note: str | None = None
        """Why the log could not be read, if so."""

    def start(self) -> None:
        """Note where the log ends now."""
        if self._path is None:
            self.note = "the server's log was not read: this server keeps none that can be read from here"
            return
        try:
            self._offset = self._path.stat().st_size
        except OSError as error:
            self._give_up(error)

    def stop(self, context: Context) -> tuple[ErrorRecord, ...]:
        """The errors that were logged since `start`."""
        if self._path is None or self.note is not None:
            return ()
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                appended = log.read().decode(errors="replace")
        except OSError as error:
            self._give_up(error)
            return ()
        return tuple(_as_error(line, context) for line in self._errors(appended.splitlines()))

    def _give_up(self, error: OSError) -> None:
        self.note = f"the server's log was not read: {error.strerror or error}"

    def _errors(self, lines: list[str]) -> Iterator[_Line]:
        pending: _Line | None = None
        for each in lines:
            found = _LINE.match(each)
            if found is None:  # the rest of a text of several lines
                continue
            ours = found["database"] == self._database and found["application"] != OWN_APPLICATION_NAME
            line = _Line(
                moment=found["moment"],
                zone=found["zone"],
                pid=int(found["pid"]),
                severity=found["severity"],
                text=found["text"],
            )
            if pending is not None and line.pid == pending.pid and line.severity in _EXPLANATIONS:
                pending = _explained(pending, line)
                continue
            if ours and line.severity in _ERRORS:
                if pending is not None:
                    yield pending
                pending = line
        if pending is not None:
            yield pending


def _explained(line: _Line, by: _Line) -> _Line:
    text = f"{line.text} ({by.severity.lower()}: {by.text})"
    return _Line(moment=line.moment, zone=line.zone, pid=line.pid, severity=line.severity, text=text)


def _as_error(line: _Line, context: Context) -> ErrorRecord:
    return ErrorRecord(
        source=ErrorSource.SERVER,
        type=f"postgresql.{line.severity}",
        message=context.redactor.text(line.text),
        at=_moment(line, context),
        logger=f"backend {line.pid}",
    )


def _moment(line: _Line, context: Context) -> float:
    """The line's time on the run's clock; now, if the log is in a time zone of unknown offset."""
    now = context.clock()
    if line.zone not in _UTC:
        return now
    written = datetime.fromisoformat(line.moment).replace(tzinfo=UTC)
    return now - (time.time() - written.timestamp())
