"""Files of a report, written so that nobody sees half of one.

Problem: CI picks files up while they are written, and a disk fills in the middle.

Mechanism: a file is written in full beside its place, and then renamed onto it.

Guarantee: a file is the whole of what was to be written or what was there before, and nothing is left beside it.
"""

import os
from pathlib import Path
from typing import NoReturn

from harness.errors import ConfigurationError

__all__ = ["beside", "refuse", "replace_file"]


def replace_file(path: Path, text: str) -> Path:
    """Write the text to the path, and return the path.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    temporary = beside(path)
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def beside(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def refuse(directory: Path, error: OSError) -> NoReturn:
    """Say that a report cannot be written to the folder.

    Raises:
        ConfigurationError: always.
    """
    place = error.filename or str(directory)
    raise ConfigurationError(
        f"the report cannot be written to {str(directory)!r}: {error.strerror} ({place}); "
        "name a folder that can be written to with --output DIR"
    ) from error
