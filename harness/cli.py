"""The command `sessionproof`: options in, text and an exit status out.

What the options mean is in `harness.config`, what is done in `harness.command`. Every error that a user can
cause or that a machine can have ends in one message on standard error, without a traceback unless `--debug`
is given.

Exit statuses: 0 as expected; 1 findings, or an expected finding not seen; 2 wrong usage or configuration; 3
evidence is missing; 128 and the signal's number if interrupted.
"""

import asyncio
import contextlib
import copy
import errno
import importlib.util
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.text import Text

from harness import __version__
from harness.command.child import PYTEST, signals_noted
from harness.command.github import commands_stopped
from harness.command.verify import ENVIRONMENT, INTERRUPTED, USAGE, Verification, default_directory, default_workers
from harness.command.verify import verify as run_verification
from harness.config import resolve
from harness.errors import ConfigurationError, EnvironmentMissing, SessionproofError, UsageError
from harness.postgres.server import ServerAddress
from harness.report.redact import masker
from harness.report.showing import WITNESSES
from harness.report.text import block
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.verdict import FindingKind

__all__ = ["bench", "check_backend", "doctor", "init", "main", "prove", "report", "reproduce", "scan", "verify"]

_BROKEN_PIPE = 141
"""The exit status of what SIGPIPE ended: 128 and its number."""
_BISECTION_ENDS = 128
"""The lowest exit status by which `git bisect run` ends."""
_OF_CELLS = frozenset(
    {
        "backend",
        "postgres",
        "image",
        "debug",
        "modes",
        "pool_states",
        "scenarios",
        "scenario_file",
        "tiers",
        "output",
        "workers",
        "full_length",
        "turn_timeout",
    }
)
"""The options of `verify` that `prove` and `reproduce` have, too."""
_TEXTS = {
    "modes": "Only this session mode [the one in which the backend says that it is right].",
    "scenarios": "Only this scenario, or a pattern: 'ledger*' [those in which shared sessions show].",
    "tiers": "Only this model tier [scripted].",
}
"""What `prove` and `reproduce` say of these, because without a value they do something else than `verify`."""
_TEXTS_OF = {
    "prove": {
        "backend": "Your application's adapter [`backend` in [tool.sessionproof]; there has to be one].",
        "output": "Where the proof goes [a new folder among the system's temporary files].",
    },
    "reproduce": {
        "backend": "Your application's adapter [the reference backend].",
        "output": "Where the report goes [as for verify; with --bisect it is not kept].",
    },
}
_PROVIDERS = ("auto", "container", "embedded")
_F = TypeVar("_F", bound=Callable[..., Any])


class _PostgresType(click.ParamType[str]):
    name = "auto|container|embedded|URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in _PROVIDERS:
            return value
        complaint = _complaint(value)
        return self.fail(complaint, param, ctx) if complaint else value


def _complaint(value: str) -> str:
    """What is wrong with a value that should be a URL, without its password; empty if nothing."""
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


def _system_options(command: _F) -> _F:
    """The options that say what is verified, on which server."""
    options = (
        click.option("--backend", metavar="MODULE:ATTRIBUTE", help="The backend to verify [the reference backend]."),
        click.option("--postgres", type=_PostgresType(), help="Where PostgreSQL comes from [auto]."),
        click.option("--image", help="The container's image."),
        click.option("--debug", is_flag=True, help="Show pytest's output, and tracebacks."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sessionproof", message="%(prog)s %(version)s")
def main() -> None:
    """Prove that agent tools running in parallel share no database session; expose it when they do."""


@main.command()
@_system_options
@click.option(
    "--mode",
    "modes",
    multiple=True,
    type=click.Choice(list(map(str, SessionMode))),
    help="Only this session mode.",
)
@click.option(
    "--pool-state",
    "pool_states",
    multiple=True,
    type=click.Choice(list(map(str, PoolState))),
    help="Only this pool state.",
)
@click.option(
    "--scenario", "scenarios", multiple=True, metavar="NAME", help="Only this scenario, or a pattern: 'ledger*'."
)
@click.option(
    "--scenario-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Only the scenario in this JSON file.",
)
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice(list(map(str, ModelTier))),
    help="Only this model tier [scripted, wire, recorded].",
)
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
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the report goes [a new folder in reports/runs, or in sessionproof-runs].",
)
@click.option(
    "-n",
    "workers",
    type=click.IntRange(0, 64),
    metavar="N",
    help="Worker processes [the CPUs and one, at most 4; fewer for a few cells].",
)
@click.option("--full-length", is_flag=True, help="Tools of 2.4 s instead of 0.24 s.")
@click.option(
    "--turn-timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="How long one turn may take [30].",
)
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
    with _Guard(context, debug=debug):
        config = resolve({**options, "full_length": full_length or None, "recorded_timing": recorded_timing or None})
        call = Verification(
            config=config,
            directory=config.output or default_directory(Path.cwd()),
            console=_console(),
            errors=_console(stderr=True),
            workers=default_workers(config) if workers is None else workers,
            debug=debug,
            program=_program(context),
        )
        context.exit(run_verification(call))


@main.command()
@_system_options
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where bench.json goes [a new folder in reports/runs, or in sessionproof-runs].",
)
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
    with _Guard(context, debug=debug):
        if importlib.util.find_spec("scipy") is None:
            raise EnvironmentMissing(
                "sessionproof bench needs scipy for its intervals, and it is not installed; "
                "install the extra: pip install 'sessionproof[bench]'"
            )
        from harness.bench.change import Gate  # noqa: PLC0415  # slow, and for this command only
        from harness.command.bench import Benchmark  # noqa: PLC0415  # the same
        from harness.command.bench import bench as run_benchmark  # noqa: PLC0415  # the same
        from harness.command.measuring import Section  # noqa: PLC0415  # the same

        config = resolve({**options, "full_length": full_length or None})
        call = Benchmark(
            config=config,
            directory=config.output or default_directory(Path.cwd()),
            console=_console(),
            errors=_console(stderr=True),
            command=shlex.join(["sessionproof", *sys.argv[1:]]),
            sections=frozenset(map(Section, only)) or frozenset(Section),
            save=save,
            compare=compare,
            gate=Gate.parse(fail_on),
        )
        context.exit(run_benchmark(call))


@main.command()
@_system_options
@click.pass_context
def doctor(context: click.Context, /, *, debug: bool, **options: Any) -> None:
    """Say what is on this machine, what a run would use, what is missing, and how to get it."""
    from harness.command import doctor as examination  # noqa: PLC0415  # slow, and for this command only
    from harness.postgres.choose import probe  # noqa: PLC0415  # the same

    with _Guard(context, debug=debug):
        config = resolve(options)
        findings = examination.examine(config, asyncio.run(probe(image=config.image)), directory=Path.cwd())
        examination.show(config, findings, _console())
        context.exit(0 if examination.could_verify(findings) else ENVIRONMENT)


@main.command()
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
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def report(
    context: click.Context, /, *, documents: tuple[Path, ...], formats: tuple[str, ...], debug: bool, **options: Any
) -> None:
    """Make any report again from its document, or say what changed between two runs."""
    from harness.command.report import Rendering  # noqa: PLC0415  # slow, and for this command only
    from harness.command.report import report as render  # noqa: PLC0415  # the same

    with _Guard(context, debug=debug):
        call = Rendering(
            documents=documents,
            console=_console(),
            errors=_console(stderr=True),
            environment=os.environ,
            write=_write,
            formats=formats or ("terminal",),
            **options,
        )
        context.exit(render(call))


@main.command("check-backend")
@click.argument("backend", metavar="MODULE:ATTRIBUTE")
@click.option("--postgres", type=_PostgresType(), help="Where PostgreSQL comes from [auto].")
@click.option("--image", help="The container's image.")
@click.option(
    "--turn-timeout",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    metavar="SECONDS",
    help="How long each call into the backend may take [20].",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How it is told [text].")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def check_backend(context: click.Context, /, *, debug: bool, form: Literal["text", "json"], **options: Any) -> None:
    """Say which part of the protocol a backend violates, and what to change."""
    with _Guard(context, debug=debug):
        from harness.command import check_backend as command  # noqa: PLC0415  # slow, and for this command only

        call = command.Checking(config=resolve(options), console=_console(), write=_write, form=form, debug=debug)
        context.exit(command.check(call))


@main.command()
@click.argument("directory", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where it goes [verification.py].")
@click.option("--dry-run", is_flag=True, help="Print the adapter instead of writing it.")
@click.option("--agent", default="", metavar="NAME", help="The agent, if there are several.")
@click.option("--session-factory", default="", metavar="NAME", help="The sessionmaker, or what makes one.")
@click.option("--deps", default="", metavar="NAME", help="The class of the agent's deps [its deps_type].")
@click.option("--ledger", default="", metavar="NAME", help="The table with the bills.")
@click.option("--app", default="", metavar="NAME", help="The FastAPI application, or what makes one.")
@click.option("--entry", default="", metavar="NAME", help="The route, or the function, that a message goes to.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def init(
    context: click.Context, /, *, directory: Path, output: Path | None, dry_run: bool, debug: bool, **wanted: str
) -> None:
    """Write an adapter for the project in DIRECTORY, from its sources; nothing of it is run."""
    from harness.adoption.choice import Wanted  # noqa: PLC0415  # slow, and for this command only
    from harness.command.init import Initiation, asking  # noqa: PLC0415  # the same
    from harness.command.init import init as write_adapter  # noqa: PLC0415  # the same

    with _Guard(context, debug=debug):
        call = Initiation(
            directory=directory,
            wanted=Wanted(**wanted),
            output=output,
            dry_run=dry_run,
            console=_console(),
            errors=_console(stderr=True),
            ask=asking(),
            write=_write,
        )
        context.exit(write_adapter(call))


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("--format", "name", default="text", metavar="NAME", help="text, json, sarif or github [text].")
@click.option("--output", metavar="FILE", help="Where the report goes [standard output].")
@click.option("--select", multiple=True, metavar="CODES", help="Only these codes, such as SP101,SP2.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Not these codes.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def scan(context: click.Context, /, *, paths: tuple[str, ...], name: str, debug: bool, **options: Any) -> None:
    """Find sessions that parallel tools or tasks share, in source that is not run."""
    from harness.command.scan import Scan, paths_of, run_scan  # noqa: PLC0415  # slow, and for this command only

    with _Guard(context, debug=debug):
        call = Scan(
            paths=paths_of(paths),
            console=_console(),
            environment=os.environ,
            write=_write,
            folder=Path.cwd(),
            format=name,
            **options,
        )
        context.exit(run_scan(call))


class _EndOfBisection(click.UsageError):
    """Wrong usage, with a status by which `git bisect run` ends."""

    exit_code = _BISECTION_ENDS


class _Interruptible(click.Command):
    """A command whose status says that it was interrupted, also before its own answer to signals is there.

    While modules are imported a signal is noted, and not raised: who knows what they would make of it.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, which has status 1 for an interruption: here that is an answer."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return _interrupted(ctx, signal.SIGINT)


def _interrupted(context: click.Context, number: signal.Signals) -> NoReturn:
    with contextlib.suppress(_NotPrinted):
        _console(stderr=True).print(Text(f"interrupted by {number.name}; nothing was left running"), soft_wrap=True)
    context.exit(INTERRUPTED + number)


@contextlib.contextmanager
def _importing(context: click.Context) -> Iterator[None]:
    """A time for imports, at whose end the command ends if a signal came."""
    with signals_noted() as received:
        yield
    for number in received:
        _interrupted(context, number)


class _Bisectable(_Interruptible):
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
            if ctx.params["bisect"] and ended.exit_code in {USAGE, ENVIRONMENT}:  # not even that could be printed
                ctx.exit(_BISECTION_ENDS)
            raise
        except Exception as error:
            if not ctx.params["bisect"]:
                raise
            raise _EndOfBisection(f"{type(error).__name__}: {error}", ctx) from error


def _with_cells_of_verify(command: click.Command) -> click.Command:
    """The command with the options that choose cells, as `verify` has them, but for what they are without a value."""
    texts = _TEXTS | _TEXTS_OF.get(str(command.name), {})
    for option in verify.params:
        if isinstance(option, click.Option) and option.name in _OF_CELLS:
            own = copy.copy(option)
            own.help = texts.get(str(option.name), option.help)
            command.params.append(own)
    return command


_finding_option = click.option(
    "--finding",
    "findings",
    multiple=True,
    type=click.Choice(list(map(str, FindingKind))),
    metavar="KIND",
    help="A finding by which the bug is known; may be given several times [what only shared sessions give].",
)


@_with_cells_of_verify
@main.command(cls=_Interruptible)
@click.option("--before", required=True, metavar="REV", help="The revision in which the bug shows.")
@click.option("--after", required=True, metavar="REV", help="The revision in which it does not.")
@click.option(
    "--adapter-from",
    default="own",
    metavar="own|before|after|worktree|FILE",
    help="Whose adapter starts both revisions [each its own; that of --after, if --before has none].",
)
@_finding_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    help="What is printed [terminal].",
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
    with _Guard(context, debug=debug):
        with _importing(context):
            from harness.command.prove import Proving  # noqa: PLC0415  # slow, and for this command only
            from harness.command.prove import prove as run_proof  # noqa: PLC0415  # the same

        config = resolve({**options, "full_length": full_length or None})
        call = Proving(
            config=config,
            before=before,
            after=after,
            adapter_from=adapter_from,
            bug=frozenset(map(FindingKind, findings)) or WITNESSES,
            format=format_,
            directory=Path.cwd(),
            output=config.output,
            console=_console(),
            errors=_console(stderr=True),
            given=os.environ,
            write=_write,
            modes=tuple(map(SessionMode, modes)),
            workers=workers,
            debug=debug,
            program=_program(context),
        )
        context.exit(run_proof(call))


@_with_cells_of_verify
@main.command(cls=_Bisectable)
@click.option("--bisect", is_flag=True, help="Exit as `git bisect run` wants it: 0 good, 1 bad, 125 skip, 128 end.")
@_finding_option
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
    with _Guard(context, debug=debug):
        with _importing(context):
            from harness.command.reproduce import Reproducing  # noqa: PLC0415  # slow, and for this command only
            from harness.command.reproduce import reproduce as run_reproduction  # noqa: PLC0415  # the same

        call = Reproducing(
            options={**options, "full_length": full_length or None},
            directory=Path.cwd(),
            console=_console(),
            errors=_console(stderr=True),
            given=os.environ,
            bisect=bisect,
            modes=tuple(map(SessionMode, modes)),
            bug=frozenset(map(FindingKind, findings)) or WITNESSES,
            workers=workers,
            debug=debug,
            program=_program(context),
        )
        context.exit(run_reproduction(call))


class _Guard:
    """Turns errors that are no fault of the program into one message and an exit status."""

    def __init__(self, context: click.Context, /, *, debug: bool) -> None:
        self._context = context
        self._debug = debug

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SessionproofError | OSError) and not self._debug:
            console = _console(stderr=True)
            message = Text.assemble(("error: ", "bold red"), block(masker()(str(error))))
            with contextlib.suppress(_NotPrinted), commands_stopped(os.environ, console=console):
                console.print(message, soft_wrap=True)  # if nobody can be told, the exit status says it
            self._context.exit(USAGE if isinstance(error, UsageError) else ENVIRONMENT)


def _program(context: click.Context) -> Sequence[str]:
    """What is started to run the suite: pytest, unless the caller of `main` gave something else as `obj`."""
    return context.obj or PYTEST


def _console(*, stderr: bool = False) -> Console:
    """A console that shows what its encoding cannot as escapes; 120 columns wide without a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return _Printed(stderr=stderr, highlight=False, width=None if stream.isatty() else 120)


class _NotPrinted(EnvironmentMissing):
    """What was found could not be printed."""


class _Printed(Console):
    """A console that tells what cannot be printed from what goes wrong elsewhere."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, as `_printing` says."""
        with _printing(self.file):
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Raise it on: `_printing` says what then."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _write(text: str) -> None:
    """Print a text as it is, in UTF-8."""
    with _printing(sys.stdout):
        click.echo(text.encode(), nl=False)


@contextlib.contextmanager
def _printing(stream: IO[str]) -> Iterator[None]:
    """End as other programs do if whoever reads the stream has gone: that says nothing of what was found.

    Raises:
        EnvironmentMissing: it cannot be written to for another reason.
    """
    try:
        yield
    except OSError as error:
        _drop(stream)
        if isinstance(error, BrokenPipeError):
            raise SystemExit(_BROKEN_PIPE) from None
        full = error.errno == errno.ENOSPC
        said = "there is no space for the output: make room" if full else f"nothing can be printed: {error.strerror}"
        raise _NotPrinted(f"{said}, or let it go somewhere else") from error


def _drop(stream: IO[str]) -> None:
    """Let go what could not be printed: Python would try again at its end, and exit with a status of its own."""
    with contextlib.suppress(OSError, ValueError):  # what has no descriptor is not tried again
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    main()
