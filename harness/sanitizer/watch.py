"""Watching sessions: the sanitizer's front door.

    with watch_sessions() as watch:
        ...
    assert not watch.findings

Problem: on a warm pool a shared session raises nothing; only who used it when tells.

Mechanism: the first watch instruments asyncio, SQLAlchemy and the drivers, the last one that stops restores them. Every
watch that is active is told of every conflict, and does with it what its mode says.

Guarantee: the watched program's results do not depend on being watched, except in the mode `raise`, where the second
access of a race raises `SessionRaceError` instead of being made; a session's `close`, and what cleans up like it, is
always made. If the sanitizer itself fails, it stops watching, and `problems` says so: an empty `findings` then means
nothing.
"""

import logging
import threading
import warnings
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from harness.errors import SessionRaceError, UsageError
from harness.evidence import SessionRace
from harness.sanitizer import installation
from harness.sanitizer.agents import Caller, current_tool
from harness.sanitizer.ownership import Conflict
from harness.sanitizer.race_log import LogLimits, RaceLog
from harness.sanitizer.reports import Collector, describe
from harness.sanitizer.runtime import runtime
from harness.suppressions import SuppressedRace, Suppressions

__all__ = ["SAMPLED", "SessionRaceWarning", "Watch", "WatchMode", "watch_sessions"]

SAMPLED = 0.1
"""The share of stacks that the mode `log` takes if no other is asked for.

Stacks then cost a tenth of what all of them do, which is less than watching costs without any; and of the findings of a
mistake that shows in every request one in five has a stack, and one in a hundred has both."""

_logger = logging.getLogger("harness.sanitizer")
_lock = threading.RLock()


class WatchMode(StrEnum):
    """What a watch does with a finding, beside keeping it."""

    RAISE = "raise"
    """Raises `SessionRaceError` in place of the second access."""
    WARN = "warn"
    """Warns with `SessionRaceWarning`, once for each finding."""
    COLLECT = "collect"
    """Nothing."""
    LOG = "log"
    """Logs it to the logger `harness.sanitizer`, as often as `LogLimits` says."""


class SessionRaceWarning(UserWarning):
    """Two accesses to one session that may not meet."""


class Watch:
    """A watch over all sessions of the process, from `start` to `stop`, or as a context manager."""

    def __init__(
        self,
        mode: WatchMode,
        *,
        on_finding: Callable[[SessionRace], None] | None = None,
        attribute: Callable[[], Caller | None] | None = None,
        suppressions: Suppressions | None = None,
        stacks: float = 1.0,
        limits: LogLimits | None = None,
    ) -> None:
        self.mode = mode
        self.stacks = stacks
        self._on_finding = on_finding
        self._attribute = attribute
        self._log = RaceLog(_logger, limits or LogLimits()) if mode is WatchMode.LOG else None
        self._collector = Collector(suppressions, most=self._log.limits.kept if self._log is not None else None)
        self._untold = 0
        self._active = False
        self._problems: tuple[str, ...] = ()
        self._limits: tuple[str, ...] = ()

    def start(self) -> Self:
        """Begin to watch.

        Raises:
            UsageError: It is watching already.
            EnvironmentMissing: A name that must be instrumented is missing in the installed version of a library.
        """
        with _lock:
            if self._active:
                raise UsageError("this watch has been started already; stop it first, or make another one")
            if not runtime.listeners:
                installation.install()
            runtime.listeners = (*runtime.listeners, self)
            self._active = True
            _agree()
        return self

    def stop(self) -> None:
        """Watch no more, and log what was left out of the log; harmless when it does not watch."""
        with _lock:
            if not self._active:
                return
            self._active = False
            self._problems = tuple(runtime.problems)
            self._limits = (*sorted(runtime.limits), *installation.limits())
            runtime.listeners = tuple(each for each in runtime.listeners if each is not self)
            _agree()
            if not runtime.listeners:
                installation.remove()
        if self._log is not None:
            self._tell(RaceLog.close, self._log)

    @property
    def attribute(self) -> Callable[[], Caller | None] | None:
        """How this watch tells on whose behalf a session is used, if it does."""
        return self._attribute

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def findings(self) -> tuple[SessionRace, ...]:
        """What was found so far, with counts: one for each pair of places, and where the session there was made."""
        return self._collector.findings

    @property
    def suppressed(self) -> tuple[SuppressedRace, ...]:
        """What was found so far and is suppressed: nothing was done with it, whatever the mode."""
        return self._collector.suppressed

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the sanitizer stopped watching, if it did: then an empty `findings` means nothing."""
        return tuple(runtime.problems) if self._active else self._problems

    @property
    def limits(self) -> tuple[str, ...]:
        """What could be watched in part only: drivers and event loops that offer no place to look."""
        known = (*sorted(runtime.limits), *installation.limits()) if self._active else self._limits
        left_out = self._collector.left_out
        lost = {
            f"{left_out} findings were not kept, because they have more root causes than are kept at most": left_out,
            f"{_findings(self._untold)} not told, because the application's handler failed": self._untold,
        }
        return (*known, *(said for said, count in lost.items() if count))

    def report(self, conflict: Conflict) -> SessionRaceError | None:
        """Take note of a conflict; the sanitizer calls this."""
        noted = self._collector.add(conflict)
        if self._log is not None and (noted is None or not noted.by):
            self._tell(self._log.note, noted)
        if noted is None or noted.by:
            return None
        finding = noted.finding
        if noted.is_new and self._on_finding is not None:
            self._tell(self._on_finding, finding)
        if self.mode is WatchMode.RAISE:
            return SessionRaceError(describe(finding), finding)
        if noted.is_new and self.mode is WatchMode.WARN:
            return self._warn(finding)
        return None

    def failed(self, problem: str) -> None:
        """Say that the sanitizer has failed, where nobody asks for `problems`; the sanitizer calls this."""
        if self._log is not None:
            self._log.fail(problem)

    def _tell(self, told: Callable[[Any], None], what: Any) -> None:
        try:
            told(what)
        except Exception:  # noqa: BLE001  # the application's own handler failed, and not the sanitizer
            self._untold += 1

    @staticmethod
    def _warn(finding: SessionRace) -> None:
        try:
            warnings.warn(describe(finding), SessionRaceWarning, stacklevel=1)
        except SessionRaceWarning:  # where warnings are errors: the finding is kept, and the program goes on
            _logger.warning("%s", describe(finding))


def _findings(count: int) -> str:
    return f"{count} finding was" if count == 1 else f"{count} findings were"


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= 1


def _agree() -> None:
    """Watch in a way that suits all watches: the stacks of the one that wants the most.

    The last watch that can tell on whose behalf a session is used does so; else Pydantic AI, where it is loaded.
    """
    watches = [watch for watch in runtime.listeners if isinstance(watch, Watch)]
    told = [watch.attribute for watch in watches if watch.attribute is not None]
    runtime.attribute = told[-1] if told else current_tool
    runtime.sampler.take(max((watch.stacks for watch in watches), default=1.0))


def watch_sessions(
    mode: str = "collect",
    *,
    on_finding: Callable[[SessionRace], None] | None = None,
    attribute: Callable[[], Caller | None] | None = None,
    suppressions: Suppressions | None = None,
    stacks: float | None = None,
    limits: LogLimits | None = None,
) -> Watch:
    """A watch over the sessions of this process: a context manager, or `start()` and `stop()`.

    Args:
        mode: `collect` keeps findings in `findings`; `warn` and `log` also say them, once each, and `log` again after
            a while; `raise` raises `SessionRaceError` in place of the second access of a race.
        on_finding: Called with each finding when it is first seen, in the task of its second access.
        attribute: Called at each access, in its task: on whose behalf it is made. The default asks Pydantic AI.
        suppressions: Findings that are only kept, in `suppressed`; `read_suppressions(folder)` reads them from the
            `pyproject.toml` of a folder.
        stacks: Which share of all accesses, and of the makings of tasks and sessions, take a stack, from 0 to 1. What
            is found does not depend on it; a finding without stacks says so, and is told from another by its
            operations alone. The default is 1; for the mode `log` it is `SAMPLED`, a tenth, unless there are
            suppressions, which need all.
        limits: How much the mode `log` logs, and keeps.

    Raises:
        UsageError: There is no such mode or share, suppressions are given where not all accesses take a stack, or
            limits for another mode.
    """
    try:
        chosen = WatchMode(mode)
    except ValueError:
        modes = ", ".join(each.value for each in WatchMode)
        raise UsageError(f"there is no mode {mode!r} for watching sessions; the modes are {modes}") from None
    has_entries = suppressions is not None and bool(suppressions.entries)
    if stacks is None:
        stacks = SAMPLED if chosen is WatchMode.LOG and not has_entries else 1.0
    if not _is_share(stacks):
        raise UsageError(f"stacks={stacks!r} is no share of all accesses: it is between 0, for none, and 1, for all")
    if stacks < 1 and has_entries:
        raise UsageError(
            f"suppressions name places, and with stacks={stacks!r} most accesses have none: leave out one of the two"
        )
    if limits is not None and chosen is not WatchMode.LOG:
        raise UsageError(f"limits are for the mode 'log', and the mode is {chosen.value!r}: leave them out")
    return Watch(
        chosen, on_finding=on_finding, attribute=attribute, suppressions=suppressions, stacks=stacks, limits=limits
    )
