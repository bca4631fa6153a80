"""All files of the report, in one folder.

Problem: CI picks files up while they are written, a disk fills in the middle, and yesterday's report looks
like today's.

Mechanism: the document is redacted once, and gets the lines of the application that it points to, because writers read
nothing. All files are written in full beside their places, and then renamed onto them.

Guarantee: the files of the report are whole, and all of this run, or all what was there before; no
secret that `harness.report.redact` knows reaches the disk.
"""

from collections.abc import Mapping
from pathlib import Path

from harness.report.document import RunDocument
from harness.report.files import beside, refuse, replace_files
from harness.report.html import HtmlWriter
from harness.report.junit import JunitWriter
from harness.report.markdown import MarkdownWriter
from harness.report.redact import masked, masker
from harness.report.run_json import JsonWriter
from harness.report.source_reading import with_sources
from harness.report.writer import Writer

__all__ = ["WRITERS", "prepare_directory", "write_reports"]

WRITERS: tuple[Writer, ...] = (JunitWriter(), MarkdownWriter(), HtmlWriter(), JsonWriter())
"""In the order in which they are written: whoever sees `run.json` sees the rest."""


def prepare_directory(directory: Path) -> None:
    """Make the folder, and remove the report of an earlier run from it.

    Raises:
        ConfigurationError: it cannot be made or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for writer in WRITERS:
            (directory / writer.filename).unlink(missing_ok=True)
        probe = beside(directory / "probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        refuse(directory, error)


def write_reports(
    document: RunDocument, directory: Path, *, environment: Mapping[str, str] | None = None
) -> list[Path]:
    """Write every file of the report, and return their paths.

    Secrets are looked up in `environment`, the process's own by default.

    Raises:
        ConfigurationError: the folder cannot be made or written to, or its disk is full.
    """
    mask = masker(environment)
    redacted = with_sources(masked(document, mask), mask)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return replace_files({directory / writer.filename: writer.write(redacted) for writer in WRITERS})
    except OSError as error:
        refuse(directory, error)
