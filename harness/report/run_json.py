"""`run.json`: the run document itself, complete, from which every other report can be made again.

It follows the schema in `reports/schema/run-v1.schema.json`; `schema_version` tells which one. A document
that was redacted can always be written.
"""

from pathlib import Path

from pydantic import ValidationError

from harness.errors import MissingEvidence
from harness.report.document import RunDocument
from harness.report.model import not_a_document

__all__ = ["JsonWriter", "read"]


class JsonWriter:
    """Writes `run.json`."""

    name = "json"
    filename = "run.json"

    def write(self, document: RunDocument) -> str:
        """The document as JSON, lightly indented."""
        return document.model_dump_json(indent=1, fallback=repr) + "\n"


def read(path: Path) -> RunDocument:
    """The document in a file that `JsonWriter` wrote.

    Raises:
        MissingEvidence: there is no such file, or it does not follow the schema.
    """
    try:
        return RunDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise MissingEvidence(f"the run document {str(path)!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise not_a_document(path, "not a run document", error) from error
