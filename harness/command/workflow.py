"""A step of a GitHub Actions job: whether this is one, and text that must be no command of GitHub's.

Problem: GitHub takes every line that begins with `::`, after blanks, for a command, and `##[…]` anywhere in a line.

Mechanism: commands are stopped by a token that nobody can guess, until the text is out. Where standard output is a
file, GitHub reads none of it, and it is left as it is.

Guarantee: light, because an error that keeps the command from starting is told by it, too.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.text import Text

__all__ = ["commands_stopped", "is_github", "workspace"]


def is_github(environment: Mapping[str, str]) -> bool:
    """Whether this is a step of a GitHub Actions job."""
    return environment.get("GITHUB_ACTIONS") == "true"


def workspace(environment: Mapping[str, str]) -> str:
    """Where the job has its sources; empty if nobody says so."""
    return environment.get("GITHUB_WORKSPACE", "")


@contextmanager
def commands_stopped(environment: Mapping[str, str], *, console: Console) -> Iterator[None]:
    """What is printed meanwhile is no command, whatever it is; elsewhere nothing."""
    if not is_github(environment) or _is_file(console.file):
        yield
        return
    token = secrets.token_hex(16)
    console.print(Text(f"::stop-commands::{token}"), soft_wrap=True)
    console.file.flush()  # before anything that standard error does not keep back
    try:
        yield
    finally:
        console.print(Text(f"::{token}::"), soft_wrap=True)


def _is_file(stream: IO[str]) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # a stream without a descriptor
        return False
