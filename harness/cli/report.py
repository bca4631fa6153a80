"""`sessionproof report`: its options."""

import os
from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import debug_option
from harness.cli.streams import write

__all__ = ["report"]


@click.command()
@click.argument("documents", nargs=-1, required=True, metavar="RUN.json [OTHER.json]", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    help="terminal, markdown, html, junit, json, sarif, trace or github; of a benchmark also charts [terminal].",
)
@click.option("--output", metavar="FILE|DIR", help="Where the report goes [standard output].")
@click.option("--cell", "cells", multiple=True, metavar="NAME", help="Only this cell: SCENARIO/MODE-POOL-TIER.")
@click.option("--turn", metavar="TURN", help="Only this turn of it, by number or id, for --format trace.")
@click.option("--root", metavar="DIR", help="Where the sources are, for sarif and github [where it ran].")
@debug_option()
@click.pass_context
def report(
    context: click.Context, /, *, documents: tuple[Path, ...], formats: tuple[str, ...], debug: bool, **options: Any
) -> None:
    """Make any report again from its document, or say what changed between two runs."""
    with Guard(context, debug=debug):
        with loading(plugins=False):
            from harness.cli.terminal import console
            from harness.command import report as command

        call = command.Rendering(
            documents=documents,
            console=console(),
            errors=console(stderr=True),
            environment=os.environ,
            write=write,
            formats=formats or ("terminal",),
            **options,
        )
        context.exit(command.report(call))
