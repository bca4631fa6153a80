"""The two files of a watched test suite: the document, and the page made of it.

Problem: CI picks files up while they are written, and yesterday's report looks like today's.

Mechanism: the files of an earlier run are removed before the tests begin, and both new ones are written in full beside
their places before either takes it, the document last: whoever sees it sees the page.

Guarantee: both files are whole and of this run, or there is none of them.
"""

from harness.report.files import replace_files
from harness.report.sessions_document import SessionsDocument
from harness.report.sessions_files import SessionsFiles, refusal
from harness.report.sessions_html import sessions_html

__all__ = ["write_sessions"]


def write_sessions(document: SessionsDocument, files: SessionsFiles) -> None:
    """Write both files; the document is without secrets already.

    Raises:
        ConfigurationError: the folder cannot be made or written to, or its disk is full.
    """
    texts = {
        files.page: sessions_html(document, source=files.document.name),
        files.document: document.model_dump_json(indent=1) + "\n",
    }
    try:
        files.document.parent.mkdir(parents=True, exist_ok=True)
        replace_files(texts)
    except OSError as error:
        raise refusal(files, error) from error
