"""What all documents have in common: they are frozen, and know exactly the fields that they have."""

from pydantic import BaseModel, ConfigDict

__all__ = ["DocumentModel"]


class DocumentModel(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")
