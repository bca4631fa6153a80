"""A run document that is fit to be written: without secrets (`harness.masking`)."""

from collections.abc import Mapping

from harness.masking import MASK, Mask, masked, masker
from harness.report.document import RunDocument

__all__ = ["MASK", "Mask", "masked", "masker", "redact"]


def redact(document: RunDocument, *, environment: Mapping[str, str] | None = None) -> RunDocument:
    """The document with secrets masked in every string.

    `environment` is where secret values are looked up: the process's own by default. Half surrogate pairs,
    which no file can carry, become escapes, and values that JSON does not know become their `repr`.
    """
    return masked(document, masker(environment))
