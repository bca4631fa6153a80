"""`sessionproof scan`: its options."""

import os
from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import debug_option
from harness.cli.streams import write

__all__ = ["scan"]


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("--format", "name", default="text", metavar="NAME", help="text, json, sarif or github [text].")
@click.option("--output", metavar="FILE", help="Where the report goes [standard output].")
@click.option("--select", multiple=True, metavar="CODES", help="Only these codes, such as SP101,SP2.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Not these codes.")
@debug_option()
@click.pass_context
def scan(context: click.Context, /, *, paths: tuple[str, ...], name: str, debug: bool, **options: Any) -> None:
    """Find sessions that parallel tools or tasks share, in source that is not run."""
    with Guard(context, debug=debug):
        with loading(plugins=False):
            from harness.cli.terminal import console
            from harness.command import scan as command

        call = command.Scan(
            paths=command.paths_of(paths),
            console=console(),
            environment=os.environ,
            write=write,
            folder=Path.cwd(),
            format=name,
            **options,
        )
        context.exit(command.run_scan(call))
