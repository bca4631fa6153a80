"""How a command ends by a signal before its own answer to signals is there."""

import contextlib
import signal
from typing import NoReturn

import click

from harness.cli.streams import NotPrinted, write

__all__ = ["end_interrupted"]

_INTERRUPTED = 128


def end_interrupted(number: signal.Signals) -> NoReturn:
    """Say that a signal ended the command, and end it."""
    with contextlib.suppress(NotPrinted):
        write(f"interrupted by {number.name}; nothing was left running\n", error=True)
    raise click.exceptions.Exit(_INTERRUPTED + number)
