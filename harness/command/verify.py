"""`sessionproof verify`: run the suite in a pytest process, follow it, and report what came of it.

Problem: the answer must be right even if pytest dies in the middle, an earlier report lies in the folder, or
somebody presses Ctrl-C; and what pytest prints may hold secrets.

Mechanism: the folder is cleared of an earlier report first, the process tells its progress in a file, its
output is masked line by line on its way to `pytest.log`, and the answer is read from the document that it
leaves.

Guarantee: the exit status is 0 only if there is a document of this run, it is as expected, and pytest itself
ended well.
"""

import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from harness.command.child import PYTEST, Ended, arguments, environment, supervise
from harness.command.events import Lines, Problem, parse
from harness.command.github import announce, publish
from harness.command.progress import Progress, following
from harness.command.scenario_names import check_scenarios
from harness.command.workflow import commands_stopped, is_github
from harness.config import Config
from harness.errors import MissingEvidence
from harness.plurals import number_of
from harness.report import digest, terminal
from harness.report.document import RunDocument, exit_status
from harness.report.redact import Mask, masked, masker
from harness.report.run_json import read
from harness.report.text import block
from harness.report.write import prepare_directory
from harness.scenario import ModelTier

__all__ = [
    "ENVIRONMENT",
    "INTERRUPTED",
    "LOG",
    "USAGE",
    "Follower",
    "Surroundings",
    "Verification",
    "default_directory",
    "default_workers",
    "follow",
    "verify",
]

USAGE = 2
ENVIRONMENT = 3
INTERRUPTED = 128
LOG = "pytest.log"
_TAIL = 15
_MOST_WORKERS = 4
_CELLS_PER_WORKER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One call: what to verify, with how many workers, where the report goes, and what to show.

    `program` is what is started, before pytest's arguments; the report is printed to `console`, progress and
    errors to `errors`. `environment` says whether this is a step of a GitHub Actions job, which is shown what it can
    show.
    """

    config: Config
    directory: Path
    console: Console
    errors: Console
    workers: int = 1
    debug: bool = False
    program: Sequence[str] = PYTEST
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the process runs, in which environment, and what it is told beside what the configuration says.

    `judged` says whether a cell that is not as expected is told at once.
    """

    directory: Path
    environment: Mapping[str, str]
    arguments: Sequence[str] = ()
    judged: bool = True


@dataclass(slots=True, kw_only=True)
class Follower:
    """Moves what the process wrote to where it belongs."""

    events: Lines
    output: Lines
    log: TextIO
    mask: Mask
    progress: Progress
    echo: Console | None
    problems: list[Problem] = field(default_factory=list)
    cells: int = 0

    def look(self) -> None:
        """Take what is there by now."""
        self._take(self.events.read(), self.output.read())

    def finish(self) -> None:
        """Take the rest: nobody writes any more."""
        self._take(self.events.rest(), self.output.rest())

    def _take(self, events: list[str], output: list[str]) -> None:
        for line in output:
            shown = self.mask(line)
            self.log.write(shown + "\n")
            if self.echo is not None:
                self.echo.print(Text(block(shown, limit=10_000)), soft_wrap=True)
        self.log.flush()
        for line in events:
            event = masked(parse(line), self.mask)
            if isinstance(event, Problem) and event not in self.problems:
                self.problems.append(event)
            if event is not None:
                self.cells += event.event == "cell"
                self.progress.take(event)


def verify(call: Verification) -> int:
    """Run, report, and return the exit status of the command.

    Raises:
        ConfigurationError: the folder cannot be written to, or the file with a scenario cannot be read.
        EnvironmentMissing: the verification suite is missing.
        UsageError: there is no such scenario.
    """
    check_scenarios(call.config)
    with commands_stopped(call.environment, console=call.console):
        status = _verify(call)
    if is_github(call.environment):
        try:
            document = read(call.directory / "run.json")
        except MissingEvidence:
            announce(f"there is no result; exit status {status}, and the log says why", console=call.console)
        else:
            publish(document, call.environment, console=call.console, errors=call.errors)
    return status


def _verify(call: Verification) -> int:
    here = Path.cwd()
    given = environment(call.config, os.environ, directory=here)
    ended, follower = follow(call, Surroundings(directory=here, environment=given))
    return _conclude(call, ended, follower)


def follow(call: Verification, surroundings: Surroundings) -> tuple[Ended, Follower]:
    """Run the suite to its end, and say how it ended, and what it told meanwhile.

    Raises:
        ConfigurationError: the folder cannot be written to.
        EnvironmentMissing: the verification suite is missing.
    """
    directory = call.directory.absolute()
    prepare_directory(directory)
    with (
        tempfile.TemporaryDirectory(prefix="sessionproof-") as scratch,
        (directory / LOG).open("w", encoding="utf-8", errors="backslashreplace") as log,
        following(call.errors, judged=surroundings.judged) as progress,
    ):
        events, output = Path(scratch, "events.jsonl"), Path(scratch, "output")
        events.touch()
        output.touch()
        follower = Follower(
            events=Lines(events),
            output=Lines(output),
            log=log,
            mask=masker(),
            progress=progress,
            echo=call.errors if call.debug else None,
        )
        told = arguments(call.config, output=directory, events=events, workers=call.workers)
        ended = supervise(
            [*call.program, *told, *surroundings.arguments],
            environment=surroundings.environment,
            output=output,
            watch=follower.look,
            directory=surroundings.directory,
        )
        follower.finish()
    return ended, follower


def _conclude(call: Verification, ended: Ended, follower: Follower) -> int:
    if ended.interrupted is not None:
        were = "was" if follower.cells == 1 else "were"
        done = f"{number_of(follower.cells, 'cell')} {were} verified" if follower.cells else "no cell was verified"
        _say(call, f"interrupted by {ended.interrupted.name}; {done}, and nothing was left running")
        return INTERRUPTED + ended.interrupted
    try:
        document = read(call.directory / "run.json")
    except MissingEvidence as error:
        return _without_document(call, ended, follower.problems, str(error))
    severity = _severity(follower.problems)
    if document.cells or not severity:
        terminal.show(document, call.console)
        call.console.print(Text(f"report in {call.directory}", style="dim"), soft_wrap=True)
    else:
        _say_problems(call, follower.problems)
    return _status(call, ended, document, severity)


def _status(call: Verification, ended: Ended, document: RunDocument, severity: int) -> int:
    if severity == USAGE:
        return USAGE
    status = exit_status(document)
    if status == 0 and severity:
        return severity
    if status == 0 and ended.status != 0:
        _say(
            call,
            f"every cell is as expected, but pytest ended {_ending(ended)}, so that something was not looked "
            f"at; its output is in {call.directory / LOG}",
        )
        return ENVIRONMENT
    return status


def _without_document(call: Verification, ended: Ended, problems: Sequence[Problem], reason: str) -> int:
    if problems:
        _say_problems(call, problems)
        return _severity(problems)
    _say(call, f"pytest ended {_ending(ended)} and left no result: {reason}")
    lines = (call.directory / LOG).read_text(encoding="utf-8").splitlines()
    if not call.debug:
        for line in lines[-_TAIL:]:
            call.errors.print(Text(f"  {block(line)}", style="dim"), soft_wrap=True)
    call.errors.print(Text(f"its output is in {call.directory / LOG}"), soft_wrap=True)
    return ENVIRONMENT


def _severity(problems: Sequence[Problem]) -> int:
    if not problems:
        return 0
    return USAGE if any(problem.category == "usage" for problem in problems) else ENVIRONMENT


def _say_problems(call: Verification, problems: Sequence[Problem]) -> None:
    """The user's own mistakes first, and alone: the rest follows from them."""
    own = [problem for problem in problems if problem.category == "usage"]
    for problem in own or problems:
        _say(call, digest.in_one_line(problem.message) if problem.category == "internal" else problem.message)
    if not own and any(problem.category == "internal" for problem in problems):
        call.errors.print(Text(f"the whole output is in {call.directory / LOG}"), soft_wrap=True)


def _say(call: Verification, message: str) -> None:
    call.errors.print(Text.assemble(("error: ", "bold red"), block(message)), soft_wrap=True)


def _ending(ended: Ended) -> str:
    return f"with status {ended.status}" if ended.status >= 0 else f"by signal {-ended.status}"


def default_directory(base: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path:
    """A new folder below `base`: in `reports/runs` if there is a `reports`, else in `sessionproof-runs`."""
    runs = base / "reports" / "runs" if (base / "reports").is_dir() else base / "sessionproof-runs"
    name = now().strftime("%Y%m%dT%H%M%SZ")
    number, directory = 1, runs / name
    while directory.exists():
        number += 1
        directory = runs / f"{name}-{number}"
    return directory


def default_workers(config: Config) -> int:
    """One more than the processors that this process may use, because cells wait most of the time; at most four.

    A few cells get fewer: a worker takes as long to start as it takes to run several of them. A model that computes on
    this machine has a processor of its own.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    workers = min(usable + 1, _MOST_WORKERS)
    cells = config.most_cells
    if ModelTier.LOCAL in config.tiers:
        return min(usable, _MOST_WORKERS, cells or usable)
    return workers if cells is None else min(workers, math.ceil(cells / _CELLS_PER_WORKER))
