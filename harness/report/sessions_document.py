"""The document of a test suite that was watched (`pytest --sessions --sessions-report`): what it is made of.

Problem: what a run of a suite found is read by people, by CI and by code scanning, long after the terminal is gone.

Mechanism: one value that holds all of it: findings, each with the number of its root cause, both accesses and the tests
in which it was seen, what was suppressed and by what, what could not be seen, and where it ran. It follows the schema
in `reports/schema/sessions-v1.schema.json`; it is told from other documents by its field `races`.

Guarantee: frozen. What is concluded, the verdict, the state of a suppression, stands in it, so that writers only write.
"""

from datetime import date, datetime
from enum import StrEnum

from pydantic import Field

from harness.evidence import SessionRace
from harness.report.document import SourceDocument
from harness.report.model import DocumentModel
from harness.sanitizer import WatchMode
from harness.verdict import Verdict

__all__ = [
    "SESSIONS_SCHEMA_VERSION",
    "RaceDocument",
    "SeenDocument",
    "SessionsDocument",
    "SessionsEnvironmentDocument",
    "SuppressedDocument",
    "SuppressionDocument",
    "SuppressionState",
]

SESSIONS_SCHEMA_VERSION = 1


class SeenDocument(DocumentModel):
    """How often a test showed a finding; outside of any test, if its name is empty."""

    test: str
    count: int = Field(ge=1)


class RaceDocument(DocumentModel):
    """Two places that race: what was seen first, with the count of all, what it means, and what repairs it.

    `cause` is the number of its root cause, from 1: those with one number are repaired together. In a document that was
    written before there were any it is 0, and each is a cause of its own.
    """

    cause: int = Field(default=0, ge=0)
    race: SessionRace
    means: str
    repair: str
    seen: tuple[SeenDocument, ...]


class SuppressedDocument(RaceDocument):
    """One that is suppressed, by the entries of these numbers."""

    by: tuple[int, ...] = Field(min_length=1)


class SuppressionState(StrEnum):
    """What became of a suppression in a run."""

    USED = "used"
    """It named a finding."""
    UNUSED = "unused"
    """It named none of what this run found, which may not have been the whole suite."""
    EXPIRED = "expired"
    """Its last day is over: it suppresses nothing any more."""


class SuppressionDocument(DocumentModel):
    """An entry of `[[tool.sessionproof.suppress]]`, the `number`-th from 1; `what` is what it names."""

    number: int = Field(ge=1)
    what: str
    reason: str
    expires: date
    state: SuppressionState


class SessionsEnvironmentDocument(DocumentModel):
    """Where it ran, with which versions, and on which sources, if that was told.

    `directory` is pytest's root, from which on `pyproject.toml` is looked for upwards.
    """

    python: str
    platform: str
    packages: dict[str, str]
    directory: str
    source: SourceDocument | None = None


class SessionsDocument(DocumentModel):
    """One run of a test suite under the session sanitizer.

    `tests` counts the tests that ran, `workers` the processes of pytest-xdist, 0 without it. `verdict` is `failed` if
    something was found that is not suppressed; `unknown` if nothing was, and that means nothing: because the sanitizer
    failed, as `problems` says, or something went `unwatched`, such as a worker that was lost, or no test ran. `limits`
    is what could be watched in part only. `partial` says that it is known that not all tests of the suite ran.
    """

    schema_version: int = SESSIONS_SCHEMA_VERSION
    command: str
    mode: WatchMode
    started_at: datetime
    seconds: float
    environment: SessionsEnvironmentDocument
    tests: int = Field(ge=0)
    workers: int = Field(default=0, ge=0)
    verdict: Verdict
    races: tuple[RaceDocument, ...]
    suppressed: tuple[SuppressedDocument, ...] = ()
    suppressions: tuple[SuppressionDocument, ...] = ()
    limits: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unwatched: tuple[str, ...] = ()
    partial: bool = False
