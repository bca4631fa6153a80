"""The published schema of `run.json`, made from the model that writes it.

`python -m harness.report.schema` writes `reports/schema/run-v1.schema.json` again; `--check` only says
whether it would change. A test fails when the published file and the model drift apart. A change that breaks
readers gets a new `SCHEMA_VERSION`, and with it a new file.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from harness.report.document import SCHEMA_VERSION, RunDocument

__all__ = ["main", "path", "schema", "to_text"]

_DIRECTORY = Path(__file__).parents[2] / "reports" / "schema"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DESCRIPTION = (
    "One run of sessionproof: the verdict, where it ran, and one cell per scenario, session mode, pool state "
    "and model tier, with its findings and its evidence. Durations are in seconds, costs are decimal numbers "
    "as strings. All text may come from the backend under test: escape it."
)


def path() -> Path:
    """Where the schema is published, in a clone."""
    return _DIRECTORY / f"run-v{SCHEMA_VERSION}.schema.json"


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a run document as it is written."""
    made = RunDocument.model_json_schema(mode="serialization")
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:sessionproof:run:v{SCHEMA_VERSION}",
        "title": f"sessionproof run, version {SCHEMA_VERSION}",
        "description": _DESCRIPTION,
    }
    made["properties"]["schema_version"] |= {"const": SCHEMA_VERSION}
    return {**head, **{key: value for key, value in made.items() if key not in head}}


def to_text() -> str:
    """The schema as the published file has it."""
    return json.dumps(schema(), indent=2, sort_keys=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Publish the schema, or with `--check` compare; exit status 1 if they differ."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report.schema", description="Publish the schema of run.json."
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the published schema is out of date"
    )
    checking = parser.parse_args(arguments).check
    place, text = path(), to_text()
    if place.is_file() and place.read_text(encoding="utf-8") == text:
        sys.stdout.write(f"{place} is up to date\n")
        return 0
    if checking:
        sys.stdout.write(f"{place} is out of date; run: python -m harness.report.schema\n")
        return 1
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{place} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
