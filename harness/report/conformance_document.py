"""What `sessionproof check-backend` says, as one versioned JSON value; its schema is published in `reports/schema/`.

Text that came from the backend is untrusted: whoever shows it escapes it.
"""

from typing import Annotated

from pydantic import Field

from harness.report.model import DocumentModel

__all__ = ["CONFORMANCE_VERSION", "ConformanceDocument", "ItemDocument", "StepDocument"]

CONFORMANCE_VERSION = 1


class ItemDocument(DocumentModel):
    """One violation or hint: of which part, what was seen and asked, what to change, and where, as `path:line`."""

    part: str
    seen: str
    asked: str
    change: str
    place: str


class StepDocument(DocumentModel):
    """One thing that was looked at; `undecided` is the reason if it was not."""

    name: str
    undecided: str


class ConformanceDocument(DocumentModel):
    """What was looked at, what is violated, and what else is to be said of a backend."""

    schema_version: Annotated[int, Field(ge=1)] = CONFORMANCE_VERSION
    backend: str
    conforms: bool
    steps: tuple[StepDocument, ...]
    violations: tuple[ItemDocument, ...]
    hints: tuple[ItemDocument, ...]
