"""`sessionproof verify`: its options."""

from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import choice_options, run_options, system_options

__all__ = ["verify"]


@click.command()
@system_options()
@choice_options()
@click.option("--model", metavar="NAME", help="The model of --tier live, such as openai:gpt-5-mini.")
@click.option("--base-url", metavar="URL", help="Where that model is, if not at its provider's.")
@click.option("--budget", metavar="USD", help="How much all requests of --tier live may cost.")
@click.option(
    "--price",
    metavar="IN,OUT",
    help="US dollars for a million tokens of prompts and answers, in place of the public price.",
)
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Record what the model of --tier local or live answers.",
)
@click.option(
    "--cassettes",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Replay what was recorded there, by --tier recorded.",
)
@click.option("--recorded-timing", is_flag=True, help="Let recorded answers take as long as they took.")
@run_options()
@click.pass_context
def verify(
    context: click.Context,
    /,
    *,
    debug: bool,
    workers: int | None,
    full_length: bool,
    recorded_timing: bool,
    **options: Any,
) -> None:
    """Run the verification suite; --mode, --pool-state, --scenario and --tier can be repeated."""
    with Guard(context, debug=debug):
        with loading(plugins=False):
            from harness.cli.terminal import console
            from harness.command import verify as command
            from harness.command.child import PYTEST
            from harness.config import resolve

        config = resolve({**options, "full_length": full_length or None, "recorded_timing": recorded_timing or None})
        call = command.Verification(
            config=config,
            directory=config.output or command.default_directory(Path.cwd()),
            console=console(),
            errors=console(stderr=True),
            workers=command.default_workers(config) if workers is None else workers,
            debug=debug,
            program=context.obj or PYTEST,
        )
        context.exit(command.verify(call))
