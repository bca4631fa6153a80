"""`sessionproof reproduce`: its options, and its statuses while git bisects."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard, tell
from harness.cli.loading import UnreadableSettingsError, loading
from harness.cli.options import cell_options, finding_option
from harness.scenario import SessionMode
from harness.verdict import FindingKind

__all__ = ["reproduce"]

_SKIPS = 125
"""The exit status that tells `git bisect run` that a revision cannot be tested."""
_ENDS = 128
"""The lowest exit status by which `git bisect run` ends."""
_OF_ERRORS = frozenset({2, 3})
"""The statuses of errors, which git takes for a bad revision."""


class _EndOfBisection(click.UsageError):
    """Wrong usage, with a status by which `git bisect run` ends."""

    exit_code = _ENDS


class _Bisectable(click.Command):
    """A command whose wrong options end a bisection, which takes click's status for a bad revision."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does."""
        bisecting = "--bisect" in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if bisecting:
                raise _EndOfBisection(error.message, error.ctx) from error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; but whatever goes wrong while bisecting has a status that is not click's or Python's 1."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as ended:
            if ctx.params["bisect"] and ended.exit_code in _OF_ERRORS:  # not even that could be printed
                ctx.exit(_ENDS)
            raise
        except Exception as error:
            if not ctx.params["bisect"]:
                raise
            raise _EndOfBisection(f"{type(error).__name__}: {error}", ctx) from error


@contextlib.contextmanager
def _skipping(context: click.Context) -> Iterator[None]:
    """While bisecting, a revision whose settings keep modules from being loaded is skipped: another may do better."""
    try:
        yield
    except UnreadableSettingsError as error:
        if not context.params["bisect"]:
            raise
        tell(str(error))
        context.exit(_SKIPS)


@click.command(cls=_Bisectable)
@click.option("--bisect", is_flag=True, help="Exit as `git bisect run` wants it: 0 good, 1 bad, 125 skip, 128 end.")
@finding_option()
@cell_options(
    backend="Your application's adapter [the reference backend].",
    output="Where the report goes [as for verify; with --bisect it is not kept].",
)
@click.pass_context
def reproduce(
    context: click.Context,
    /,
    *,
    bisect: bool,
    findings: tuple[str, ...],
    debug: bool,
    workers: int | None,
    full_length: bool,
    modes: tuple[str, ...],
    **options: Any,
) -> None:
    """Show the bug in the sources as they lie there: 0 if it shows, 1 if it does not, 3 if that is not known."""
    with Guard(context, debug=debug):
        with _skipping(context), loading(plugins=False):
            from harness.cli.terminal import console
            from harness.command import reproduce as command
            from harness.command.child import PYTEST
            from harness.report.showing import WITNESSES

        call = command.Reproducing(
            options={**options, "full_length": full_length or None},
            directory=Path.cwd(),
            console=console(),
            errors=console(stderr=True),
            given=os.environ,
            bisect=bisect,
            modes=tuple(map(SessionMode, modes)),
            bug=frozenset(map(FindingKind, findings)) or WITNESSES,
            workers=workers,
            debug=debug,
            program=context.obj or PYTEST,
        )
        context.exit(command.reproduce(call))
