"""The harness inside pytest: scenarios become tests, one for each cell of their matrix.

A test marked with `scenario(...)` that asks for the fixture `verify_cell` is run once for each session mode, pool
state and model tier. Cells that were not asked for are deselected; what the backend cannot do is skipped with its
reason and reported as *not verified*. Every cell's document travels on its test report, so that one process, the one
that the user started, collects them all and writes the reports, with pytest-xdist or without.

A test marked with `benchmarks(...)` that asks for the fixture `measure_arm` is run once for each arm of a benchmark,
under pytest-benchmark's options `--benchmark-only` and `--benchmark-enable`, and deselected without them.

The plugin loads wherever the distribution is installed. It is inert, and imports nothing heavy, until a test carries
its marker or one of its options is given; what it does then is in `harness.pytest_run`, and, for `--sessions`, in
`harness.pytest_sessions`; for benchmarks it is in `harness.pytest_bench`.
"""

from __future__ import annotations

import gc
import inspect
import warnings
from argparse import Namespace
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from harness.errors import ConfigurationError, EnvironmentMissing, SessionproofError, UsageError
from harness.imports import uncollected, without_plugins
from harness.project_table import misplaced, read_table
from harness.scenario import Scenario

if TYPE_CHECKING:
    from harness.backend import Backend
    from harness.postgres.clones import Clones
    from harness.postgres.server import RunningServer
    from harness.pytest_bench import BenchmarkFixture, Benchmarks
    from harness.pytest_run import Run
    from harness.report.document import CellDocument

__all__ = ["MeasureArm", "VerifyCell", "benchmarks", "scenario"]

MARKER = "sessionproof"
BENCHMARKS = "sessionproof_benchmarks"
_SESSIONS = "sessions"
_SESSIONS_REPORT = "sessions_report"
_ALONE = "benchmarks are measured in one process, with none beside it, and pytest-xdist starts several"
_GOOD = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

MeasureArm = Callable[[str, str], None]

if TYPE_CHECKING:
    VerifyCell = Callable[[], Awaitable[CellDocument]]
else:
    VerifyCell = Callable[[], Awaitable[Any]]

_SESSIONS_HELP = (
    "watch who uses which SQLAlchemy session and database connection when. raise and collect fail the tests in which "
    "two tasks race for one; raise also raises SessionRaceError in place of the second access. warn and log fail "
    "nothing: they say it, as warnings, or to the logger harness.sanitizer. The default is off"
)
_SESSIONS_REPORT_HELP = (
    "write what --sessions has found as JSON and as a page: to run.json and report.html in a folder, which is there or "
    "ends with a slash, or to a file that ends with .json or .html, and the other one beside it"
)
_RUN: pytest.StashKey[Run] = pytest.StashKey()
_BENCHMARKS: pytest.StashKey[Benchmarks] = pytest.StashKey()
_IDLE: pytest.StashKey[bool] = pytest.StashKey()
_UNWATCHED: pytest.StashKey[EnvironmentMissing] = pytest.StashKey()


def scenario(*experiments: Scenario) -> pytest.MarkDecorator:
    """Run the decorated test once for each cell of `experiments`; it asks for the fixture `verify_cell`.

    Without any, it is run for the scenario of `--scenario-file`, or not at all.
    """
    return pytest.mark.sessionproof(*experiments)


def benchmarks(case: Literal["headline", "latency", "pools", "curves"]) -> pytest.MarkDecorator:
    """Run the decorated test once for each arm of a case of `sessionproof bench`, where benchmarks are asked for.

    It asks for the fixture `measure_arm`, and for its `group` and its `arm`, which it hands to that.
    """
    return pytest.mark.sessionproof_benchmarks(case)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each also a setting in `[tool.sessionproof]` and the environment."""
    add = parser.getgroup("sessionproof", "session verification of agent backends").addoption
    add("--sessionproof-backend", metavar="MODULE:ATTRIBUTE", help="the backend to verify")
    add("--sessionproof-postgres", metavar="auto|container|embedded|URL", help="where PostgreSQL comes from")
    add("--sessionproof-image", metavar="IMAGE", help="the container's image")
    add("--sessionproof-mode", action="append", dest="sessionproof_modes", help="only this session mode")
    add(
        "--sessionproof-pool-state",
        action="append",
        dest="sessionproof_pool_states",
        help="only this pool state",
    )
    add("--sessionproof-tier", action="append", dest="sessionproof_tiers", help="only this model tier")
    add("--sessionproof-scenario", action="append", dest="sessionproof_scenarios", help="only this scenario")
    add("--sessionproof-scenario-file", metavar="FILE", help="only the scenario in this JSON file")
    add("--sessionproof-full-length", action="store_true", default=None, help="tools ten times as long")
    add("--sessionproof-turn-timeout", metavar="SECONDS", help="how long one turn may take")
    add("--sessionproof-model", metavar="NAME", help="the model of the tier live, as Pydantic AI names it")
    add("--sessionproof-base-url", metavar="URL", help="where that model is, if not at its provider's")
    add("--sessionproof-budget", metavar="USD", help="how much all its requests may cost")
    add("--sessionproof-price", metavar="IN,OUT", help="what a million tokens of prompts and of answers cost there")
    add("--sessionproof-record", metavar="DIR", help="record what real models answer")
    add("--sessionproof-cassettes", metavar="DIR", help="replay what was recorded there")
    add(
        "--sessionproof-recorded-timing",
        action="store_true",
        default=None,
        help="let what was recorded take as long as it took",
    )
    add("--sessionproof-output", metavar="DIR", help="write run.json, junit.xml, summary.md and report.html there")
    add("--sessionproof-events", metavar="PATH", help="append progress as JSON lines")
    add("--sessionproof-command", metavar="TEXT", help="what the report names as its command, instead of pytest")
    add("--sessions", metavar="off|raise|warn|collect|log", dest="sessionproof_sessions", help=_SESSIONS_HELP)
    add("--sessions-report", metavar="FILE|DIR/", dest="sessionproof_sessions_report", help=_SESSIONS_REPORT_HELP)
    parser.addini(_SESSIONS, "what --sessions is if it is not given", default="off")
    parser.addini(_SESSIONS_REPORT, "what --sessions-report is if it is not given, from pytest's root", default="")
    parser.addini(MARKER, "start one PostgreSQL server for all pytest-xdist workers", type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Watch sessions, if that is asked for, before a conftest makes an engine."""
    try:
        _watch_sessions(early_config, early_config.known_args_namespace)
    except EnvironmentMissing as error:  # it is said where pytest can end in order
        early_config.stash[_UNWATCHED] = error


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; watch sessions, where the plugin was loaded too late for doing so earlier."""
    config.addinivalue_line("markers", f"{MARKER}(*scenarios): run the test once for each cell of them")
    config.addinivalue_line(
        "markers", f"{BENCHMARKS}(case): under --benchmark-only, run the test for each arm of a case"
    )
    config.addinivalue_line(
        "markers", f"{_SESSIONS}(mode): under --sessions, watch the test in another mode; 'off' exempts it"
    )
    try:
        if (missing := config.stash.get(_UNWATCHED, None)) is not None:
            raise missing  # a second try might come further, and watch less
        _watch_sessions(config, config.option)
    except EnvironmentMissing as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)
    if _is_dedicated(config) and config.getoption("benchmark_only", False) and _distributes(config):
        raise pytest.UsageError(f"{_ALONE}: leave out -n")
    if _is_dedicated(config) or _worker_input(config):
        _run(config)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server before pytest-xdist starts its workers, so that they share it."""
    if _is_dedicated(session.config) and not _worker_input(session.config) and _distributes(session.config):
        _run(session.config).start_server_for_workers()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker the run it belongs to, and the server."""
    if _is_dedicated(node.config):
        node.workerinput[MARKER] = _run(node.config).for_worker()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker could not do."""
    if output := getattr(node, "workeroutput", {}).get(MARKER):
        _run(node.config).take_over(output)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each cell, and for each arm of a benchmark."""
    config = metafunc.config
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is not None and not config.getoption("benchmark_only", False):
        values, ids = _run(config).plan(marker.args)
        metafunc.parametrize("verify_cell", values, indirect=True, ids=ids)
    case = metafunc.definition.get_closest_marker(BENCHMARKS)
    if case is not None and _benchmarks_wanted(config):
        metafunc.parametrize(("group", "arm"), _arms(config, case))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect cells and benchmarks that were not asked for; a name that no scenario has stops everything.

    Long cells go first. Benchmarks go before pytest-benchmark sees them: it warns of those that pytest-xdist disables.
    """
    dropped = set(_idle_benchmarks(config, items))
    config.stash[_IDLE] = bool(dropped) and len(dropped) == len(items)
    marked = [item for item in items if item.get_closest_marker(MARKER)]
    if marked and config.getoption("benchmark_only", False):
        dropped.update(marked)
    elif marked:
        dropped.update(_run(config).deselect(marked))
        items.sort(key=_run(config).is_short)
    if dropped:
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=list(dropped))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say how many cells there are."""
    cells = [item.nodeid for item in session.items if item.get_closest_marker(MARKER)]
    if cells:
        _run(session.config).announce(len(cells))
        if _is_dedicated(session.config):
            gc.freeze()  # cells collect what they leave behind; what is loaded by now need not be looked at each time


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Say how many cells there are, when a worker knows."""
    if _is_dedicated(node.config):
        _run(node.config).announce(len(ids))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a cell's coroutine, unless a plugin for such tests has made a function of it."""
    if pyfuncitem.get_closest_marker(MARKER) is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    import asyncio  # noqa: PLC0415  # of no use to who has no cells

    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}  # noqa: SLF001  # as pytest
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the cell showed on its report, which pytest-xdist carries to the controller."""
    report = yield
    if item.get_closest_marker(MARKER):
        vars(report)[MARKER] = _run(item.config).outcome_of(item, report)  # pytest-xdist carries what is in there
    elif item.get_closest_marker(BENCHMARKS):
        _run(item.config).mask(report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports, or, in a worker, hand over what could not be done."""
    run = session.config.stash.get(_RUN, None)
    if run is None:
        return
    if _worker_input(session.config):
        session.config.workeroutput[MARKER] = run.hand_over()  # type: ignore[attr-defined]  # pytest-xdist's
    elif (status := run.finish()) is not None and session.exitstatus in _GOOD:
        session.exitstatus = status


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The verdict table."""
    run = config.stash.get(_RUN, None)
    if run is not None and (text := run.summary()):
        terminalreporter.section("session verification")
        terminalreporter.write_line(text)
    if config.stash.get(_IDLE, False) and not _benchmarks_wanted(config):
        terminalreporter.write_line("these are benchmarks, for pytest-benchmark: they run under --benchmark-only")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that was started for the workers."""
    run = config.stash.get(_RUN, None)
    if run is not None:
        run.stop_server()


@pytest.fixture(scope="session")
def sessionproof_server(pytestconfig: pytest.Config) -> Iterator[RunningServer]:
    """A PostgreSQL server: the run's own, shared among pytest-xdist workers where they have a controller's."""
    try:
        with _run(pytestconfig).server() as running:
            yield running
    except SessionproofError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def sessionproof_clones(pytestconfig: pytest.Config, sessionproof_server: RunningServer) -> Clones:
    """Databases on that server: a template once a run, and copies of it."""
    return _run(pytestconfig).clones(sessionproof_server)


@pytest.fixture
def sessionproof_database_url(request: pytest.FixtureRequest, sessionproof_clones: Clones) -> Iterator[str]:
    """The URL of an empty PostgreSQL database for one test, for SQLAlchemy with asyncpg; it is dropped afterwards."""
    from harness.pytest_database import empty_database  # noqa: PLC0415  # heavy, and needed only where it is asked for

    with empty_database(sessionproof_clones, request.node.name) as url:
        yield url


@pytest.fixture(scope="session")
def sessionproof_backend(pytestconfig: pytest.Config) -> Backend:
    """The backend under test."""
    return _run(pytestconfig).backend


@pytest.fixture
def verify_cell(
    request: pytest.FixtureRequest, sessionproof_server: RunningServer, sessionproof_clones: Clones
) -> VerifyCell:
    """Run this test's cell, and fail unless it shows what its scenario expects; returns the cell's document."""
    run = _run(request.config)
    return run.verifier(request.param, request.node, sessionproof_server, sessionproof_clones)


@pytest.fixture
def measure_arm(
    benchmark: BenchmarkFixture,
    pytestconfig: pytest.Config,
    sessionproof_server: RunningServer,
    sessionproof_clones: Clones,
) -> MeasureArm:
    """Measure the arm of that group and name, and fail if it does not answer.

    There are as many rounds as `sessionproof bench` has at least, or as `--benchmark-min-rounds` says if that is more.
    """
    rounds: int = pytestconfig.getoption("benchmark_min_rounds")
    return _benchmarks(pytestconfig).measurer(benchmark, sessionproof_server, sessionproof_clones, rounds=rounds)


def _benchmarks_wanted(config: pytest.Config) -> bool:
    """Whether the options of pytest-benchmark, which need not be there, say so."""
    return any(config.getoption(f"benchmark_{option}", False) for option in ("only", "enable"))


def _arms(config: pytest.Config, case: pytest.Mark) -> list[Any]:
    """What a benchmark is parametrised with; nothing where something is in the way, which is said at the end."""
    try:
        if hasattr(config, "workerinput"):
            raise UsageError(f"{_ALONE}: leave out -n, or --benchmark-enable")
        return list(_benchmarks(config).parameters(*case.args))
    except SessionproofError as error:
        _run(config).note(error)
        return []


def _idle_benchmarks(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """The benchmarks, if they are not to run: not asked for, or something is in the way."""
    found = [item for item in items if item.get_closest_marker(BENCHMARKS)]
    return found if found and not (_benchmarks_wanted(config) and _run(config).is_ready) else []


def _benchmarks(config: pytest.Config) -> Benchmarks:
    if _BENCHMARKS not in config.stash:
        try:
            from harness.pytest_bench import Benchmarks  # noqa: PLC0415  # heavy, and of an extra
        except ModuleNotFoundError as error:
            raise EnvironmentMissing(
                f"benchmarks need {error.name}, and it is not installed; "
                "install the extra: pip install 'sessionproof[bench]'"
            ) from error
        config.stash[_BENCHMARKS] = Benchmarks(_run(config).backend, _run(config).config)
    return config.stash[_BENCHMARKS]


def _run(config: pytest.Config) -> Run:
    if _RUN not in config.stash:
        with without_plugins():
            from harness.pytest_run import Run  # noqa: PLC0415  # heavy, and needed only where the harness is used

        config.stash[_RUN] = Run(config, worker_input=_worker_input(config))
    return config.stash[_RUN]


def _watch_sessions(config: pytest.Config, options: Namespace) -> None:
    """Start the sanitizer, once."""
    given = options.sessionproof_sessions
    mode = config.getini(_SESSIONS) if given is None else given
    if mode == "off":
        if options.sessionproof_sessions_report is not None:
            raise pytest.UsageError(
                "--sessions-report has nothing to report, because no session is watched: add --sessions=raise"
            )
        if options.sessionproof_sessions is None and (said := misplaced(config.rootpath)):
            raise pytest.UsageError(said)
        return
    if config.pluginmanager.has_plugin("sessionproof-sessions"):
        return
    _look_at_settings(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, which another suite may have made errors
        try:
            with uncollected(), without_plugins():
                from harness import pytest_sessions  # noqa: PLC0415  # heavy, and needed only where it is asked for
        except Exception as error:  # what is loaded with it raises what it likes
            said = f"{type(error).__name__}: {error}"
            raise EnvironmentMissing(f"the session sanitizer cannot be loaded here: {said}") from error
        pytest_sessions.start(config, mode, report=_report_of(config, options))


def _look_at_settings(config: pytest.Config) -> None:
    """See that the table in pytest's root can be read, before anything is loaded that reads the same file."""
    try:
        read_table(config.rootpath)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


def _report_of(config: pytest.Config, options: Namespace) -> tuple[str, Path] | None:
    """The name of the report's place, and the folder to which it is relative, if a report is asked for."""
    if options.sessionproof_sessions_report is not None:
        return options.sessionproof_sessions_report, config.invocation_params.dir
    setting = config.getini(_SESSIONS_REPORT)
    return (setting, config.rootpath) if setting else None


def _worker_input(config: pytest.Config) -> str | None:
    value: str | None = getattr(config, "workerinput", {}).get(MARKER)
    return value


def _is_dedicated(config: pytest.Config) -> bool:
    """Whether this run was started for the harness: by the command, or in a project that says so."""
    return bool(config.getini(MARKER)) or config.getoption("sessionproof_events") is not None


def _distributes(config: pytest.Config) -> bool:
    return config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))
