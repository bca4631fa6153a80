"""What all documents have in common: they are frozen, and know exactly the fields that they have."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import MissingEvidence

__all__ = ["DocumentModel", "not_a_document"]


class DocumentModel(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def not_a_document(path: Path, what: str, error: ValidationError) -> MissingEvidence:
    """The error for a file that is not `what` it should be, with the first place where it is not."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "the whole"
    return MissingEvidence(f"{str(path)!r} is {what}: at {place}: {first['msg']} ({error.error_count()} errors)")
