"""Files that are written so that nobody sees half of one, or some of several.

Problem: CI picks files up while they are written, and a disk fills in the middle.

Mechanism: a file is written in full beside its place, and then renamed onto it; of several, the first is renamed when
the last one is written.

Guarantee: a file is the whole of what was to be written or what was there before, and nothing is left beside it. If one
of several cannot be written, all are what was there before. What is not foreseen is that a file can be written beside
its place and not renamed onto it: those before it then have taken theirs.
"""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["beside", "replace_file", "replace_files"]


def replace_file(path: Path, text: str) -> Path:
    """Write the text to the path, and return the path.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    (written,) = replace_files({path: text})
    return written


def replace_files(texts: Mapping[Path, str]) -> list[Path]:
    """Write each text to its path, and return the paths; they take their places in their order.

    Raises:
        OSError: one of them cannot be written, or is a folder; what was there before is still there.
    """
    try:
        for path, text in texts.items():
            beside(path).write_text(text, encoding="utf-8", newline="\n")
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return [beside(path).replace(path) for path in texts]
    finally:
        for path in texts:
            with suppress(OSError):  # most are in their places; what may have failed is said
                beside(path).unlink()


def beside(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")
