"""`sessionproof prove`: its options."""

import os
from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import cell_options, finding_option
from harness.cli.streams import write
from harness.scenario import SessionMode
from harness.verdict import FindingKind

__all__ = ["prove"]


@click.command()
@click.option("--before", required=True, metavar="REV", help="The revision in which the bug shows.")
@click.option("--after", required=True, metavar="REV", help="The revision in which it does not.")
@click.option(
    "--adapter-from",
    default="own",
    metavar="own|before|after|worktree|FILE",
    help="Whose adapter starts both revisions [each its own; that of --after, if --before has none].",
)
@finding_option()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    help="What is printed [terminal].",
)
@cell_options(
    backend="Your application's adapter [`backend` in [tool.sessionproof]; there has to be one].",
    output="Where the proof goes [a new folder among the system's temporary files].",
)
@click.pass_context
def prove(
    context: click.Context,
    /,
    *,
    before: str,
    after: str,
    adapter_from: str,
    findings: tuple[str, ...],
    format_: str,
    debug: bool,
    workers: int | None,
    full_length: bool,
    modes: tuple[str, ...],
    **options: Any,
) -> None:
    """Prove that a bug shows at one git revision, and not at another; your work tree is not touched."""
    with Guard(context, debug=debug):
        with loading(plugins=False):
            from harness.cli.terminal import console
            from harness.command import prove as command
            from harness.command.child import PYTEST
            from harness.config import resolve
            from harness.report.showing import WITNESSES

        config = resolve({**options, "full_length": full_length or None})
        call = command.Proving(
            config=config,
            before=before,
            after=after,
            adapter_from=adapter_from,
            bug=frozenset(map(FindingKind, findings)) or WITNESSES,
            format=format_,
            directory=Path.cwd(),
            output=config.output,
            console=console(),
            errors=console(stderr=True),
            given=os.environ,
            write=write,
            modes=tuple(map(SessionMode, modes)),
            workers=workers,
            debug=debug,
            program=context.obj or PYTEST,
        )
        context.exit(command.prove(call))
