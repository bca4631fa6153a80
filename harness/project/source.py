"""One file of source, read and parsed, or the reason why not.

Guarantee: nothing is executed or imported, no warning of the parser is shown, and whatever the file holds, the result
is a tree or a problem.
"""

import ast
import errno
import io
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path

from harness.project.problem import Problem

__all__ = ["LARGEST", "Source", "read_source"]

LARGEST = 16 * 1024 * 1024
"""How many bytes a file may have: what is larger was not written by hand."""
_WRONG = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file's text and its tree."""

    path: Path
    text: str
    tree: ast.Module


def read_source(path: Path) -> Source | Problem:
    """The file's source, or what is wrong with it."""
    try:
        return _parsed(path)
    except _WRONG as error:
        line = error.lineno if isinstance(error, SyntaxError) else 1
        return Problem(file=str(path), line=line or 1, message=_said(error))


def _parsed(path: Path) -> Source:
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(errno.ENOENT, "it is a link to nothing")
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "it is no regular file")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    text = _decoded(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Source(path=path, text=text, tree=ast.parse(text, str(path)))


def _said(error: BaseException) -> str:
    match error:
        case OSError(strerror=reason):
            return f"it cannot be read: {reason}"
        case UnicodeDecodeError(encoding=encoding):
            return f"it is not in {encoding}, as it should be"
        case SyntaxError(msg=reason):  # also of an encoding that nobody knows
            return f"it is no Python: {reason}"
        case ValueError():
            return f"it is no Python: {error}"
        case _:
            return "it is nested too deeply to be parsed"


def _decoded(content: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.StringIO(content.decode(encoding), newline=None).read()
