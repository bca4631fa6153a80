"""`sessionproof bench`: start a server, measure, and report.

Everything runs in this process, because a worker of pytest's would measure its own noise too. `bench.json` is written
after each case, so that what was measured is kept, whatever comes after it.
"""

import asyncio
import re
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from harness.backend import Backend, load_backend
from harness.bench.baseline import Gate, Outcome, compare
from harness.bench.curves import curves as curves_of
from harness.bench.curves import pools
from harness.bench.headline import FULL_SECONDS, QUICK_SECONDS, headline
from harness.bench.interleave import Limits, Progress
from harness.bench.run import Bench, free_connections
from harness.command.child import import_path
from harness.command.comparison import show_comparison
from harness.command.verify import INTERRUPTED
from harness.config import Config
from harness.engine import in_time
from harness.errors import ConfigurationError, UsageError
from harness.postgres.choose import choose
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import BenchDocument, CaseDocument, CurveDocument, read_bench
from harness.report.bench_terminal import show_bench
from harness.report.document import PostgresDocument
from harness.report.environment import describe_environment, describe_machine
from harness.report.redact import masker

__all__ = ["FILE", "Benchmark", "bench"]

FILE = "bench.json"
QUICK = Limits(half_width=0.02, least=10, most=60, seconds=60.0)
FULL = Limits(half_width=0.01, least=8, most=20, seconds=600.0)
_POINT = Limits(half_width=0.1, least=5, most=10, seconds=30.0)
"""For one point of a curve: its shape is what it is there for."""

_Told = Callable[[str, Limits], Progress]
"""Gives what is told of the measurement of a name, with its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One call: what to measure, for how long, where the document goes, and what to show it on.

    `save` and `compare` name baselines: to keep this run as one, and to compare it with one. `headline_only` leaves out
    pools and curves.
    """

    config: Config
    directory: Path
    console: Console
    errors: Console
    command: str
    save: str | None = None
    compare: str | None = None
    headline_only: bool = False
    gate: Gate = field(default_factory=Gate)


def bench(call: Benchmark) -> int:
    """Measure, report, and return the exit status.

    It is 130 if it was interrupted. Else it is 0; or with a baseline 1 if something became worse, and 3 if that cannot
    be told; or without one 3 if an interval of the headline is not as narrow as was asked for.

    Raises:
        ConfigurationError: the backend cannot be loaded, or the folder cannot be written to.
        UsageError: a baseline has no name that a file can have.
        MissingEvidence: there is no such baseline, or it is of another schema version.
        EnvironmentMissing: no server can be started.
        BackendError: the backend does not start.
    """
    with _importable(import_path(call.config, Path.cwd())):
        backend = load_backend(call.config.backend)
        before = read_bench(_baseline(call.compare)) if call.compare is not None else None
        keep = _baseline(call.save) if call.save is not None else None
        _prepare(call.directory)
        try:
            document = asyncio.run(_measure(call, backend))
        except KeyboardInterrupt:
            call.errors.print(
                Text(f"interrupted; what was measured by then is in {call.directory / FILE}, if there was something"),
                soft_wrap=True,
            )
            return INTERRUPTED + signal.SIGINT
    show_bench(document, call.console)
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        keep.write_bytes((call.directory / FILE).read_bytes())
        call.console.print(Text(f"kept as a baseline in {keep}", style="dim"), soft_wrap=True)
    status = 0 if document.cases[0].reached else 3
    if before is not None:
        compared = compare(document, before, call.gate)
        show_comparison(compared, call.console)
        status = {Outcome.WORSE: 1, Outcome.UNDECIDED: 3, Outcome.NOT_WORSE: 0}[compared.outcome]
    call.console.print(Text(f"report in {call.directory}", style="dim"), soft_wrap=True)
    return status


def _baseline(name: str) -> Path:
    """Where a baseline of that name is kept: below `reports`, if there is one, or the runs of `sessionproof`."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) is None:
        raise UsageError(f"a baseline cannot be called {name!r}: use letters, digits, '.', '_' and '-'")
    base = Path("reports") if Path("reports").is_dir() else Path("sessionproof-runs")
    return base / "baselines" / f"{name}.json"


@contextmanager
def _importable(places: list[str]) -> Iterator[None]:
    """Let modules be imported from these places, before all others."""
    before = sys.path[:]
    sys.path[:0] = places
    try:
        yield
    finally:
        sys.path[:] = before


async def _measure(call: Benchmark, backend: Backend) -> BenchDocument:
    started, begun = datetime.now(UTC), perf_counter()
    server = choose(call.config.postgres, image=call.config.image)
    running = await server.start()
    clones = Clones(running, secrets.token_hex(4))
    cases: list[CaseDocument] = []
    curves: list[CurveDocument] = []

    def written() -> BenchDocument:
        document = BenchDocument(
            started_at=started,
            seconds=perf_counter() - begun,
            command=call.command,
            machine=describe_machine(),
            environment=describe_environment(postgres=_postgres(running), backend=call.config.backend),
            cases=tuple(cases),
            curves=tuple(curves),
        )
        text = masker()(document.model_dump_json(indent=1)) + "\n"
        (call.directory / FILE).write_text(text, encoding="utf-8")
        return document

    try:
        prepared = clones.template(backend.name, backend.prepare)
        failure = f"backend {backend.name!r} did not prepare its database"
        template = await in_time(prepared, failure, call.config.turn_timeout)
        bench = Bench(backend=backend, clones=clones, template=template)
        with _progress(call.errors) as told:
            cases.append(await _headline(call, bench, told))
            written()
            if not call.headline_only:
                cases.append(await _pools(call, bench, told))
                written()
                room = await free_connections(running)
                for curve in curves_of(backend, full=call.config.full_length):
                    curves.append(await bench.curve(curve, limits=_POINT, room=room, progress=told))
                    written()
        await clones.drop_all()
    finally:
        await server.stop()
    return written()


async def _headline(call: Benchmark, bench: Bench, told: _Told) -> CaseDocument:
    full = call.config.full_length
    seconds, limits = (FULL_SECONDS, FULL) if full else (QUICK_SECONDS, QUICK)
    return await bench.case(
        "headline",
        f"What do two tools of {seconds:g} s gain by running together, and what does each repair cost?",
        headline(bench.backend, tool_seconds=seconds),
        limits=limits,
        progress=told("headline", limits),
    )


async def _pools(call: Benchmark, bench: Bench, told: _Told) -> CaseDocument:
    compared = pools(full=call.config.full_length)
    return await bench.case(
        "pool_size",
        f"How small may the pool be for {compared.turns} turns of {compared.tools} tools at once? "
        f"(predicted: {compared.predicted}, one connection for each tool)",
        compared.settings,
        limits=_POINT,
        progress=told("pool_size", _POINT),
    )


@contextmanager
def _progress(console: Console) -> Iterator[_Told]:
    """What is being measured, how often, and how wide the widest interval is; shown on a terminal only."""
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)

        def told(name: str, limits: Limits) -> Progress:
            bar.update(task, description=f"{name}: warming up")

            def show(repetitions: int, half_width: float | None) -> None:
                width = "" if half_width is None else f", ±{half_width:.1%} of ±{limits.half_width:.1%}"
                bar.update(task, description=f"{name}: {repetitions} repetitions{width}")

            return show

        yield told


def _prepare(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the benchmark cannot be written to {str(directory)!r}: {error.strerror}; name another folder by --output"
        ) from error


def _postgres(running: RunningServer) -> PostgresDocument:
    return PostgresDocument(kind=running.kind, version=running.version, reason=running.reason)
