"""Files that are written so that nobody sees half of one.

Problem: CI picks files up while they are written, and a disk fills in the middle.

Mechanism: a file is written in full beside its place, and then renamed onto it.

Guarantee: a file is the whole of what was to be written or what was there before, and nothing is left beside it.
"""

import os
from pathlib import Path

__all__ = ["beside", "replace_file"]


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
