"""`sessionproof check-backend`: its options."""

from typing import Any, Literal

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import debug_option, server_options
from harness.cli.streams import write

__all__ = ["check_backend"]


@click.command("check-backend")
@click.argument("backend", metavar="MODULE:ATTRIBUTE")
@server_options()
@click.option(
    "--turn-timeout",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    metavar="SECONDS",
    help="How long each call into the backend may take [20].",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How it is told [text].")
@debug_option()
@click.pass_context
def check_backend(context: click.Context, /, *, debug: bool, form: Literal["text", "json"], **options: Any) -> None:
    """Say which part of the protocol a backend violates, and what to change."""
    with Guard(context, debug=debug):
        with loading():
            from harness.cli.terminal import console
            from harness.command import check_backend as command
            from harness.config import resolve

        call = command.Checking(config=resolve(options), console=console(), write=write, form=form, debug=debug)
        context.exit(command.check(call))
