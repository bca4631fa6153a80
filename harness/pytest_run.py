"""What the pytest plugin does once it is needed: plan cells, run them, collect their documents, write the reports.

One `Run` stands in each process. In a pytest-xdist worker it plans and runs cells (`harness.pytest_cells`), and hands
over what kept it from deciding; in the process that the user started it also starts the server for the workers,
collects every cell's document from the test reports, and writes the run's document at the end. With workers, that
process loads neither the engine nor the backend, so that they start without waiting for it.
"""

import asyncio
import json
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from harness.config import Config, no_scenario, resolve
from harness.errors import EnvironmentMissing, MissingEvidence, SessionproofError, UsageError
from harness.imports import keep_until_the_end, uncollected
from harness.postgres.choose import choose
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer, Server
from harness.project_table import SETTINGS
from harness.report.document import CellDocument, CostsDocument, NotVerifiedDocument, PostgresDocument, RunDocument
from harness.report.environment import describe_environment
from harness.report.redact import masker, redact
from harness.report.terminal import render
from harness.report.write import write_reports
from harness.scenario import Cell, Scenario
from harness.scenario_file import read_scenario
from harness.watchdog import Watchdog

if TYPE_CHECKING:
    from harness.backend import Backend
    from harness.pytest_cells import Cells

__all__ = ["CellNotAsExpectedError", "Run"]

_DOCUMENT: pytest.StashKey[str] = pytest.StashKey()
_POSTGRES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
_GAPS: pytest.StashKey[list[str]] = pytest.StashKey()


class CellNotAsExpectedError(AssertionError):
    """A cell showed something else than its scenario expects; the text says what, and how to see it again."""


class Run:
    """One process's part of a run."""

    def __init__(self, config: pytest.Config, *, worker_input: str | None = None) -> None:
        given: dict[str, Any] = json.loads(worker_input or "{}")
        self._pytest = config
        self._run_id: str = given.get("run_id") or uuid.uuid4().hex[:10]
        self._running = RunningServer.from_json(given["server"]) if given.get("server") else None
        self._server: Server | None = None
        self._is_worker = worker_input is not None
        self._problems: list[dict[str, str]] = []
        self._cells: list[CellDocument] = []
        self._not_verified: dict[str, NotVerifiedDocument] = {}
        self._postgres: PostgresDocument | None = None
        self._document: RunDocument | None = None
        self._announced = False
        self._mask = masker()
        self._scratch = Path(given.get("scratch") or tempfile.mkdtemp(prefix="sessionproof-run-"))
        self._purse = self._scratch / "costs.json"
        self._watchdog = Watchdog(self._scratch)
        self._started_at = datetime.now(UTC)
        self._started = perf_counter()
        if not self._is_worker:
            config.pluginmanager.register(_Collector(self), "sessionproof-collector")

    @cached_property
    def config(self) -> Config:
        """The settings, from options, environment and `pyproject.toml`; a command has read that, and gives options."""
        options = {name: self._pytest.getoption(f"sessionproof_{name}") for name in SETTINGS}
        by_command = self._pytest.getoption("sessionproof_command") is not None
        return resolve(options, directory=self._pytest.rootpath, project=not by_command)

    @property
    def backend(self) -> "Backend":
        """The backend under test."""
        return self._own.backend

    @cached_property
    def _own(self) -> "Cells":
        """The cells that this process plans and runs."""
        keep_until_the_end()
        with uncollected():
            from harness.pytest_cells import Cells  # noqa: PLC0415  # seconds, and not for who starts workers

        return Cells(lambda: self.config, purse=self._purse, before_turns=self._watchdog.goes_on)

    # the server

    def start_server_for_workers(self) -> None:
        """Start the server, or end the run with a clear message. What is wrong with the backend, the workers tell."""
        try:
            self._server = self._choose()
            self._running = asyncio.run(self._server.start())
        except SessionproofError as error:
            self.note(error)
            self.finish()
            pytest.exit(self._mask(str(error)), returncode=2 if isinstance(error, UsageError) else 3)
        self._note_server(self._running)

    def stop_server(self) -> None:
        """Stop what `start_server_for_workers` started."""
        if self._server is not None and self._running is not None:
            with suppress(SessionproofError):
                asyncio.run(Clones(self._running, self._run_id).drop_all())
            asyncio.run(self._server.stop())
            self._server = None

    @contextmanager
    def server(self) -> Iterator[RunningServer]:
        """The server of the run: the controller's, or one for this process."""
        if self._running is not None:
            yield self._running
            return
        try:
            server = self._choose()
            running = asyncio.run(server.start())
        except SessionproofError as error:
            self.note(error)
            raise
        self._note_server(running)
        try:
            yield running
            asyncio.run(self.clones(running).drop_all())
        finally:
            asyncio.run(server.stop())

    def clones(self, running: RunningServer) -> Clones:
        """The databases of this run on `running`."""
        return Clones(running, self._run_id)

    def _choose(self) -> Server:
        return choose(self.config.postgres, image=self.config.image)

    def _note_server(self, running: RunningServer) -> None:
        self._postgres = _postgres_document(running)
        self.emit(event="server", kind=running.kind, version=running.version, reason=running.reason)

    # planning

    def plan(self, scenarios: Sequence[Scenario]) -> tuple[list[object], list[str]]:
        """What `verify_cell` is parametrised with, and the identifiers; of several scenarios they have its name."""
        if not self.is_ready:  # nothing will be run, and a backend that cannot be loaded is not tried for each test
            return [], []
        try:
            cells = self._own.plan(self._asked_for(scenarios))
        except SessionproofError as error:
            self.note(error)
            return [], []
        several = len(scenarios) > 1
        names = [f"{scenario.name}-{name}" if several else name for scenario, name, _ in cells]
        return [planned for _, _, planned in cells], names

    def _asked_for(self, scenarios: Sequence[Scenario]) -> Sequence[Scenario]:
        """A test's own scenarios; with a scenario from a file, that one for the test that has none, and no others."""
        if self.config.scenario_file is None:
            return scenarios
        return () if scenarios else (read_scenario(self.config.scenario_file),)

    @property
    def is_ready(self) -> bool:
        """Whether nothing is in the way of running, so far."""
        return not self._problems

    def deselect(self, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """Those of the scenarios' tests that are not to run: not asked for, or all of them if something is wrong."""
        if self._problems:
            return list(items)
        known = {each.name for item in items for each in item.get_closest_marker("sessionproof").args}  # type: ignore[union-attr]  # all carry it
        if unknown := self.config.unmatched(known):
            self.note(UsageError(no_scenario(unknown, known)))
            return list(items)
        dropped = [item for item in items if not self._own.is_asked_for(item)]
        if len(dropped) == len(items):
            self.note(UsageError(self._own.none_of(items)))
        return dropped

    def is_short(self, item: pytest.Item) -> bool:
        """Whether a test is not one of those cells that repeat their turn, which last longest."""
        return self._own.is_short(item)

    def announce(self, cells: int) -> None:
        """Say once how many cells there are."""
        if not self._announced and not self._is_worker:
            self._announced = True
            self.emit(event="planned", cells=cells)

    # running

    def verifier(
        self, planned: object, item: pytest.Item, running: RunningServer, clones: Clones
    ) -> Callable[[], Awaitable[CellDocument]]:
        """What a test calls to run its cell; skips the test if the backend cannot."""
        item.stash[_POSTGRES] = _postgres_document(running).model_dump(mode="json")
        if (lacking := self._own.lacking(planned)) is not None:
            item.stash[_DOCUMENT] = lacking.model_dump_json()
            pytest.skip(lacking.reason)  # what a backend cannot do is no failure; the report lists it
        if not isinstance(planned, Cell):
            raise UsageError(f"{item.nodeid} was parametrised with {planned!r}, which is no cell")
        item.stash[_GAPS] = [gap.model_dump_json() for gap in self._own.gaps(planned)]

        async def verify() -> CellDocument:
            with self._watchdog.watching(planned.scenario.turn_seconds or self.config.turn_timeout):
                document = await self._own.verify(planned, clones=clones, running=running)
            item.stash[_DOCUMENT] = document.model_dump_json()
            if not document.as_expected:
                raise CellNotAsExpectedError(self._mask(_explain(document)))
            return document

        return verify

    # what it came to

    def outcome_of(self, item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
        """What a test's report carries: the cell's document or the reason for a skip, if this is its phase."""
        carried: dict[str, Any] = {"postgres": item.stash.get(_POSTGRES, None), "gaps": item.stash.get(_GAPS, [])}
        report.sections = self._masked(report)
        if report.when == "call" and _DOCUMENT in item.stash:
            carried["cell"] = item.stash[_DOCUMENT]
        if report.when == "setup" and report.skipped and _DOCUMENT in item.stash:
            carried["not_verified"] = item.stash[_DOCUMENT]
        return carried

    def mask(self, report: pytest.TestReport) -> None:
        """Mask the secrets in what a test that is no cell printed and raised."""
        report.sections = self._masked(report)
        if report.failed:
            report.longrepr = self._mask(report.longreprtext)

    def _masked(self, report: pytest.TestReport) -> list[tuple[str, str]]:
        return [(title, self._mask(text)) for title, text in report.sections]

    def collect(self, report: pytest.TestReport) -> None:
        """Take the cell off a test's report; a test that failed without one is a problem of the harness."""
        carried: dict[str, Any] | None = getattr(report, "sessionproof", None)
        if carried is None:
            if report.when not in {"setup", "call", "teardown"}:  # a worker died; pytest-xdist reports it so
                stacks = self._watchdog.left_stacks()
                held = f"; the event loop was held too long, at:\n{stacks}" if stacks else ""
                self._note_internal(f"{report.nodeid}: {report.longreprtext}{held}")
            return
        for gap in carried["gaps"]:
            self._not_verified.setdefault(gap, NotVerifiedDocument.model_validate_json(gap))
        if carried.get("postgres") and self._postgres is None:
            self._postgres = PostgresDocument.model_validate(carried["postgres"])
        if "cell" in carried:
            self._take_cell(CellDocument.model_validate_json(carried["cell"]))
        elif "not_verified" in carried:
            document = NotVerifiedDocument.model_validate_json(carried["not_verified"])
            self._not_verified[document.model_dump_json()] = document
        elif report.failed:
            self._note_internal(f"{report.nodeid} ({report.when}): {report.longreprtext}")

    def _take_cell(self, cell: CellDocument) -> None:
        self._cells.append(cell)
        self.emit(
            event="cell",
            scenario=cell.scenario,
            session_mode=cell.session_mode,
            pool_state=cell.pool_state,
            tier=cell.tier,
            verdict=cell.verdict,
            expected=cell.expected,
            as_expected=cell.as_expected,
            objections=cell.objections,
            kinds=sorted({finding.kind.value for finding in cell.findings}),
            seconds=cell.seconds,
        )

    def note(self, error: SessionproofError) -> None:
        """Remember what kept this process from deciding."""
        category = "usage" if isinstance(error, UsageError) else "environment"
        if not isinstance(error, UsageError | EnvironmentMissing):
            category = "internal"
        self._note(category, str(error))

    def _note_internal(self, message: str) -> None:
        self._note("internal", message)

    def _note(self, category: str, message: str) -> None:
        problem = {"category": category, "message": self._mask(message)}
        if problem not in self._problems:
            self._problems.append(problem)
            self.emit(event="problem", **problem)

    def for_worker(self) -> str:
        """What a worker is told; it holds the server's password, and travels through a pipe only."""
        server = self._running.to_json() if self._running else None
        return json.dumps({"run_id": self._run_id, "server": server, "scratch": str(self._scratch)})

    def hand_over(self) -> str:
        """What a worker tells the controller at its end."""
        return json.dumps(self._problems)

    def take_over(self, problems: str) -> None:
        """What the controller makes of it."""
        for problem in json.loads(problems):
            self._note(problem["category"], problem["message"])

    def finish(self) -> pytest.ExitCode | None:
        """Make the run's document, if there was anything to run, and write it where it was asked for.

        Returns the exit status that pytest must have: none but its own, unless something kept cells from being run.
        """
        if self._cells or self._not_verified or self._problems:
            costs = self._costs()
            document = RunDocument.of(
                started_at=self._started_at,
                seconds=perf_counter() - self._started,
                command=_command(self._pytest),
                environment=describe_environment(postgres=self._postgres, backend=self._backend_name()),
                cells=self._cells,
                not_verified=self._not_verified.values(),
                problems=[problem["message"] for problem in self._problems],
                costs=costs,
            )
            self._document = redact(document)
            if (output := self._output()) is not None:
                write_reports(self._document, output)
        self.emit(event="finished")
        shutil.rmtree(self._scratch, ignore_errors=True)
        categories = {problem["category"] for problem in self._problems}
        if "usage" in categories:
            return pytest.ExitCode.USAGE_ERROR
        return pytest.ExitCode.TESTS_FAILED if categories else None

    def summary(self) -> str:
        """The verdict table for the terminal, or nothing if there was nothing to run."""
        if self._document is None:
            return ""
        if self._cells or self._not_verified:
            return render(self._document)
        return "\n".join(f"error: {problem['message']}" for problem in self._problems)

    def emit(self, **event: object) -> None:
        """Append one event for whoever follows the run."""
        path = self._pytest.getoption("sessionproof_events")
        if path and not self._is_worker:
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event, default=str) + "\n")

    def _costs(self) -> CostsDocument | None:
        """What the model requests of all processes have cost; that it cannot be known is a problem of the run."""
        try:
            if self.config.budget is None:
                return None
            from harness.providers.budget import Budget  # noqa: PLC0415  # Pydantic AI, and only what costs needs it

            costs = Budget(self.config.budget, self._purse).costs()
        except UsageError:  # it is noted where cells are planned
            return None
        except MissingEvidence as error:
            self.note(error)
            return None
        return CostsDocument(limit=self.config.budget, spent=costs.spent, reserved=costs.reserved)

    def _backend_name(self) -> str:
        try:
            return self.config.backend
        except SessionproofError:
            return "unknown"

    def _output(self) -> Path | None:
        try:
            return self.config.output
        except SessionproofError:
            return None


class _Collector:
    """A hook of its own, because `pytest_runtest_logreport` is not given the configuration."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the cell off a test's report."""
        self._run.collect(report)


def _postgres_document(running: RunningServer) -> PostgresDocument:
    return PostgresDocument(
        kind=running.kind, version=running.version, reason=running.reason, details=dict(running.details)
    )


def _command(config: pytest.Config) -> str:
    given: str | None = config.getoption("sessionproof_command")
    return given or shlex.join(["pytest", *map(str, config.invocation_params.args)])


def _explain(document: CellDocument) -> str:
    lines = [f"{document.scenario}[{document.id}] is not as expected ({document.expected}):"]
    lines += [f"  - {objection}" for objection in document.objections]
    lines += [f"  {finding.kind}: {finding.message}" for finding in document.findings]
    lines += [f"  reproduce: {document.reproduce}"]
    return "\n".join(lines)
