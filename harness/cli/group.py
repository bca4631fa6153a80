"""The command itself, of which all others are parts.

Problem: status 1, which click has for an interruption, says that something was found.

Guarantee: whenever SIGINT comes, also while modules are loaded or help is written, the status is 130, and there is no
traceback.
"""

import signal
from typing import Any

import click

from harness.cli.bench import bench
from harness.cli.check_backend import check_backend
from harness.cli.doctor import doctor
from harness.cli.init import init
from harness.cli.interruption import end_interrupted
from harness.cli.prove import prove
from harness.cli.report import report
from harness.cli.reproduce import reproduce
from harness.cli.scan import scan
from harness.cli.streams import open_closed
from harness.cli.verify import verify

__all__ = ["main"]


class _Interruptible(click.Group):
    """A group whose status says that it was interrupted."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does, with streams that can be printed to."""
        try:
            open_closed()
            return super().make_context(info_name, args, parent, **extra)
        except KeyboardInterrupt:
            return end_interrupted(signal.SIGINT)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return end_interrupted(signal.SIGINT)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from harness import __version__

        click.echo(f"sessionproof {__version__}")
        context.exit()


@click.group(cls=_Interruptible, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Prove that agent tools running in parallel share no database session; expose it when they do."""


for _command in (bench, check_backend, doctor, init, prove, report, reproduce, scan, verify):
    main.add_command(_command)
