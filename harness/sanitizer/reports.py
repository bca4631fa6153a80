"""From conflicts to findings, and from findings to words.

Problem: one mistake in a program shows in every turn, on every session, and on the connection below the session too.

Mechanism: conflicts are counted by kind, by the two places in the application's code, and, unless only so many are
kept, by where the session was made; the first one of each is kept whole. Stacks are resolved then, once;
where findings are suppressed by their stacks, with each conflict. What is suppressed is kept apart from what is not,
also if both have the same two places.

Guarantee: a finding holds text and numbers only, nothing of the program. Conflicts may be added, and findings read, in
several threads at once, and in a process that was forked meanwhile.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.sanitizer.agents import Caller
from harness.sanitizer.ownership import Access, Conflict
from harness.sanitizer.places import resolve
from harness.suppressions import SuppressedRace, Suppression, Suppressions, today

__all__ = ["CAUSES", "REPAIRS", "Collector", "Guard", "Noted", "describe", "root_cause", "shown_file"]

CAUSES: Mapping[RaceKind, str] = {
    RaceKind.OVERLAP: "the second operation began while the first was in flight",
    RaceKind.UNORDERED: "nothing orders the two operations: they did not overlap in this run, and can in another",
    RaceKind.BLEED: "the second operation ended a transaction with writes of another task, which is still at work",
    RaceKind.FOREIGN_THREAD: "the session belongs to an event loop, and was used in a thread that does not run it",
    RaceKind.FOREIGN_LOOP: "it belongs to one event loop, and was used in another",
}
REPAIRS: Mapping[RaceKind, str] = {
    RaceKind.OVERLAP: "give each task a session of its own",
    RaceKind.UNORDERED: "give each task a session of its own, or await the one before the other",
    RaceKind.BLEED: (
        "give each task a session of its own: a lock around a shared one keeps statements apart, not transactions"
    ),
    RaceKind.FOREIGN_THREAD: "use it in its event loop only, or give the thread a session of its own",
    RaceKind.FOREIGN_LOOP: "make an engine and sessions in each event loop",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A conflict that was counted: the finding that it is an instance of, the how manieth, and whether that is new.

    `key` is the root cause. `by` names what suppresses it.
    """

    key: Any
    finding: SessionRace
    count: int
    is_new: bool
    by: tuple[Suppression, ...] = ()


class Guard:
    """A lock that is free in a forked process, whoever held it at that moment: there is one for each process.

    The same thread may take it again, because a finalizer may find a race in the middle of anything. What is done under
    it calls nothing of the application's.
    """

    def __init__(self) -> None:
        self._locks: dict[int, AbstractContextManager[object]] = {}

    def __call__(self) -> AbstractContextManager[object]:
        """The lock, to be taken by `with`."""
        process = os.getpid()
        lock = self._locks.get(process)
        return self._locks.setdefault(process, threading.RLock()) if lock is None else lock


class Collector:
    """The findings of one watch, one for each two places, and each place where a session was made that is used there.

    With `most`, one for each two places alone: of so many, and of others only how often.
    """

    def __init__(self, suppressions: Suppressions | None = None, *, most: int | None = None) -> None:
        self._most = most
        self._guard = Guard()
        self.left_out = 0
        self._suppressions = suppressions if suppressions is not None and suppressions.entries else None
        self._findings: dict[Any, Noted] = {}
        self._counts: Counter[Any] = Counter()
        self._keys: dict[Any, dict[Any, Any]] = {}

    def add(self, conflict: Conflict) -> Noted | None:
        """Count the conflict; `None` if its cause is one too many."""
        whole: SessionRace | None = None
        by: tuple[Suppression, ...] = ()
        if self._suppressions is not None:
            whole = _finding(conflict)
            by = self._suppressions.naming(whole, on=today())
        key = self._key(conflict, by)
        if whole is None and self._has_room(key) and self._is_news(key, conflict.kind):
            whole = _finding(conflict)
        with self._guard():
            if not self._has_room(key):
                self.left_out += 1
                return None
            self._counts[key] += 1
            count = self._counts[key]
            if whole is None or not self._is_news(key, conflict.kind):
                return replace(self._findings[key], is_new=False, count=count)
            noted = Noted(key=key, finding=whole, count=count, is_new=True, by=by)
            self._findings[key] = noted
            return noted

    def _key(self, conflict: Conflict, by: tuple[Suppression, ...]) -> Any:
        """What is counted together; what nobody saw being made is a connection, and goes with the session above it."""
        places = (_cause(conflict), by)
        if self._most is not None:
            return places
        made = _made(conflict)
        with self._guard():
            known = self._keys.setdefault(places, {})
            if made not in known:
                above = known.pop((), None) if made else next(iter(known.values()), None)
                known[made] = above or (*places, made)
            return known[made]

    def _has_room(self, key: Any) -> bool:
        return self._most is None or key in self._findings or len(self._findings) < self._most

    def _is_news(self, key: Any, kind: RaceKind) -> bool:
        """Whether it is the first of its cause, or the first proof where there is a prediction; not so for ever."""
        known = self._findings.get(key)
        return known is None or (known.finding.kind is RaceKind.UNORDERED and kind is RaceKind.OVERLAP)

    @property
    def findings(self) -> tuple[SessionRace, ...]:
        """All that are not suppressed, in the order in which they were first seen."""
        return tuple(finding for finding, by in self._counted() if not by)

    @property
    def suppressed(self) -> tuple[SuppressedRace, ...]:
        """All that are, in the same order."""
        return tuple(SuppressedRace(race=finding, by=by) for finding, by in self._counted() if by)

    def _counted(self) -> Iterator[tuple[SessionRace, tuple[Suppression, ...]]]:
        with self._guard():
            findings, counts = self._findings.copy(), self._counts.copy()
        for key, noted in findings.items():
            yield replace(noted.finding, count=counts[key]), noted.by


def root_cause(finding: SessionRace) -> Any:
    """What one mistake in the program has in common, wherever it shows: its two places, and mostly its kind.

    Two accesses that overlap in one run and are only unordered in another have one cause.
    """
    return _key(finding.kind, *(_innermost_seen(access) for access in (finding.first, finding.second)))


def _innermost_seen(access: AccessSeen) -> Any:
    return (access.place.file, access.place.line) if access.place is not None else access.operation


def _cause(conflict: Conflict) -> Any:
    return _key(conflict.kind, _innermost(conflict.first), _innermost(conflict.second))


def _made(conflict: Conflict) -> tuple[Any, ...]:
    """Where the session was made: a helper that uses those of all of its callers has two places, and many mistakes.

    Up to the function that made a task, too: who called that decides nothing any more.
    """
    places = [place for access in (conflict.first, conflict.second) for place in resolve(access.actor.origin())]
    makers = {(place.file, place.function) for place in places}
    made: list[Any] = []
    for place in reversed(resolve(conflict.shadow.created)):
        made.append((place.file, place.line))
        if (place.file, place.function) in makers:
            break
    return tuple(made)


def _key(kind: RaceKind, first: Any, second: Any) -> Any:
    if kind in {RaceKind.OVERLAP, RaceKind.UNORDERED}:
        return frozenset((first, second))
    return (kind, first, second)


def _innermost(access: Access) -> Any:
    """The line, and not the offset: a line is one place to whoever reads it."""
    if not access.stack:
        return access.operation
    place = resolve(access.stack[:1])[0]
    return (place.file, place.line)


def _finding(conflict: Conflict) -> SessionRace:
    shadow = conflict.shadow
    return SessionRace(
        kind=conflict.kind,
        subject=shadow.name,
        subject_created=resolve(shadow.created),
        first=_seen(conflict.first),
        second=_seen(conflict.second),
        at=time.perf_counter(),
    )


def _seen(access: Access) -> AccessSeen:
    who = access.use[3] or Caller()
    return AccessSeen(
        operation=access.operation,
        task=access.actor.describe(),
        stack=resolve(access.stack),
        task_created=resolve(access.actor.origin()),
        turn=who.turn,
        tool=who.tool,
        tool_call_id=who.tool_call_id,
    )


def shown_file(file: str) -> str:
    """A file as it is shown by default: from the working directory, if it is below that."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return file


def describe(finding: SessionRace, *, shown: Callable[[str], str] = shown_file, whole: bool = False) -> str:
    """A finding in words, over several lines: what, on which object, both accesses with stacks, and the repair.

    `shown` says how a file is to be called. Of the frames in which the session and the tasks were made all are told if
    `whole` is true, else the innermost.
    """
    start = 0 if whole else -1
    times = f", {finding.count} times" if finding.count > 1 else ""
    lines = [f"session race ({finding.kind}{times}) on {finding.subject}: {CAUSES[finding.kind]}"]
    for label, access in (("first", finding.first), ("second", finding.second)):
        tool = f", tool {access.tool!r} (call {access.tool_call_id})" if access.tool else ""
        lines.append(f"  {label}: {access.operation} in task {access.task!r}{tool}")
        lines += _frames(reversed(access.stack), "    ", shown) or ["    no stack was taken"]
        if access.task_created:
            lines.append("    the task was created at")
            lines += _frames(reversed(access.task_created[start:]), "      ", shown)
    if finding.subject_created:
        lines.append("  the session was made at")
        lines += _frames(reversed(finding.subject_created[start:]), "    ", shown)
    lines.append(f"  repair: {REPAIRS[finding.kind]}")
    return "\n".join(lines)


def _frames(places: Iterable[PlaceSeen], indent: str, shown: Callable[[str], str]) -> list[str]:
    return [f"{indent}{shown(place.file)}:{place.line} in {place.function}" for place in places]
