"""Findings in an application's log: enough to act on, and never a flood.

Problem: what is wrong in production is wrong in every request, all day; a log line each time buries the rest of the
log, and a list of all findings grows for ever.

Mechanism: a cause is here what a `Collector` counts: two places, or two operations without stacks. Each one is logged
when it is first seen, whole, and again when it is seen after an interval, with how often it was seen since. In one
interval there are lines about so many different causes at most; that there will be no more is said at once, what is
left out is counted, and said when the interval is over. So many causes are remembered at most; when there is another
one, that is said, once. At its end the log says in one line what it has left out since.

Guarantee: in an interval there are at most `causes` lines about findings, and two about what is left out; two more in
all, about the causes that are remembered and at the end. Secrets that the process's environment names are masked. Each
line has the finding in fields of its own, too, for logs that are searched.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from harness.errors import UsageError
from harness.evidence import AccessSeen, PlaceSeen, SessionRace
from harness.masking import Mask, masker
from harness.sanitizer.reports import Guard, Noted, describe

__all__ = ["LogLimits", "RaceLog"]

_Line = Callable[[], None]
"""Logs one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How much is logged and kept: `interval` in seconds, `causes` in each, and `kept` altogether.

    A cause is a pair of lines; of operations without a stack, the pair of operations.

    Raises:
        UsageError: One of them is not above 0, or no number; `causes` and `kept` are whole numbers.
    """

    interval: float = 3600.0
    causes: int = 20
    kept: int = 1000

    def __post_init__(self) -> None:
        for name, kind, called in (
            ("interval", (int, float), "number"),
            ("causes", (int,), "whole number"),
            ("kept", (int,), "whole number"),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind) or not value > 0:
                raise UsageError(f"{name}={value!r} is no limit of a log: it has to be a {called} above 0")


class RaceLog:
    """What one watch logs; `clock` counts seconds."""

    def __init__(
        self, logger: logging.Logger, limits: LogLimits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limits = limits
        self._logger = logger
        self._clock = clock
        self._guard = Guard()
        self._told: dict[Any, tuple[float, int]] = {}
        self._began = clock()
        self._lines = 0
        self._repeated: Counter[Any] = Counter()
        self._left_out = 0
        self._not_kept = 0
        self._said_full = False

    @cached_property
    def _mask(self) -> Mask:
        return masker()

    def note(self, noted: Noted | None) -> None:
        """A conflict was counted, or was one of a cause too many; log it, if it is time for it."""
        with self._guard():
            lines = list(self._lines_about(noted))
        for line in lines:  # past the guard, because a handler may wait for anything
            line()

    def _lines_about(self, noted: Noted | None) -> Iterator[_Line]:
        now = self._clock()
        if now - self._began >= self.limits.interval:
            yield from self._next_interval(now)
        if noted is None:
            yield from self._leave_out_unknown()
            return
        last, count = self._told.get(noted.key, (None, 0))
        if last is not None and now - last < self.limits.interval and not noted.is_new:
            self._repeated[noted.key] += 1
            return
        if self._lines >= self.limits.causes:
            self._left_out += 1
            return
        self._lines += 1
        self._told[noted.key] = (now, max(count, noted.count))
        self._repeated.pop(noted.key, None)
        yield partial(self._write, noted, since=max(0, noted.count - count), again=last is not None)
        if self._lines >= self.limits.causes:
            yield self._full(now)

    def close(self) -> None:
        """Log in one line what was left out and has not been said yet, if anything was; then count from 0."""
        with self._guard():
            repeated, left_out, not_kept = self._repeated.total(), self._left_out, self._not_kept
            self._repeated.clear()
            self._left_out = self._not_kept = 0
        parts = {
            f"{repeated} of causes that there is a line about": repeated,
            f"{left_out} of causes beyond the limit of {self.limits.causes} in {self.limits.interval:g} s": left_out,
            f"{not_kept} of causes beyond the {self.limits.kept} that are kept": not_kept,
        }
        if total := sum(parts.values()):
            said = "; ".join(part for part, count in parts.items() if count)
            self._logger.warning(
                "the log of session races ends, and %d %s not logged: %s",
                total,
                "was" if total == 1 else "were",
                said,
                extra={"session_race_left_out": total},
            )

    def fail(self, problem: str) -> None:
        """Log that the sanitizer has failed: that nothing is logged from then on means nothing."""
        self._logger.error(
            "sessions are not watched any more: %s", self._mask(problem), extra={"session_race_problem": True}
        )

    def _leave_out_unknown(self) -> Iterator[_Line]:
        """One of a cause that is not remembered: nobody can tell whether there was a line about it."""
        self._not_kept += 1
        if not self._said_full:
            self._said_full = True
            yield self._warning(
                "session races have more causes than are kept (%d): others are only counted from now on",
                self.limits.kept,
                left_out=self._not_kept,
            )

    def _full(self, now: float) -> _Line:
        return self._warning(
            "lines about causes of session races are at their limit (%d in %g s): others are only counted for %.0f s",
            self.limits.causes,
            self.limits.interval,
            max(0.0, self._began + self.limits.interval - now),
            left_out=self._left_out,
        )

    def _next_interval(self, now: float) -> Iterator[_Line]:
        left_out = self._left_out + self._not_kept
        self._began, self._lines, self._left_out, self._not_kept = now, 0, 0, 0
        if left_out:
            yield self._warning(
                "%d session races were not logged: there are lines about %d causes at most in %g s, and %d are kept",
                left_out,
                self.limits.causes,
                self.limits.interval,
                self.limits.kept,
                left_out=left_out,
            )

    def _warning(self, message: str, *values: float, left_out: int) -> _Line:
        return partial(self._logger.warning, message, *values, extra={"session_race_left_out": left_out})

    def _write(self, noted: Noted, *, since: int, again: bool) -> None:
        text = describe(replace(noted.finding, count=noted.count))
        head, _, rest = text.partition("\n")
        seen = f"{head} (seen {since} more {'time' if since == 1 else 'times'} since it was last logged)"
        said = self._mask(f"{seen}\n{rest}" if again else text)
        self._logger.warning("%s", said, extra=self._fields(noted.finding, noted.count, since))

    def _fields(self, finding: SessionRace, count: int, since: int) -> dict[str, Any]:
        made = finding.subject_created[-1:]
        fields = {
            "kind": finding.kind.value,
            "subject": finding.subject,
            "made_at": _shown(made[0]) if made else None,
            **_access("first", finding.first),
            **_access("second", finding.second),
        }
        masked = {name: self._mask(value) if isinstance(value, str) else value for name, value in fields.items()}
        return {f"session_race_{name}": value for name, value in {**masked, "count": count, "since": since}.items()}


def _access(which: str, access: AccessSeen) -> dict[str, str | None]:
    return {
        f"{which}_operation": access.operation,
        f"{which}_task": access.task,
        f"{which}_tool": access.tool,
        f"{which}_at": _shown(access.place) if access.place is not None else None,
    }


def _shown(place: PlaceSeen) -> str:
    return str(place)
