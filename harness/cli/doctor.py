"""`sessionproof doctor`: its options."""

from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import system_options

__all__ = ["doctor"]


@click.command()
@system_options()
@click.pass_context
def doctor(context: click.Context, /, *, debug: bool, **options: Any) -> None:
    """Say what is on this machine, what a run would use, what is missing, and how to get it."""
    with Guard(context, debug=debug):
        with loading():
            import asyncio

            from harness.cli.terminal import console
            from harness.command import doctor as examination
            from harness.command.verify import ENVIRONMENT
            from harness.config import resolve
            from harness.postgres.choose import probe

        config = resolve(options)
        findings = examination.examine(config, asyncio.run(probe(image=config.image)), directory=Path.cwd())
        examination.show(config, findings, console())
        context.exit(0 if examination.could_verify(findings) else ENVIRONMENT)
