"""`sessionproof bench`: start a server, measure, and report.

Everything runs in this process, because a worker of pytest's would measure its own noise too. `bench.json` is written
after each case, so that what was measured is kept, whatever comes after it.
"""

import asyncio
import re
import secrets
import sys
from collections.abc import Iterator
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
from harness.bench.headline import FULL_SECONDS, QUICK_SECONDS, headline
from harness.bench.interleave import Limits, Progress
from harness.bench.run import measure
from harness.command.child import import_path
from harness.command.comparison import show_comparison
from harness.config import Config
from harness.errors import ConfigurationError, UsageError
from harness.postgres.choose import choose
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import BenchDocument, CaseDocument, read_bench
from harness.report.bench_terminal import show_bench
from harness.report.document import PostgresDocument
from harness.report.environment import describe_environment, describe_machine
from harness.report.redact import masker

__all__ = ["FILE", "Benchmark", "bench"]

FILE = "bench.json"
QUICK = Limits(half_width=0.02, least=10, most=60, seconds=60.0)
FULL = Limits(half_width=0.01, least=8, most=20, seconds=600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One call: what to measure, for how long, where the document goes, and what to show it on.

    `save` and `compare` name baselines: to keep this run as one, and to compare it with one.
    """

    config: Config
    directory: Path
    console: Console
    errors: Console
    command: str
    save: str | None = None
    compare: str | None = None
    gate: Gate = field(default_factory=Gate)


def bench(call: Benchmark) -> int:
    """Measure, report, and return the exit status.

    It is 0; or with a baseline 1 if something became worse, and 3 if that cannot be told; or without one 3 if an
    interval is not as narrow as was asked for.

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
        document = asyncio.run(_measure(call, backend))
    show_bench(document, call.console)
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        keep.write_bytes((call.directory / FILE).read_bytes())
        call.console.print(Text(f"kept as a baseline in {keep}", style="dim"), soft_wrap=True)
    status = 0 if all(case.reached for case in document.cases) else 3
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
    try:
        template = await clones.template(backend.name, backend.prepare)
        case = await _headline(call, backend, clones, template)
        await clones.drop_all()
    finally:
        await server.stop()
    document = BenchDocument(
        started_at=started,
        seconds=perf_counter() - begun,
        command=call.command,
        machine=describe_machine(),
        environment=describe_environment(postgres=_postgres(running), backend=call.config.backend),
        cases=(case,),
    )
    text = masker()(document.model_dump_json(indent=1)) + "\n"
    (call.directory / FILE).write_text(text, encoding="utf-8")
    return document


async def _headline(call: Benchmark, backend: Backend, clones: Clones, template: str) -> CaseDocument:
    full = call.config.full_length
    seconds, limits = (FULL_SECONDS, FULL) if full else (QUICK_SECONDS, QUICK)
    with _progress(call.errors, "headline", limits) as progress:
        return await measure(
            "headline",
            f"What do two tools of {seconds:g} s gain by running together, and what does each repair cost?",
            headline(backend, tool_seconds=seconds),
            backend=backend,
            clones=clones,
            template=template,
            limits=limits,
            progress=progress,
        )


@contextmanager
def _progress(console: Console, name: str, limits: Limits) -> Iterator[Progress]:
    """How many repetitions there were, and how wide the widest interval is; shown on a terminal only."""
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{name}: warming up", total=None)

        def show(repetitions: int, half_width: float | None) -> None:
            width = "" if half_width is None else f", ±{half_width:.1%} of ±{limits.half_width:.1%}"
            bar.update(task, description=f"{name}: {repetitions} repetitions{width}")

        yield show


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
