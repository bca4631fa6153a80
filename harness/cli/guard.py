"""What goes wrong by no fault of the program's: one message, and an exit status that says whose fault it is."""

import contextlib
import os

import click

from harness.errors import SessionproofError, UsageError

__all__ = ["Guard", "tell"]

_USAGE = 2
_ENVIRONMENT = 3


class Guard:
    """Turns errors of the tree, and of the system, into a message and the end of the command; unless it is debugged."""

    def __init__(self, context: click.Context, /, *, debug: bool) -> None:
        self._context = context
        self._debug = debug

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SessionproofError | OSError) and not self._debug:
            tell(str(error))
            self._context.exit(_USAGE if isinstance(error, UsageError) else _ENVIRONMENT)


def tell(said: str) -> None:
    """Print the message of an error; if nobody can be told, the exit status says it."""
    from rich.text import Text

    from harness.cli.streams import NotPrinted
    from harness.cli.terminal import console
    from harness.command.workflow import commands_stopped
    from harness.masking import masker
    from harness.report.text import block

    errors = console(stderr=True)
    message = Text.assemble(("error: ", "bold red"), block(masker()(said)))
    with contextlib.suppress(NotPrinted), commands_stopped(os.environ, console=errors):
        errors.print(message, soft_wrap=True)
