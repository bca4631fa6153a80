"""All files of a benchmark's report, in one folder: charts, `summary.md`, `report.html`, and the documents.

Mechanism: the document is redacted once, and every file is written as `harness.report.files` says, `bench.json` last:
whoever sees it sees the rest. It can be called again and again while a benchmark goes on.

Guarantee: no secret that `harness.report.redact` knows reaches the disk. Charts of an earlier benchmark go, and so does
its comparison; no other file in the folder is touched.
"""

from collections.abc import Mapping
from pathlib import Path

from harness.report.bench_document import BenchDocument, ComparisonDocument
from harness.report.bench_markdown import summary
from harness.report.charts import charts
from harness.report.files import refuse, replace_file
from harness.report.html import bench_html
from harness.report.model import DocumentModel
from harness.report.redact import masked, masker
from harness.report.svg import MARK

__all__ = ["BENCH_FILE", "CHARTS", "COMPARISON_FILE", "PAGE_FILE", "SUMMARY_FILE", "write_bench"]

BENCH_FILE = "bench.json"
COMPARISON_FILE = "comparison.json"
"""What became of it since a baseline, where it was compared with one."""
SUMMARY_FILE = "summary.md"
PAGE_FILE = "report.html"
CHARTS = "charts"
"""The folder of the charts, below that of the run."""


def write_bench(
    document: BenchDocument,
    directory: Path,
    *,
    comparison: ComparisonDocument | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write every file of the report, that of the comparison if there is one, and return their paths.

    Secrets are looked up in `environment`, the process's own by default.

    Raises:
        ConfigurationError: the folder cannot be made or written to, or its disk is full.
    """
    mask = masker(environment)
    shown = masked(document, mask)
    compared = masked(comparison, mask) if comparison is not None else None
    drawn = {f"{name}.svg": text for name, text in charts(shown, compared).items()}
    folder = directory / CHARTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_others(folder, drawn)
        if compared is None:
            (directory / COMPARISON_FILE).unlink(missing_ok=True)
        texts = {
            SUMMARY_FILE: summary(shown, compared),
            PAGE_FILE: bench_html(shown, compared),
            **({COMPARISON_FILE: _json(compared)} if compared is not None else {}),
            BENCH_FILE: _json(shown),
        }
        return [
            *(replace_file(folder / name, text) for name, text in drawn.items()),
            *(replace_file(directory / name, text) for name, text in texts.items()),
        ]
    except OSError as error:
        refuse(directory, error)


def _json(document: DocumentModel) -> str:
    return document.model_dump_json(indent=1) + "\n"


def _remove_others(folder: Path, drawn: Mapping[str, str]) -> None:
    """Remove the charts that this run does not have: they would look like its own."""
    for path in folder.glob("*.svg"):
        if path.name not in drawn and path.is_file() and _is_ours(path):
            path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(200).startswith(f"<svg {MARK}".encode())
