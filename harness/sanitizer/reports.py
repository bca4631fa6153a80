"""From conflicts to findings, and from findings to words.

Problem: one mistake in a program shows in every turn, on every session, and on the connection below the session too.

Mechanism: conflicts are counted by kind and by the two places in the application's code; the first one of each is kept
whole. Stacks are resolved then, once.

Guarantee: a finding holds text and numbers only, nothing of the program.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.sanitizer.agents import Caller
from harness.sanitizer.ownership import Access, Conflict
from harness.sanitizer.places import resolve

__all__ = ["Collector", "describe"]

_CAUSES = {
    RaceKind.OVERLAP: "the second operation began while the first was in flight",
    RaceKind.UNORDERED: "nothing orders the two operations: they did not overlap in this run, and can in another",
    RaceKind.BLEED: "the second operation ended a transaction with writes of another task, which is still at work",
    RaceKind.FOREIGN_THREAD: "the session belongs to an event loop, and was used in a thread that does not run it",
    RaceKind.FOREIGN_LOOP: "it belongs to one event loop, and was used in another",
}
_REPAIR = {
    RaceKind.OVERLAP: "give each task a session of its own",
    RaceKind.UNORDERED: "give each task a session of its own, or await the one before the other",
    RaceKind.BLEED: (
        "give each task a session of its own: a lock around a shared one keeps statements apart, not transactions"
    ),
    RaceKind.FOREIGN_THREAD: "use it in its event loop only, or give the thread a session of its own",
    RaceKind.FOREIGN_LOOP: "make an engine and sessions in each event loop",
}


class Collector:
    """The findings of one watch, one for each root cause."""

    def __init__(self) -> None:
        self._findings: dict[Any, SessionRace] = {}
        self._counts: Counter[Any] = Counter()

    def add(self, conflict: Conflict) -> tuple[SessionRace, bool]:
        """The finding that the conflict is an instance of, and whether it is new."""
        key = _cause(conflict)
        self._counts[key] += 1
        found = self._findings.get(key)
        if found is None or (found.kind is RaceKind.UNORDERED and conflict.kind is RaceKind.OVERLAP):
            found = self._findings[key] = _finding(conflict)
            return found, True
        return found, False

    @property
    def findings(self) -> tuple[SessionRace, ...]:
        """All, in the order in which they were first seen."""
        return tuple(replace(found, count=self._counts[key]) for key, found in self._findings.items())


def _cause(conflict: Conflict) -> Any:
    """Two accesses that overlap in one run and are only unordered in another have one cause."""
    places = (_innermost(conflict.first), _innermost(conflict.second))
    if conflict.kind in {RaceKind.OVERLAP, RaceKind.UNORDERED}:
        return frozenset(places)
    return (conflict.kind, *places)


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


def describe(finding: SessionRace) -> str:
    """A finding in words, over several lines: what, on which object, both accesses with stacks, and the repair."""
    times = f", {finding.count} times" if finding.count > 1 else ""
    lines = [f"session race ({finding.kind}{times}) on {finding.subject}: {_CAUSES[finding.kind]}"]
    for label, access in (("first", finding.first), ("second", finding.second)):
        tool = f", tool {access.tool!r} (call {access.tool_call_id})" if access.tool else ""
        lines.append(f"  {label}: {access.operation} in task {access.task!r}{tool}")
        lines += _frames(reversed(access.stack), "    ")
        if access.task_created:
            lines.append("    the task was created at")
            lines += _frames(access.task_created[-1:], "      ")
    if finding.subject_created:
        lines.append("  the session was made at")
        lines += _frames(finding.subject_created[-1:], "    ")
    lines.append(f"  repair: {_REPAIR[finding.kind]}")
    return "\n".join(lines)


def _frames(places: Iterable[PlaceSeen], indent: str) -> list[str]:
    return [f"{indent}{_shown(place.file)}:{place.line} in {place.function}" for place in places]


def _shown(file: str) -> str:
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return file
