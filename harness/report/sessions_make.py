"""The document of a watched test suite, made from what was counted while it ran.

Guarantee: pure, but for the versions of what is installed. All conclusions are drawn here.
"""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from harness.report.environment import describe_source, package_versions
from harness.report.sessions_document import (
    RaceDocument,
    SeenDocument,
    SessionsDocument,
    SessionsEnvironmentDocument,
    SuppressedDocument,
    SuppressionDocument,
    SuppressionState,
)
from harness.sanitizer import WatchMode
from harness.sanitizer.reports import CAUSES, REPAIRS
from harness.sanitizer.tally import Pair, Tally
from harness.suppressions import Suppression
from harness.verdict import Verdict

__all__ = ["PACKAGES", "SuiteRun", "sessions_document"]

PACKAGES = (
    "sessionproof",
    "sqlalchemy",
    "greenlet",
    "asyncpg",
    "psycopg",
    "aiosqlite",
    "pydantic-ai-slim",
    "anyio",
    "uvloop",
    "pytest",
    "pytest-asyncio",
    "pytest-xdist",
)
"""What can change what is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """A run of a suite that has ended; `seconds` long, in `directory`, pytest's root."""

    command: str
    mode: WatchMode
    started_at: datetime
    seconds: float
    directory: Path
    tests: int
    workers: int
    tally: Tally
    suppressions: tuple[Suppression, ...]
    ended_on: date
    is_partial: bool
    limits: tuple[str, ...]
    problems: tuple[str, ...]
    unwatched: tuple[str, ...]


def sessions_document(run: SuiteRun) -> SessionsDocument:
    """The document of the run."""
    found, hidden = run.tally.races, run.tally.suppressed
    races = tuple(RaceDocument(**_race(pair, number)) for number, pairs in enumerate(found, 1) for pair in pairs)
    return SessionsDocument(
        command=run.command,
        mode=run.mode,
        started_at=run.started_at,
        seconds=run.seconds,
        environment=SessionsEnvironmentDocument(
            python=platform.python_version(),
            platform=platform.platform(),
            packages=package_versions(PACKAGES),
            directory=str(run.directory),
            source=describe_source(os.environ),
        ),
        tests=run.tests,
        workers=run.workers,
        verdict=_verdict(run, found=bool(races)),
        races=races,
        suppressed=tuple(
            SuppressedDocument(**_race(pair, number), by=tuple(entry.number for entry in pair.by))
            for number, pairs in enumerate(hidden, len(found) + 1)
            for pair in pairs
        ),
        suppressions=tuple(_suppressions(run)),
        limits=run.limits,
        problems=run.problems,
        unwatched=run.unwatched,
        partial=run.is_partial,
    )


def _verdict(run: SuiteRun, *, found: bool) -> Verdict:
    if found:
        return Verdict.FAILED
    return Verdict.UNKNOWN if run.problems or run.unwatched or not run.tests else Verdict.PASSED


def _race(pair: Pair, cause: int) -> dict[str, object]:
    return {
        "cause": cause,
        "race": pair.race,
        "means": CAUSES[pair.race.kind],
        "repair": REPAIRS[pair.race.kind],
        "seen": tuple(SeenDocument(test=test, count=count) for test, count in pair.tests.items()),
    }


def _suppressions(run: SuiteRun) -> Iterable[SuppressionDocument]:
    used = {entry for pairs in run.tally.suppressed for pair in pairs for entry in pair.by}
    for entry in run.suppressions:
        state = SuppressionState.USED if entry in used else SuppressionState.UNUSED
        if entry not in used and entry.is_expired(run.ended_on):
            state = SuppressionState.EXPIRED
        yield SuppressionDocument(
            number=entry.number, what=entry.what, reason=entry.reason, expires=entry.expires, state=state
        )
