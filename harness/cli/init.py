"""`sessionproof init`: its options."""

from pathlib import Path

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import debug_option
from harness.cli.streams import write

__all__ = ["init"]


@click.command()
@click.argument("directory", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where it goes [verification.py].")
@click.option("--dry-run", is_flag=True, help="Print the adapter instead of writing it.")
@click.option("--agent", default="", metavar="NAME", help="The agent, if there are several.")
@click.option("--session-factory", default="", metavar="NAME", help="The sessionmaker, or what makes one.")
@click.option("--deps", default="", metavar="NAME", help="The class of the agent's deps [its deps_type].")
@click.option("--ledger", default="", metavar="NAME", help="The table with the bills.")
@click.option("--app", default="", metavar="NAME", help="The FastAPI application, or what makes one.")
@click.option("--entry", default="", metavar="NAME", help="The route, or the function, that a message goes to.")
@debug_option()
@click.pass_context
def init(
    context: click.Context, /, *, directory: Path, output: Path | None, dry_run: bool, debug: bool, **wanted: str
) -> None:
    """Write an adapter for the project in DIRECTORY, from its sources; nothing of it is run."""
    with Guard(context, debug=debug):
        with loading():
            from harness.adoption.choice import Wanted
            from harness.cli.terminal import console
            from harness.command import init as command

        call = command.Initiation(
            directory=directory,
            wanted=Wanted(**wanted),
            output=output,
            dry_run=dry_run,
            console=console(),
            errors=console(stderr=True),
            ask=command.asking(),
            write=write,
        )
        context.exit(command.init(call))
