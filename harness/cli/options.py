"""Options that several commands have, each with what it says where it means something else without a value."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from harness.errors import ConfigurationError
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.verdict import FindingKind

__all__ = [
    "cell_options",
    "choice_options",
    "debug_option",
    "finding_option",
    "output_option",
    "run_options",
    "server_options",
    "system_options",
]

F = TypeVar("F", bound=Callable[..., Any])
_PROVIDERS = ("auto", "container", "embedded")
_PLACES = "AUTO|CONTAINER|EMBEDDED|URL"


def _postgres(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """The value, if it says where PostgreSQL comes from."""
    if value is None or value in _PROVIDERS:
        return value
    if complaint := _complaint(value):
        raise click.BadParameter(complaint)
    return value


def _complaint(value: str) -> str:
    """What is wrong with a value that should be a URL, without its password; empty if nothing."""
    from harness.postgres.server import ServerAddress

    if "://" not in value:
        return (
            f"{value!r} is not one of {', '.join(_PROVIDERS)}, "
            "or a URL such as postgresql://user:password@host:5432/postgres"
        )
    try:
        _ = urlsplit(value).port
        ServerAddress.from_url(value)
    except ConfigurationError as error:
        return str(error)
    except ValueError:  # its message quotes what follows a colon: with a bare '/' in the password, a part of that
        return "the database URL cannot be read: write '/', '?' and '#' in a password as %2F, %3F and %23"
    return ""


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """The options as one, in the order in which help shows them."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def debug_option(text: str = "Show tracebacks.") -> Callable[[F], F]:
    """Whether errors are shown as Python shows them."""
    return click.option("--debug", is_flag=True, help=text)


def server_options() -> Callable[[F], F]:
    """On which server it is done."""
    return _together(
        click.option("--postgres", metavar=_PLACES, callback=_postgres, help="Where PostgreSQL comes from [auto]."),
        click.option("--image", help="The container's image."),
    )


def system_options(backend: str = "The backend to verify [the reference backend].") -> Callable[[F], F]:
    """What is verified, and on which server."""
    return _together(
        click.option("--backend", metavar="MODULE:ATTRIBUTE", help=backend),
        server_options(),
        debug_option("Show pytest's output, and tracebacks."),
    )


def choice_options(
    *,
    mode: str = "Only this session mode.",
    scenario: str = "Only this scenario, or a pattern: 'ledger*'.",
    tier: str = "Only this model tier [scripted, wire, recorded].",
) -> Callable[[F], F]:
    """Which cells are run."""
    return _together(
        click.option("--mode", "modes", multiple=True, type=_one_of(SessionMode), help=mode),
        click.option(
            "--pool-state", "pool_states", multiple=True, type=_one_of(PoolState), help="Only this pool state."
        ),
        click.option("--scenario", "scenarios", multiple=True, metavar="NAME", help=scenario),
        click.option(
            "--scenario-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Only the scenario in this JSON file.",
        ),
        click.option("--tier", "tiers", multiple=True, type=_one_of(ModelTier), help=tier),
    )


def run_options(
    output: str = "Where the report goes [a new folder in reports/runs, or in sessionproof-runs].",
) -> Callable[[F], F]:
    """How cells are run, and where what came of them is written."""
    return _together(
        output_option(output),
        click.option(
            "-n",
            "workers",
            type=click.IntRange(0, 64),
            metavar="N",
            help="Worker processes [the CPUs and one, at most 4; fewer for a few cells].",
        ),
        click.option("--full-length", is_flag=True, help="Tools of 2.4 s instead of 0.24 s."),
        click.option(
            "--turn-timeout",
            type=click.FloatRange(0, min_open=True),
            metavar="SECONDS",
            help="How long one turn may take [30].",
        ),
    )


def output_option(text: str) -> Callable[[F], F]:
    """The folder in which what came of it is written."""
    return click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help=text)


def cell_options(*, backend: str, output: str) -> Callable[[F], F]:
    """The cells of a state of the sources: the options of `verify`, which mean something else without a value."""
    return _together(
        system_options(backend),
        choice_options(
            mode="Only this session mode [the one in which the backend says that it is right].",
            scenario="Only this scenario, or a pattern: 'ledger*' [those in which shared sessions show].",
            tier="Only this model tier [scripted].",
        ),
        run_options(output),
    )


def finding_option() -> Callable[[F], F]:
    """By which findings a bug is known."""
    return click.option(
        "--finding",
        "findings",
        multiple=True,
        type=_one_of(FindingKind),
        metavar="KIND",
        help="A finding by which the bug is known; may be given several times [what only shared sessions give].",
    )


def _one_of(values: type[StrEnum]) -> click.Choice[str]:
    return click.Choice(list(map(str, values)))
