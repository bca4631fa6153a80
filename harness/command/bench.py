"""`sessionproof bench`: measure, report, compare with a baseline, and say by the exit status what came of it."""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.backend import load_backend
from harness.bench.baseline import compare, foreseen
from harness.bench.change import Gate
from harness.bench.headline import FULL_SECONDS, QUICK_SECONDS
from harness.command.child import import_path
from harness.command.comparison import comparison_document
from harness.command.measuring import FULL, QUICK, Measuring, Section
from harness.command.verify import INTERRUPTED
from harness.config import Config
from harness.errors import ConfigurationError, MissingEvidence, UsageError
from harness.report.bench_document import (
    HEADLINE,
    ArmDocument,
    BenchDocument,
    ChangeOutcome,
    Concurrency,
    read_bench,
)
from harness.report.bench_terminal import show_bench, show_comparison
from harness.report.bench_write import BENCH_FILE, write_bench

__all__ = ["Benchmark", "bench"]

_SHOWN_BASELINES = 20
BROKEN = 1
UNKNOWN = 3
_STATUSES = {ChangeOutcome.WORSE: BROKEN, ChangeOutcome.UNDECIDED: UNKNOWN, ChangeOutcome.NOT_WORSE: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One call: what to measure, where the document goes, and what to show it on.

    `save` and `compare` name baselines: to keep this run as one, and to compare it with one. `sections` are what is
    measured.
    """

    config: Config
    directory: Path
    console: Console
    errors: Console
    command: str
    save: str | None = None
    compare: str | None = None
    sections: frozenset[Section] = frozenset(Section)
    gate: Gate = field(default_factory=Gate)


def bench(call: Benchmark) -> int:
    """Measure, report, and return the exit status.

    It is 128 and the signal's number if it was interrupted. It is 1 if tools of the headline, or of those that wait
    for a provider, have sessions of their own and do not work side by side, or if something became worse than in the
    baseline; 3 if one of these cannot be told, if something could not be measured or one of the harness's own costs
    failed, or if without a baseline an interval of the headline is not as narrow as was asked for; else 0. A run that
    is wrong is not kept as a baseline.

    Raises:
        ConfigurationError: the backend cannot be loaded, or the folder cannot be written to.
        UsageError: a baseline has no name that a file can have.
        MissingEvidence: there is no such baseline, or it is of another schema version.
        EnvironmentMissing: no server can be started.
        BackendError: the backend does not start.
    """
    with _importable(import_path(call.config, Path.cwd())):
        measuring = Measuring(
            config=call.config,
            backend=load_backend(call.config.backend),
            sections=call.sections,
            command=call.command,
            errors=call.errors,
            write=lambda document: write_bench(document, call.directory),
        )
        before = _earlier(call.compare) if call.compare is not None else None
        keep = _baseline(call.save) if call.save is not None else None
        _prepare(call.directory)
        if before is not None:
            _warn(call, before)
        try:
            asyncio.run(measuring.run())
        except asyncio.CancelledError:
            if not measuring.interruption:
                raise
    return _conclude(call, measuring, before, keep)


def _conclude(call: Benchmark, measuring: Measuring, before: BenchDocument | None, keep: Path | None) -> int:
    document, interrupted = measuring.document, measuring.interruption.signal
    if document is not None:
        show_bench(document, call.console)
    if interrupted is not None:
        kept = f"what was measured by then is in {call.directory / BENCH_FILE}"
        call.errors.print(
            Text(f"interrupted; {kept if document is not None else 'nothing was measured'}"), soft_wrap=True
        )
        return INTERRUPTED + interrupted
    if document is None:
        raise MissingEvidence("nothing was measured")
    lacking = measuring.incomplete or _lacks(document, call.sections) or _costs_failed(document)
    statuses = {_promises(document), UNKNOWN if lacking else 0}
    if before is not None:
        compared = compare(document, before, call.gate)
        shown = comparison_document(compared)
        show_comparison(shown, call.console)
        write_bench(document, call.directory, comparison=shown)
        statuses.add(_STATUSES[compared.outcome])
    elif not all(case.reached for case in document.cases if case.name == HEADLINE):
        statuses.add(UNKNOWN)
    status = BROKEN if BROKEN in statuses else max(statuses)
    if keep is not None:
        _keep(call, keep, fit=status != BROKEN)
    call.console.print(Text(f"report in {call.directory}", style="dim"), soft_wrap=True)
    return status


def _keep(call: Benchmark, keep: Path, *, fit: bool) -> None:
    """Make this run the baseline, if it is fit to be one."""
    if not fit:
        call.console.print(
            Text(f"not kept as a baseline in {keep}: something is wrong", style="yellow"), soft_wrap=True
        )
        return
    keep.parent.mkdir(parents=True, exist_ok=True)
    keep.write_bytes((call.directory / BENCH_FILE).read_bytes())
    call.console.print(Text(f"kept as a baseline in {keep}", style="dim"), soft_wrap=True)


def _lacks(document: BenchDocument, sections: frozenset[Section]) -> bool:
    """Whether there is not a single number of a section that was asked for."""
    judged = {case.name == HEADLINE for case in document.cases}
    measured = {
        Section.HEADLINE: True in judged,
        Section.LATENCY: False in judged,
        Section.POOLS: bool(document.pools),
        Section.CURVES: any(curve.points for curve in document.curves),
        Section.COSTS: any(arm.seconds is not None for cost in document.costs for arm in cost.arms),
    }
    # a backend without some of it is measured by the rest
    return not any(measured[section] for section in sections) or (Section.HEADLINE in sections and True not in judged)


def _costs_failed(document: BenchDocument) -> bool:
    """Whether a cost that could be measured here was not, or not to its end."""
    return any(arm.failure is not None for cost in document.costs for arm in cost.arms)


def _promises(document: BenchDocument) -> int:
    """Whether tools that have sessions of their own work side by side, as far as that is known of the cases' arms."""
    kept = [_kept(arm) for case in document.cases for arm in case.arms if arm.promised]
    if False in kept:
        return BROKEN
    return UNKNOWN if None in kept else 0


def _kept(arm: ArmDocument) -> bool | None:
    if arm.failure is not None:
        return None if arm.unseen else False
    if arm.concurrency in {None, Concurrency.UNDECIDED}:
        return None
    return arm.concurrency is Concurrency.SIDE_BY_SIDE


def _earlier(name: str) -> BenchDocument:
    """The baseline of that name."""
    path = _baseline(name)
    if not path.is_file():
        others = sorted(each.stem for each in path.parent.glob("*.json"))
        there = f"there are {', '.join(others[:_SHOWN_BASELINES])}" if others else "there is none yet"
        more = f" and {len(others) - _SHOWN_BASELINES} more" if len(others) > _SHOWN_BASELINES else ""
        raise MissingEvidence(
            f"there is no baseline {name!r} in {str(path.parent)!r}, {there}{more}; "
            f"make it from another run: sessionproof bench --save {name}"
        )
    return read_bench(path)


def _warn(call: Benchmark, before: BenchDocument) -> None:
    """Say before anything is measured what the comparison will not be able to tell."""
    if Section.HEADLINE not in call.sections:
        return
    seconds, limits = (FULL_SECONDS, FULL) if call.config.full_length else (QUICK_SECONDS, QUICK)
    for said in foreseen(before, call.gate, tool_seconds=seconds, half_width=limits.half_width):
        call.errors.print(Text(f"the comparison may end undecided: {said}", style="yellow"), soft_wrap=True)


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


def _prepare(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / BENCH_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the benchmark cannot be written to {str(directory)!r}: {error.strerror}; name another folder by --output"
        ) from error
