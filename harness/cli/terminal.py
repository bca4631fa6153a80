"""The consoles of rich that a command prints to, which tell what cannot be printed from what goes wrong elsewhere."""

import errno
import os
import sys
from typing import Any

from rich.console import Console

from harness.cli.streams import printing

__all__ = ["console"]


def console(*, stderr: bool = False) -> Console:
    """A console that shows what its encoding cannot as escapes; 120 columns wide without a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return _Printed(stderr=stderr, highlight=False, width=None if stream.isatty() else 120)


class _Printed(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        """Print, as `printing` says."""
        with printing(self.file):
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Raise it on: `printing` says what then."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
