"""The run document as a file, and its published schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from harness.errors import MissingEvidence
from harness.evidence import Evidence, Record
from harness.report import schema
from harness.report.document import RunDocument
from harness.report.redact import redact
from harness.report.run_json import JsonWriter, read
from harness.scenario import SessionMode
from tests.report import documents


def with_a_ledger() -> RunDocument:
    """A run with money in it."""
    evidence = Evidence(ledger=Record.of("ledger", [documents.ledger_row()]))
    return documents.document([documents.cell("single_tool", SessionMode.SHARED, evidence=evidence)])


@pytest.mark.parametrize(
    "made",
    [
        documents.as_expected(),
        documents.troubled(),
        documents.empty(),
        documents.hostile(),
        with_a_ledger(),
        documents.paid(),
    ],
    ids=["as_expected", "troubled", "empty", "hostile", "ledger", "paid"],
)
def test_what_is_written_follows_the_published_schema(made: RunDocument) -> None:
    """Also where every text is hostile."""
    published = json.loads(schema.RUN.path.read_text(encoding="utf-8"))
    written = json.loads(JsonWriter().write(redact(made)))

    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(written)


@pytest.mark.parametrize("published", schema.SCHEMAS, ids=lambda published: published.name)
def test_the_published_schema_is_the_model_s(published: schema.Schema) -> None:
    """If this fails, run `python -m harness.report.schema`, and think of those who read the old files."""
    assert published.path.read_text(encoding="utf-8") == published.text


def test_a_check_of_the_schema_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` says whether the file is up to date."""
    assert schema.main(["--check"]) == 0
    assert "is up to date" in capsys.readouterr().out


def test_money_is_exact() -> None:
    """Costs are decimal numbers as strings, to the last digit."""
    written = json.loads(JsonWriter().write(with_a_ledger()))

    assert written["cells"][0]["evidence"]["ledger"]["items"][0]["total_cost"] == "0.000450"


def test_what_a_run_has_cost_is_exact_too(tmp_path: Path) -> None:
    """It is nothing where there is no budget."""
    path = tmp_path / "run.json"
    path.write_text(JsonWriter().write(redact(documents.paid(reserved="0.01"))), encoding="utf-8")

    written = json.loads(path.read_text(encoding="utf-8"))

    assert written["costs"] == {"limit": "0.50", "spent": "0.0000012", "reserved": "0.01"}
    assert read(path).costs == documents.paid(reserved="0.01").costs
    assert json.loads(JsonWriter().write(documents.troubled()))["costs"] is None


def test_a_race_is_there_with_its_count_and_both_places() -> None:
    """As the sanitizer gave it, so that a finding can be looked up."""
    written = json.loads(JsonWriter().write(redact(documents.hostile())))

    race = written["cells"][0]["evidence"]["races"]["items"][0]
    assert (race["kind"], race["count"]) == ("overlap", 2)
    assert race["first"]["stack"] == [{"file": documents.HOSTILE[0], "line": 1, "function": documents.HOSTILE[0]}]


def test_a_document_that_was_written_can_be_read_again(tmp_path: Path) -> None:
    """Every report can be made from `run.json`."""
    made = redact(documents.troubled())
    path = tmp_path / "run.json"
    path.write_text(JsonWriter().write(made), encoding="utf-8")

    again = read(path)

    assert JsonWriter().write(again) == JsonWriter().write(made)
    assert again.cells[0].findings == made.cells[0].findings


@pytest.mark.parametrize("text", [None, "", "{}", '{"schema_version": 1'], ids=["absent", "empty", "other", "half"])
def test_what_is_no_run_document_is_missing_evidence(text: str | None, tmp_path: Path) -> None:
    """A file that is absent, half written or something else never counts as a result."""
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(MissingEvidence, match=r"run\.json"):
        read(path)
