"""Documents from files, and what is wrong with files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from harness.errors import UsageError
from harness.report.bench_document import BenchDocument
from harness.report.bench_write import write_bench
from harness.report.document import RunDocument
from harness.report.reading import read_document
from harness.report.redact import redact
from harness.report.run_json import JsonWriter
from tests.report import bench_documents, documents

law = settings(
    derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

RUN = JsonWriter().write(redact(documents.troubled()))


def changed(**fields: Any) -> str:
    """The run with other fields."""
    return json.dumps({**json.loads(RUN), **fields})


def refusal(content: str | bytes, directory: Path) -> str:
    """What is said of a file with this content."""
    path = directory / "run.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        read_document(path)
    message = str(caught.value)
    assert message.startswith(f"{str(path)!r} ")
    return message.removeprefix(f"{str(path)!r} ")


def test_runs_and_benchmarks_are_told_apart(tmp_path: Path) -> None:
    """By what is in them, whatever they are called."""
    (tmp_path / "a").write_text(RUN, encoding="utf-8")
    write_bench(bench_documents.everything(), tmp_path)

    assert isinstance(read_document(tmp_path / "a"), RunDocument)
    assert isinstance(read_document(tmp_path / "bench.json"), BenchDocument)


def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path) -> None:
    """Cut short, of another version, of another kind, or nothing at all."""
    said = {
        "empty": refusal("\n", tmp_path),
        "cut short": refusal('{"schema_version": 1, "verdict": "pas', tmp_path),
        "text": refusal("PK no JSON", tmp_path),
        "bytes": refusal(b"\xff\xfe{}", tmp_path),
        "list": refusal("[1, 2]", tmp_path),
        "other object": refusal('{"name": "x"}', tmp_path),
        "newer": refusal(changed(schema_version=7, environment={"packages": {"sessionproof": "3.1"}}), tmp_path),
        "odd version": refusal(changed(schema_version="one"), tmp_path),
        "true": refusal(changed(schema_version=True), tmp_path),
        "a comparison": refusal('{"schema_version": 1, "changes": []}', tmp_path),
        "a scan": refusal('{"schema_version": 1, "findings": [], "ignored": []}', tmp_path),
        "a wrong field": refusal(changed(turns="many"), tmp_path),
        "more fields": refusal(changed(extra=1, turns=None), tmp_path),
    }

    assert said == snapshot(
        {
            "empty": "is empty",
            "cut short": "is cut short: it ends in the middle (EOF while parsing a string at line 1 column 37)",
            "text": "is not JSON: expected value at line 1 column 1",
            "bytes": "is not JSON: expected value at line 1 column 1",
            "list": "is JSON, but no document of sessionproof: expected an object",
            "other object": "is JSON, but no document of sessionproof: expected a run.json, a bench.json or a proof.json",  # noqa: E501  # golden text
            "newer": "is a run document of schema version 7, which sessionproof 3.1 wrote; this version of sessionproof reads 1: make the report with the version that wrote it, or run it again",  # noqa: E501  # golden text
            "true": "is a run document of schema version True; this version of sessionproof reads 1: make the report with the version that wrote it, or run it again",  # noqa: E501  # golden text
            "odd version": "is a run document of schema version one; this version of sessionproof reads 1: make the report with the version that wrote it, or run it again",  # noqa: E501  # golden text
            "a comparison": "is a comparison, of which there is no report: the report is made of the bench.json beside it",  # noqa: E501  # golden text
            "a scan": "is a scan, of which there is no report: `sessionproof scan --format` makes it in another form",
            "a wrong field": "is not a run document that follows its schema: at turns: Input should be a valid integer, unable to parse string as an integer",  # noqa: E501  # golden text
            "more fields": "is not a run document that follows its schema: at turns: Input should be a valid integer (2 errors)",  # noqa: E501  # golden text
        }
    )


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_document_that_was_cut_off_anywhere_is_said_to_be(share: float, tmp_path: Path) -> None:
    """It is never read as what it was up to there."""
    whole = RUN.strip().encode()

    assert refusal(whole[: int(len(whole) * share)], tmp_path).startswith("is cut short: it ends in the middle")


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    """A folder, a pipe, nothing, or a place that cannot be; with what there is in its stead."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "run.json").touch()
    os.mkfifo(tmp_path / "pipe")

    said = []
    for name in ("report", "pipe", "report/rum.json", "no/where.json", "report/run.json/x", "nul\x00"):
        with pytest.raises(UsageError) as caught:
            read_document(tmp_path / name)
        said.append(str(caught.value).replace(str(tmp_path), "DIR"))

    assert said == snapshot(
        [
            "'DIR/report' is a folder, and no file; its document is 'DIR/report/run.json'",
            "'DIR/pipe' is no regular file, so that no document can be read from it",
            "there is no file 'DIR/report/rum.json'; in its folder there are run.json",
            "there is no file 'DIR/no/where.json': there is no folder 'DIR/no' either",
            "'DIR/report/run.json/x' cannot be read: Not a directory",
            "'DIR/nul\\x00' cannot be read: no file can have that name",
        ]
    )


@law
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["schema_version", "cells", "cases", "verdict", "environment", "packages", "turns"]),
                inner,
            )
        ),
    )
)
def test_any_json_is_refused_in_one_line(tmp_path: Path, value: object) -> None:
    """Whatever is in it."""
    message = refusal(json.dumps(value), tmp_path)

    assert len(message.splitlines()) == 1
    assert len(message) < 1200
