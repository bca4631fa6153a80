"""`sessionproof bench`: its options."""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.guard import Guard
from harness.cli.loading import loading
from harness.cli.options import output_option, system_options
from harness.errors import EnvironmentMissing

__all__ = ["bench"]


@click.command()
@system_options()
@output_option("Where bench.json goes [a new folder in reports/runs, or in sessionproof-runs].")
@click.option("--full", "full_length", is_flag=True, help="Tools of 2.4 s instead of 0.24 s, and narrower intervals.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["headline", "latency", "pools", "curves", "costs"]),
    help="Only this section; may be given several times [all].",
)
@click.option("--save", metavar="NAME", help="Keep this run as a baseline, in reports/baselines.")
@click.option("--compare", metavar="NAME", help="Compare with a baseline; what became worse ends with status 1.")
@click.option("--fail-on", default="ratio>1.10", metavar="GATE", help="What is worse than a baseline [ratio>1.10].")
@click.pass_context
def bench(
    context: click.Context,
    /,
    *,
    debug: bool,
    full_length: bool,
    only: tuple[str, ...],
    save: str | None,
    compare: str | None,
    fail_on: str,
    **options: Any,
) -> None:
    """Measure what tools gain by running together, and what each repair costs."""
    with Guard(context, debug=debug):
        _need_scipy()
        with loading():
            from harness.bench.change import Gate
            from harness.cli.terminal import console
            from harness.command import bench as command
            from harness.command.measuring import Section
            from harness.command.verify import default_directory
            from harness.config import resolve

        config = resolve({**options, "full_length": full_length or None})
        call = command.Benchmark(
            config=config,
            directory=config.output or default_directory(Path.cwd()),
            console=console(),
            errors=console(stderr=True),
            command=shlex.join(["sessionproof", *sys.argv[1:]]),
            sections=frozenset(map(Section, only)) or frozenset(Section),
            save=save,
            compare=compare,
            gate=Gate.parse(fail_on),
        )
        context.exit(command.bench(call))


def _need_scipy() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise EnvironmentMissing(
            "sessionproof bench needs scipy for its intervals, and it is not installed; "
            "install the extra: pip install 'sessionproof[bench]'"
        )
