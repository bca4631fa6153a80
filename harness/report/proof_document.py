"""The proof document: two runs of the same scenarios at two revisions, and what they prove together.

`proof.json` is this document; its schema is published in `reports/schema/`. The runs themselves are beside it, each as
a `run.json`. Commit messages, and all that comes of the backend, is untrusted text: writers escape it.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from harness.report.document import NotVerifiedDocument
from harness.report.model import DocumentModel
from harness.report.showing import Showing
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.verdict import FindingKind, Verdict

__all__ = [
    "PROOF_SCHEMA_VERSION",
    "ProofDocument",
    "RevisionDocument",
    "ShownCellDocument",
    "SideDocument",
    "TraceDocument",
    "proof_status",
]

PROOF_SCHEMA_VERSION = 1


class RevisionDocument(DocumentModel):
    """A commit: what it was asked for by, its full name, and the first line of its message."""

    asked: str
    commit: str
    subject: str

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self.commit[:10]


class ShownCellDocument(DocumentModel):
    """Whether the bug shows in one cell, and the kinds of findings that speak for it, or of something else."""

    scenario: str
    session_mode: SessionMode
    pool_state: PoolState
    tier: ModelTier
    showing: Showing
    kinds: tuple[FindingKind, ...]


class SideDocument(DocumentModel):
    """One revision: whether the bug shows in it, by which cells, what was not looked at, and what was in the way.

    `backend` is the name that the backend gives itself, `run` the place of its run document, relative to this one.
    `notes` say what its checkout lacks.
    """

    revision: RevisionDocument
    showing: Showing
    backend: str
    run: str
    cells: tuple[ShownCellDocument, ...]
    not_verified: tuple[NotVerifiedDocument, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class TraceDocument(DocumentModel):
    """A kind of finding at a place in the code: in how many cells it is, and what the first of them says."""

    kind: FindingKind
    place: str
    cells: int
    message: str


class ProofDocument(DocumentModel):
    """What was run at both revisions, and what it proves.

    `verdict` is `passed` if the bug shows before and not after, `failed` if it does not show before, does after, or if
    something else is wrong after that was not before, and `unknown` if evidence is missing; `reasons` say why it is not
    `passed`. The bug is known by the kinds in `bug`. `adapter` says whose adapter started the application. `vanished`
    are findings that only the first revision has, `appeared` those that only the second has, `remaining` those of both.
    """

    schema_version: Annotated[int, Field(ge=1)] = PROOF_SCHEMA_VERSION
    verdict: Verdict
    started_at: datetime
    seconds: float
    command: str
    backend: str
    adapter: str
    bug: tuple[FindingKind, ...]
    before: SideDocument
    after: SideDocument
    reasons: tuple[str, ...]
    vanished: tuple[TraceDocument, ...]
    appeared: tuple[TraceDocument, ...]
    remaining: tuple[TraceDocument, ...]
    limits: tuple[str, ...]


def proof_status(document: ProofDocument) -> int:
    """The command's exit status: 0 proved, 1 not, 3 unknown."""
    return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNKNOWN: 3}[document.verdict]
