"""Standard output and standard error, whose reader may have gone, or which may be full.

Problem: Python ends with a status of its own, and a traceback, if what it printed cannot be written at its end.

Guarantee: a reader who has gone ends the command as SIGPIPE would, without a word; whatever else keeps text from being
written is an error of one sentence. A stream that was closed before the command began takes whatever is printed, and
the status is what it would be.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import IO

import click

from harness.errors import EnvironmentMissing

__all__ = ["NotPrinted", "open_closed", "printing", "write"]

_BROKEN_PIPE = 141
"""The exit status of what SIGPIPE ended: 128 and its number."""


_STANDARD = ("stdin", "stdout", "stderr")
"""The names of the streams, each at its descriptor's number."""


class NotPrinted(EnvironmentMissing):
    """What was found could not be printed."""


def open_closed() -> None:
    """Open the standard streams that are closed on nothing, so that no file that is opened later takes their place."""
    for descriptor, name in enumerate(_STANDARD):
        closed = _is_closed(descriptor)
        if closed:  # it is the lowest that is free, and so the number that the file gets
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, _nothing(descriptor if closed else os.devnull, "w" if descriptor else "r"))


def _nothing(file: int | str, mode: str) -> IO[str]:
    return open(file, mode, encoding="utf-8", errors="backslashreplace", closefd=isinstance(file, str))


def _is_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


def write(text: str, *, error: bool = False) -> None:
    """Print a text as it is, in UTF-8."""
    with printing(sys.stderr if error else sys.stdout):
        click.echo(text.encode(), nl=False, err=error)


@contextlib.contextmanager
def printing(stream: IO[str]) -> Iterator[None]:
    """End as other programs do if whoever reads the stream has gone: that says nothing of what was found.

    Raises:
        NotPrinted: it cannot be written to for another reason.
    """
    try:
        yield
    except OSError as error:
        _drop(stream)
        if isinstance(error, BrokenPipeError):
            raise SystemExit(_BROKEN_PIPE) from None
        full = error.errno == errno.ENOSPC
        said = "there is no space for the output: make room" if full else f"nothing can be printed: {error.strerror}"
        raise NotPrinted(f"{said}, or let it go somewhere else") from error


def _drop(stream: IO[str]) -> None:
    """Let go what could not be printed: Python would try again at its end, and exit with a status of its own."""
    with contextlib.suppress(OSError, ValueError):  # what has no descriptor is not tried again
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != stream.fileno():  # as it is where the stream's own was closed
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
