"""The files of a proof: `proof.md` and `proof.json`, which is written last, because who sees it sees the rest.

Guarantee: no secret that `harness.report.redact` knows reaches the disk, and each file is whole.
"""

from pathlib import Path

from harness.report.files import refuse, replace_files
from harness.report.proof_document import ProofDocument
from harness.report.proof_markdown import proof_page

__all__ = ["PAGE_FILE", "PROOF_FILE", "proof_json", "write_proof"]

PROOF_FILE = "proof.json"
PAGE_FILE = "proof.md"


def write_proof(proof: ProofDocument, directory: Path) -> list[Path]:
    """Write both files of a proof whose secrets are masked, and return their paths.

    Raises:
        ConfigurationError: the folder cannot be written to.
    """
    try:
        return replace_files({directory / PAGE_FILE: proof_page(proof), directory / PROOF_FILE: proof_json(proof)})
    except OSError as error:
        refuse(directory, error)


def proof_json(proof: ProofDocument) -> str:
    """The document as JSON, lightly indented."""
    return proof.model_dump_json(indent=1) + "\n"
