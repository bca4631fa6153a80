"""Where the two files of a watched test suite go: named, looked at before anything runs, and refused in one line.

Guarantee: light, because it is loaded before the tests. What is no report of a watched suite is not removed, whatever
its name; and nothing is removed unless both places can be written.
"""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigurationError, UsageError
from harness.files import beside

__all__ = ["SessionsFiles", "files_named", "prepare_files", "refusal"]

_FIELDS = frozenset({"schema_version", "mode", "tests", "races", "suppressions"})
"""What only a document of a watched suite has all of."""

_HEADING = b'<p class="bar-what">A test suite under the session sanitizer</p>'
_MOST = 1_000_000
"""No page of ours is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsFiles:
    """Where the document goes, and where the page goes."""

    document: Path
    page: Path


def files_named(name: str, base: Path) -> SessionsFiles:
    """The files that a name stands for, which is relative to `base`.

    A folder, which is there or ends with a slash, has `run.json` and `report.html`; a file that ends with `.json` or
    `.html` has the other one beside it.

    Raises:
        UsageError: it is neither.
    """
    path = base / name
    if name and (name.endswith(("/", "\\")) or path.is_dir()):
        return SessionsFiles(document=path / "run.json", page=path / "report.html")
    if path.suffix not in {".json", ".html"}:
        raise UsageError(
            f"the report of sessions cannot be {name!r}: name a file that ends with .json or .html, or a folder, "
            f"with a slash at its end: {f'{name}/' if name else 'reports/'!r}"
        )
    return SessionsFiles(document=path.with_suffix(".json"), page=path.with_suffix(".html"))


def prepare_files(files: SessionsFiles) -> None:
    """Make the folder, and remove the report of an earlier run.

    Raises:
        ConfigurationError: the folder cannot be made or written to, or has another file of that name.
    """
    try:
        files.document.parent.mkdir(parents=True, exist_ok=True)
        _refuse_others(files.document, is_ours=_is_document)
        _refuse_others(files.page, is_ours=_is_page)
        probe = beside(files.document)
        probe.touch()
        probe.unlink()
        for path in (files.document, files.page):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise refusal(files, error) from error


def _refuse_others(path: Path, *, is_ours: Callable[[bytes], bool]) -> None:
    """What is no report is not overwritten: `--sessions-report=package.json` was meant otherwise.

    Raises:
        ConfigurationError: there is such a file.
        OSError: it cannot be read, or is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.is_file() and not is_ours(path.read_bytes()):
        raise ConfigurationError(
            f"the report of sessions would overwrite {str(path)!r}, which is none: name another place by "
            "--sessions-report, or remove that file"
        )


def _is_document(content: bytes) -> bool:
    try:
        value = json.loads(content) if b'"races"' in content else None
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.keys() >= _FIELDS


def _is_page(content: bytes) -> bool:
    return _HEADING in content[:_MOST]


def refusal(files: SessionsFiles, error: OSError) -> ConfigurationError:
    """The error for files that cannot be written."""
    return ConfigurationError(
        f"the report of sessions cannot be written to {str(files.document)!r}: {error.strerror} "
        f"({error.filename or files.document}); name another place by --sessions-report"
    )
