"""The seam of the report: one writer a file format.

A writer is pure. It turns a run document, which is already redacted, into the text of one file, and decides
nothing: verdicts, counts and expectations stand in the document or in `harness.report.digest`.
"""

from typing import Protocol

from harness.report.document import RunDocument

__all__ = ["Writer"]


class Writer(Protocol):
    """One file of the report.

    Contract: `write` returns the whole file as text that encodes to UTF-8. It reads nothing but its argument,
    returns the same for the same, and treats every string in it as untrusted. Every document that the model
    admits can be written, an empty one too.
    """

    @property
    def name(self) -> str:
        """What the file is called in messages, such as `junit`."""
        ...

    @property
    def filename(self) -> str:
        """Its name in the report's folder, such as `junit.xml`."""
        ...

    def write(self, document: RunDocument) -> str:
        """The text of the file."""
        ...
