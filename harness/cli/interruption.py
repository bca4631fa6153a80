"""How a command ends by a signal before its own answer to signals is there.

While modules are imported a signal is noted, and not raised: who knows what they would make of it.
"""

import contextlib
import signal
from collections.abc import Iterator
from typing import NoReturn

import click

from harness.cli.streams import NotPrinted, write
from harness.command.signals import signals_noted

__all__ = ["end_interrupted", "importing"]

_INTERRUPTED = 128


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """A time for imports, at whose end the command ends if a signal came."""
    with signals_noted() as received:
        yield
    for number in received:
        end_interrupted(number)


def end_interrupted(number: signal.Signals) -> NoReturn:
    """Say that a signal ended the command, and end it."""
    with contextlib.suppress(NotPrinted):
        write(f"interrupted by {number.name}; nothing was left running\n", error=True)
    raise click.exceptions.Exit(_INTERRUPTED + number)
