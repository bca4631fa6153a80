"""The session sanitizer's part in a cell: from before the application starts until after it has stopped.

Problem: who used which session when is the only witness of a shared session on a warm pool; and a sanitizer that could
not watch, or gave up, must not look like one that saw nothing.

Mechanism: a watch that collects, asked on whose behalf a session is used by the recorders' own attribution.

Guarantee: `record` is absent, with the reason, if the sanitizer could not be installed or stopped watching. Paths below
the working directory are relative to it, as in the stacks of other records.

Not seen: races between turns that the harness sends one after the other. It waits for each answer, as a user does, and
that orders them; turns of one wave are ordered by nothing.
"""

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import EnvironmentMissing
from harness.evidence import AccessSeen, PlaceSeen, Record, SessionRace
from harness.observe.attribution import current_tool, current_tool_call, current_turn
from harness.sanitizer import Caller, watch_sessions

__all__ = ["CellWatch"]


class CellWatch:
    """Watches all sessions of the process, as a context manager; `record` is complete when it has been left."""

    def __init__(self) -> None:
        self._watch = watch_sessions(attribute=_caller)
        self._problem = ""

    def __enter__(self) -> Self:
        try:
            self._watch.start()
        except EnvironmentMissing as error:
            self._problem = str(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.stop()

    @property
    def record(self) -> Record[SessionRace]:
        """What was found, one entry for each two places in the application."""
        if problem := "; ".join(filter(None, (self._problem, *self._watch.problems))):
            return Record.absent("races", problem)
        return Record.of("races", tuple(map(_shown, self._watch.findings)))

    @property
    def limits(self) -> tuple[str, ...]:
        """What could be watched in part only."""
        return self._watch.limits


def _caller() -> Caller:
    """On whose behalf the current task uses a session."""
    return Caller(tool=current_tool.get(), tool_call_id=current_tool_call.get(), turn=current_turn.get())


def _shown(race: SessionRace) -> SessionRace:
    created = _relative(race.subject_created)
    return replace(race, first=_access(race.first), second=_access(race.second), subject_created=created)


def _access(access: AccessSeen) -> AccessSeen:
    return replace(access, stack=_relative(access.stack), task_created=_relative(access.task_created))


def _relative(places: tuple[PlaceSeen, ...]) -> tuple[PlaceSeen, ...]:
    return tuple(replace(place, file=_path(place.file)) for place in places)


def _path(file: str) -> str:
    try:
        return str(Path(file).resolve().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return file
