"""The files of a benchmark's report: whole, without secrets, and nothing left of an earlier one."""

import re
from pathlib import Path

import pytest

from harness.errors import ConfigurationError
from harness.report.bench_document import ComparisonDocument, read_bench
from harness.report.bench_markdown import summary
from harness.report.bench_write import write_bench
from harness.report.charts import charts
from tests.report.bench_documents import arm, benchmark, case, comparison, everything, failed


def test_every_file_is_written_and_bench_json_last(tmp_path: Path) -> None:
    """Whoever sees it sees the rest; it can be read again, and the files are what the writers make."""
    document, compared = everything(), comparison()
    directory = tmp_path / "new" / "run"

    written = write_bench(document, directory, comparison=compared)

    assert [path.relative_to(directory).as_posix() for path in written] == [
        *(f"charts/{name}.svg" for name in charts(document, compared)),
        "summary.md",
        "report.html",
        "comparison.json",
        "bench.json",
    ]
    assert ComparisonDocument.model_validate_json((directory / "comparison.json").read_bytes()) == compared
    assert read_bench(directory / "bench.json") == document
    assert (directory / "summary.md").read_text(encoding="utf-8") == summary(document, compared)
    assert {path.name for path in directory.rglob("*") if path.is_file()} == {path.name for path in written}


def test_what_an_earlier_benchmark_left_goes_and_other_files_stay(tmp_path: Path) -> None:
    """A chart or a comparison that this run does not have would look like its own; somebody else's picture is none."""
    write_bench(everything(), tmp_path, comparison=comparison())
    (tmp_path / "charts" / "logo.svg").write_text("<svg/>", encoding="utf-8")

    write_bench(benchmark(case(failed("a", "no"))), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json", "charts", "report.html", "summary.md"]
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == ["logo.svg", "ratio-headline.svg"]


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    """Neither by its shape nor by its value, in any file."""
    said = "postgresql://app:s3cr3t-pass@db/app, and value-from-the-environment"

    written = write_bench(
        benchmark(case(arm("a", 0.25), failed("b", said)), command=said),
        tmp_path,
        comparison=comparison(doubts=(said,), notes=(said,)),
        environment={"API_KEY": "value-from-the-environment"},
    )

    for path in written:
        text = path.read_text(encoding="utf-8")
        assert not re.search("s3cr3t-pass|value-from-the-environment", text), path
    assert "postgresql://app:***@db/app, and ***" in (tmp_path / "charts" / "ratio-headline.svg").read_text()


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    """With its name and what to do; and no file is left half done."""
    (tmp_path / "summary.md").mkdir()

    with pytest.raises(ConfigurationError, match=r"the report cannot be written to .*: .*; name a folder"):
        write_bench(everything(), tmp_path)

    assert not (tmp_path / "bench.json").exists()
    assert not list(tmp_path.rglob("*.part"))
