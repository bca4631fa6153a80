"""The published schemas of all documents: runs, proofs, benchmarks, comparisons, scans, watched suites, recordings.

They are made from the models: `python -m harness.report.schema` writes the files in `reports/schema/` again; `--check`
only says whether they would change. A test fails when a published file and its model drift apart. A change that breaks
readers gets a new schema version, and with it a new file.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.providers.cassette import CASSETTE_VERSION, Cassette
from harness.report.bench_document import (
    BENCH_SCHEMA_VERSION,
    COMPARISON_SCHEMA_VERSION,
    BenchDocument,
    ComparisonDocument,
)
from harness.report.conformance_document import CONFORMANCE_VERSION, ConformanceDocument
from harness.report.document import SCHEMA_VERSION, RunDocument
from harness.report.proof_document import PROOF_SCHEMA_VERSION, ProofDocument
from harness.report.scan_document import SCAN_SCHEMA_VERSION, ScanDocument
from harness.report.sessions_document import SESSIONS_SCHEMA_VERSION, SessionsDocument

__all__ = [
    "BENCH",
    "CASSETTE",
    "COMPARISON",
    "CONFORMANCE",
    "PROOF",
    "RUN",
    "SCAN",
    "SCHEMAS",
    "SESSIONS",
    "Schema",
    "main",
]

_DIRECTORY = Path(__file__).parents[2] / "reports" / "schema"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One document's schema: `name` is the file's without its ending, `run` for `run.json`."""

    name: str
    model: type[BaseModel]
    version: int
    description: str

    @property
    def path(self) -> Path:
        """Where it is published, in a clone."""
        return _DIRECTORY / f"{self.name}-v{self.version}.schema.json"

    @property
    def value(self) -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of a document as it is written."""
        made = self.model.model_json_schema(mode="serialization")
        head = {
            "$schema": _DIALECT,
            "$id": f"urn:sessionproof:{self.name}:v{self.version}",
            "title": f"sessionproof {self.name}, version {self.version}",
            "description": self.description,
        }
        made["properties"]["schema_version"] |= {"const": self.version}
        return {**head, **{key: value for key, value in made.items() if key not in head}}

    @property
    def text(self) -> str:
        """The schema as the published file has it."""
        return json.dumps(self.value, indent=2, sort_keys=False) + "\n"

    @property
    def is_published(self) -> bool:
        """Whether the published file is this schema."""
        return self.path.is_file() and self.path.read_text(encoding="utf-8") == self.text


RUN = Schema(
    name="run",
    model=RunDocument,
    version=SCHEMA_VERSION,
    description=(
        "One run of sessionproof: the verdict, where it ran, and one cell per scenario, session mode, pool state "
        "and model tier, with its findings and its evidence. Durations are in seconds, costs are decimal numbers "
        "as strings. All text may come from the backend under test: escape it."
    ),
)
BENCH = Schema(
    name="bench",
    model=BenchDocument,
    version=BENCH_SCHEMA_VERSION,
    description=(
        "One benchmark of sessionproof: where it ran, and for each case its arms with every repetition, medians and "
        "ratios with their intervals, and what the seconds were spent on. Durations are in seconds, and are the "
        "machine's: only ratios are to be compared with those of another run. Text may come from the backend under "
        "test: escape it."
    ),
)
COMPARISON = Schema(
    name="comparison",
    model=ComparisonDocument,
    version=COMPARISON_SCHEMA_VERSION,
    description=(
        "One benchmark of sessionproof against its baseline: what became of each arm, the worst first, and what that "
        "amounts to. Growths are ratios with their intervals; seconds are how much a part of the turn grew beyond what "
        "the machine makes of it. Text may come from the backend under test: escape it."
    ),
)
CASSETTE = Schema(
    name="cassette",
    model=Cassette,
    version=CASSETTE_VERSION,
    description=(
        "What passed between an application and a model over HTTP in one cell: who answered, and each request with its "
        "answer, chunk by chunk. A body is what is common to most requests, without the names in `without`, and with "
        "what the exchange has itself. Seconds count from the sending of a request. There are no headers of requests, "
        "and secrets are masked; all text is the application's or the model's: escape it."
    ),
)
SCAN = Schema(
    name="scan",
    model=ScanDocument,
    version=SCAN_SCHEMA_VERSION,
    description=(
        "One static scan of sessionproof: sessions that reach where they must not, each with who uses them, the way "
        "they take and what to change; what comments accept, and what was not scanned. Files are relative to the "
        "folder of the scan. All text comes from the scanned source: escape it."
    ),
)
SESSIONS = Schema(
    name="sessions",
    model=SessionsDocument,
    version=SESSIONS_SCHEMA_VERSION,
    description=(
        "One run of a test suite under the session sanitizer (`pytest --sessions --sessions-report`): the races that "
        "were found, by root cause, with both accesses and the tests that showed them, what is suppressed and why, and "
        "what could not be watched. If `verdict` is `unknown`, an empty list of races means nothing. Stacks have the "
        "innermost frame last; `at` is a clock of the process. All text may come from the watched program: escape it."
    ),
)
PROOF = Schema(
    name="proof",
    model=ProofDocument,
    version=PROOF_SCHEMA_VERSION,
    description=(
        "What two runs of the same scenarios, at two revisions of a repository, prove together: whether a bug shows in "
        "each, in which cells, and which findings only one of them has. The runs are beside it, by the schema of run. "
        "Text may come from the repository, or from the backend under test: escape it."
    ),
)
CONFORMANCE = Schema(
    name="conformance",
    model=ConformanceDocument,
    version=CONFORMANCE_VERSION,
    description=(
        "What `sessionproof check-backend` says of one backend: what was looked at, what violates the protocol, with "
        "what to change, and hints, which violate nothing. All text may come from the backend: escape it."
    ),
)
SCHEMAS = (RUN, BENCH, COMPARISON, CASSETTE, CONFORMANCE, PROOF, SCAN, SESSIONS)


def main(arguments: list[str] | None = None) -> int:
    """Publish the schemas, or with `--check` compare; exit status 1 if one differs."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report.schema",
        description="Publish the schemas of all documents.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a published schema is out of date")
    checking = parser.parse_args(arguments).check
    outdated = [schema for schema in SCHEMAS if not schema.is_published]
    for schema in SCHEMAS:
        if schema not in outdated:
            sys.stdout.write(f"{schema.path} is up to date\n")
        elif checking:
            sys.stdout.write(f"{schema.path} is out of date; run: python -m harness.report.schema\n")
        else:
            schema.path.parent.mkdir(parents=True, exist_ok=True)
            schema.path.write_text(schema.text, encoding="utf-8")
            sys.stdout.write(f"{schema.path} written\n")
    return 1 if checking and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
