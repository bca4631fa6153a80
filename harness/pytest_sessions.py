"""Every test of any suite under the session sanitizer: what `pytest --sessions=MODE` does.

Problem: a race for a session is a matter of the whole process, and most races raise nothing, or raise where somebody
swallows it; a suite wants to know which test showed it, and wants that test to fail.

Mechanism: at every moment one watch is active, from before the first conftest is imported until pytest is
unconfigured. The phases of a test have watches of their own: set-up and call one, teardown another. So what a phase
showed is what its watch found, with the stacks of that test, also if an earlier test has shown the same. A finding
fails the test in the call phase; what is first seen in the teardown is an error there. What was found travels on the
test reports, so that pytest-xdist's controller has it too.

Guarantee: a test's own failure and an expected failure stay what they are, with the findings added; a test that passed,
or was skipped after it raced, fails. The summary also has what was found outside of any test, what could be watched in
part only, and whether the sanitizer failed; a run whose sanitizer failed does not pass.
"""

import json
import shlex
import time
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from pydantic import TypeAdapter

from harness.errors import ConfigurationError, UsageError
from harness.evidence import SessionRace
from harness.imports import without_plugins
from harness.plurals import number_of
from harness.project_table import nearest_table
from harness.report.sessions_files import SessionsFiles, files_named, prepare_files
from harness.sanitizer import SessionRaceWarning, Suppressions, Watch, WatchMode, watch_sessions
from harness.sanitizer.causes import describe_cause, grouped, headline, origin_of, telling
from harness.sanitizer.reports import root_cause
from harness.sanitizer.tally import OUTSIDE, Found, Tally
from harness.suppressions import read_suppressions, today

if TYPE_CHECKING:
    from harness.report.sessions_document import SessionsDocument

__all__ = ["PLUGIN", "SessionWatch", "start"]

PLUGIN = "sessionproof-sessions"
"""The name under which the plugin object is registered."""

_KEY = "session_races"
_OUTSIDE = "outside of any test"
_OFF = "off"
_FAILING = frozenset({WatchMode.RAISE, WatchMode.COLLECT})
_PASSING = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
_CAUSES_SHOWN = 10
_PAIRS_SHOWN = 3
_TESTS_SHOWN = 20
_FOUND: TypeAdapter[Found] = TypeAdapter(Found)


def start(config: pytest.Config, mode: str, *, report: tuple[str, Path] | None = None) -> None:
    """Watch from now on until pytest is unconfigured, and write a report at its end.

    `report` is the name of the report's place, and the folder to which it is relative; `None` for no report.

    Raises:
        pytest.UsageError: There is no such mode, the report cannot have that name, or a suppression in the
            `pyproject.toml` that is read, the nearest one with the table from pytest's root upwards, is wrong.
        EnvironmentMissing: The installed libraries cannot be watched.
    """
    if mode not in _modes():
        raise pytest.UsageError(
            f"there is no mode {mode!r} for --sessions, or the setting `sessions`; the modes are {', '.join(_modes())}"
        )
    try:
        files = files_named(*report) if report is not None else None
        suppressions = read_suppressions(nearest_table(config.rootpath))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    watch = SessionWatch(config, WatchMode(mode), suppressions, files)
    config.add_cleanup(watch.stop)
    config.pluginmanager.register(watch, PLUGIN)


def _modes() -> tuple[str, ...]:
    return (_OFF, *WatchMode)


class SessionWatch:
    """The hooks of one process: pytest's own, a pytest-xdist worker's, or its controller's."""

    def __init__(
        self, config: pytest.Config, mode: WatchMode, suppressions: Suppressions, files: SessionsFiles | None = None
    ) -> None:
        self._config = config
        self._files = files
        self._not_written = ""
        self._mode: WatchMode = mode
        self._suppressions = suppressions
        self._watch = self._watching(mode)
        self._watches_as: str = mode
        self._test = ""
        self._told: set[Any] = set()
        self._seen = Found()
        self._untold = ""
        self._fails = False
        self._outside = Found()
        self._tally = Tally()
        self._problems: list[str] = []
        self._limits: list[str] = []
        self._unwatched: list[str] = []
        self._tests: set[str] = set()
        self._ended: set[str] = set()
        self._selected: set[str] = set()
        self._runs = False
        self._deselected = False
        self._charged = False
        self._stopped = ""
        self._workers = 0
        self._started_at, self._started = datetime.now().astimezone(), time.perf_counter()

    def stop(self) -> None:
        """Watch no more."""
        self._watch.stop()

    def pytest_report_header(self) -> str:
        """One line that says that it watches, and whose suppressions count."""
        count = len(self._suppressions.entries)
        entries = f"{count} suppression{'' if count == 1 else 's'} of {self._suppressions.root / 'pyproject.toml'}"
        return f"sessions: watched, mode {self._mode}{f', {entries}' if count else ''}"

    # -- a test -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """A test begins; what was found before it is not its own."""
        __tracebackhide__ = True
        mode, objection = _mode_of(item, self._mode)
        self._between(self._go_on(mode, _OUTSIDE))
        self._told.clear()
        try:
            result = yield
        except BaseException:  # whatever pytest raises, a skip too, what was found is this test's
            self._charge(item)
            raise
        if objection:  # not earlier: other plugins' teardowns rely on their set-ups
            _fail(objection)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """What set-up and call have shown fails the test, also if the program swallowed it."""
        __tracebackhide__ = True
        try:
            result = yield
        except BaseException:  # a skip and an exit, too: what was found is told, and it is raised on
            self._charge(item)
            raise
        self._charge(item)
        if self._fails:
            _fail(self._untold)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """What is first seen in the teardown is an error of it."""
        __tracebackhide__ = True
        try:
            result = yield
        except BaseException:  # a skip and an exit, too: what was found is told, and it is raised on
            self._charge(item, then=self._mode)
            raise
        self._charge(item, then=self._mode)
        if self._fails:
            _fail(self._untold)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what the phase showed on its report, which pytest-xdist carries to the controller."""
        report = yield
        if self._seen:
            vars(report)[_KEY] = _dump(self._seen)
        if self._fails and report.skipped and not hasattr(report, "wasxfail"):
            report.outcome, report.longrepr = "failed", self._untold
        elif self._untold and self._untold.partition("\n")[0] not in report.longreprtext:
            report.sections.append(("session races", self._untold))
        self._seen, self._untold, self._fails = Found(), "", False
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take it off the report."""
        if report.when == "setup" and not report.skipped:
            self._tests.add(report.nodeid)
        if report.when not in {"setup", "call"}:  # the teardown, or the end of a worker in the middle
            self._ended.add(report.nodeid)
        if seen := vars(report).get(_KEY):
            found = _FOUND.validate_json(seen)
            self._tally.add(report.nodeid, found)
            self._charged |= report.failed and bool(found.races)

    def _charge(self, item: pytest.Item, *, then: str | None = None) -> None:
        """What the phase showed is the test's; it fails the test if the test has not shown it in an earlier phase.

        Once an error was raised, what the teardown meets, such as siblings still at work, is its consequence.
        """
        mode = self._watches_as
        self._test = item.nodeid
        self._seen = self._go_on(then or mode, item.nodeid)
        new = [race for race in self._seen.races if root_cause(race) not in self._told]
        is_consequence = mode == WatchMode.RAISE and bool(self._told)
        self._told.update(map(root_cause, new))
        causes = grouped(new, partial(origin_of, test=item.nodeid), _itself)
        self._untold = "\n\n".join(
            describe_cause(cause, test=item.nodeid, most=_PAIRS_SHOWN, more="in the summary") for cause in causes
        )
        self._fails = bool(new) and mode in _FAILING and not is_consequence
        if mode == WatchMode.WARN:
            self._warn(new, item.nodeid)

    def _go_on(self, mode: str, where: str) -> Found:
        """Go on in this mode with another watch; returns what the one before it has found."""
        ending, self._watch = self._watch, self._watching(mode)
        ignored, self._watches_as = self._watches_as == _OFF, mode
        ending.stop()
        if ending.problems and not self._problems:
            self._problems = [f"{problem} (it was noticed at {where})" for problem in ending.problems]
        self._limits = list(dict.fromkeys((*self._limits, *ending.limits)))
        return Found() if ignored else Found(races=ending.findings, suppressed=ending.suppressed)

    def _watching(self, mode: str) -> Watch:
        """A watch that is active, with all stacks. Warnings are the plugin's to make; off is not to be told."""
        chosen = WatchMode.COLLECT if mode in {_OFF, WatchMode.WARN} else mode
        return watch_sessions(chosen, suppressions=self._suppressions, stacks=1.0).start()

    def _between(self, found: Found) -> None:
        """What was found while no test ran."""
        self._outside += found
        self._tally.add(OUTSIDE, found)
        if self._mode == WatchMode.WARN:
            self._warn(found.races, "")

    def _warn(self, findings: Iterable[SessionRace], test: str) -> None:
        """One line for each root cause, past the filters, which may make errors of warnings: this fails nothing."""
        for races in grouped(findings, partial(origin_of, test=test), _itself):
            place = races[telling(races)].second.place
            file, line = (place.file, place.line) if place is not None else ("", 0)
            message = SessionRaceWarning(f"{headline(races, test=test)}; the summary has it in full")
            seen = warnings.WarningMessage(message, SessionRaceWarning, file, line)
            recorded = {"warning_message": seen, "nodeid": test, "when": "runtest", "location": None}
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=recorded)

    # -- the run ------------------------------------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        """See that the report can be written, before anything runs for it."""
        if self._files is not None and self._reports:
            try:
                prepare_files(self._files)
            except ConfigurationError as error:
                raise pytest.UsageError(str(error)) from error

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The tests that are to run; pytest-xdist's controller has none of its own."""
        self._selected.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """All workers have the same."""
        self._selected.update(ids)

    def pytest_deselected(self) -> None:
        """A part of the tests is not to run."""
        self._deselected = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Nor is what cannot be collected."""
        self._deselected |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """From now on tests run, unless they are only shown."""
        self._runs = not self._config.option.collectonly

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Somebody interrupts the run, or it exits."""
        self._stopped = self._stopped or str(excinfo.value) or excinfo.typename

    @property
    def _left(self) -> tuple[str, ...]:
        """What was not watched because the run was stopped; a run that stops behind its last test was not."""
        left = len(self._selected - self._ended) if self._runs else 0
        if not left:
            return ()
        total = len(self._selected)
        return (
            f"stopped after {total - left} of {number_of(total, 'test')}: {self._stopped or 'it is not known why'}",
        )

    @property
    def _is_partial(self) -> bool:
        """Whether it is known that not all tests of the suite ran, so that what is unused may be used by others.

        A folder may have all of them.
        """
        option = self._config.option
        is_given = self._config.args_source is pytest.Config.ArgsSource.ARGS
        chosen = is_given and not all((self._config.invocation_params.dir / arg).is_dir() for arg in self._config.args)
        names = ("keyword", "markexpr", "collectonly", "lf", "ignore", "ignore_glob")
        narrowed = any(getattr(option, name, None) for name in names)
        return chosen or narrowed or self._deselected or bool(self._left) or not self._runs

    @property
    def _reports(self) -> bool:
        """Whether this process, and this run, is to write the report, if one is asked for."""
        return not hasattr(self._config, "workerinput") and not self._config.option.collectonly

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report, and decide whether the run may pass; in a worker, hand over what is on no test's report."""
        self._between(self._go_on(self._mode, _OUTSIDE))
        if hasattr(self._config, "workeroutput"):
            left = {
                "outside": _dump(self._outside),
                "problems": self._problems,
                "limits": self._limits,
                "deselected": self._deselected,
                "interrupted": [self._test, _dump(self._seen), self._fails],
            }
            self._config.workeroutput[_KEY] = json.dumps(left)
            return
        self._interrupted(self._test, self._seen, fails=self._fails)
        self._stopped = self._stopped or str(session.shouldfail or session.shouldstop or "")
        self._write()
        session.exitstatus = self._status(session.exitstatus)

    def _interrupted(self, test: str, seen: Found, *, fails: bool) -> None:
        """What a phase has shown that has no report, because the run was ended in it."""
        self._tally.add(test, seen)
        self._charged |= fails

    def _status(self, status: int) -> int:
        """What the run ends with, if it would end with this: `pytest.exit(returncode=0)` makes no test pass."""
        if status not in _PASSING:
            return status
        if self._charged or (self._outside.races and self._mode in _FAILING):
            return pytest.ExitCode.TESTS_FAILED
        blind = status == pytest.ExitCode.OK and bool(self._problems or self._unwatched)
        return pytest.ExitCode.INTERNAL_ERROR if blind or self._not_written else status

    def _write(self) -> None:
        if self._files is None or not self._reports:
            return
        with _libraries_warn_of_nothing():
            from harness.report.sessions_write import write_sessions  # noqa: PLC0415  # when tests are over

            try:
                write_sessions(self._document(), self._files)
            except ConfigurationError as error:
                self._not_written = str(error)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker hands over; one that was lost hands over nothing."""
        self._workers += 1
        given = getattr(node, "workeroutput", {}).get(_KEY)
        if given is None:
            self._unwatched.append(f"the worker {node.gateway.id} was lost, and with it what it had seen besides tests")
            return
        left = json.loads(given)
        outside = _FOUND.validate_json(left["outside"])
        self._outside += outside
        self._tally.add(OUTSIDE, outside)
        test, seen, fails = left["interrupted"]
        self._interrupted(test, _FOUND.validate_json(seen), fails=fails)
        self._deselected |= left["deselected"]
        self._problems += [problem for problem in left["problems"] if problem not in self._problems]
        self._limits += [limit for limit in left["limits"] if limit not in self._limits]

    # quoted, because pytest has that name for others to use only since 8.4
    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """What was found, what could not be seen, whether the sanitizer failed, and where the report is."""
        if not self._has_something_to_say():
            return
        with _libraries_warn_of_nothing():
            from harness.report.sessions_terminal import FAILED, UNWATCHED, TerminalLimits, paragraphs  # noqa: PLC0415  # as above

            document = self._document()
        terminalreporter.section("session races")
        for said, what in ((document.problems, FAILED), (document.unwatched, UNWATCHED)):
            for each in said:
                terminalreporter.write_line(what, red=True, bold=True)
                terminalreporter.write_line(f"{each}\n")
        every = self._config.get_verbosity() > 0
        limits = TerminalLimits(causes=_CAUSES_SHOWN, pairs=_PAIRS_SHOWN, tests=_TESTS_SHOWN, more=self._more)
        for line in paragraphs(document, limits=None if every else limits):
            terminalreporter.write_line(line)
        if self._not_written:
            terminalreporter.write_line(self._not_written, red=True, bold=True)
        elif self._files is not None and self._reports:
            terminalreporter.write_line(f"report: {self._files.page}, made of {self._files.document}")

    @property
    def _more(self) -> str:
        """Where that is which has no room on the terminal."""
        if self._files is not None and self._reports:
            return f"shown by -v, and in {self._files.page.name}"
        return "shown by -v, and in the report of --sessions-report=FILE"

    def _has_something_to_say(self) -> bool:
        said = (self._problems, self._unwatched, self._left, self._limits, self._suppressions.entries)
        return any(said) or bool(self._tally) or (self._files is not None and self._reports)

    def _document(self) -> "SessionsDocument":
        """What is known of the run, without secrets."""
        from harness.masking import masked, masker  # noqa: PLC0415  # as above
        from harness.report.sessions_make import SuiteRun, sessions_document  # noqa: PLC0415  # as above

        run = SuiteRun(
            command=shlex.join(["pytest", *map(str, self._config.invocation_params.args)]),
            mode=self._mode,
            started_at=self._started_at,
            seconds=time.perf_counter() - self._started,
            directory=self._config.rootpath,
            tests=len(self._tests),
            workers=self._workers,
            tally=self._tally,
            suppressions=self._suppressions.entries,
            ended_on=today(),
            is_partial=self._is_partial,
            limits=tuple(self._limits),
            problems=tuple(self._problems),
            unwatched=(*self._unwatched, *self._left),
        )
        return masked(sessions_document(run), masker())


@contextmanager
def _libraries_warn_of_nothing() -> Iterator[None]:
    """What is loaded late may warn, and the suite's filters may make errors of that; pydantic's plugins do, too."""
    with warnings.catch_warnings(), without_plugins():
        warnings.simplefilter("ignore")
        yield


def _fail(text: str) -> NoReturn:
    """Fail the phase; this frame is not hidden, because pytest has something to say if all are."""
    pytest.fail(text, pytrace=False)


def _mode_of(item: pytest.Item, default: str) -> tuple[str, str]:
    """The mode that the test's marker asks for, and what is wrong with the marker."""
    marker = item.get_closest_marker("sessions")
    if marker is None:
        return default, ""
    given = (*marker.args, *marker.kwargs.values())
    if len(given) == 1 and given[0] in _modes():
        return str(given[0]), ""
    got = ", ".join(map(repr, given)) or "nothing"
    return default, f"the marker `sessions` takes one mode of {', '.join(_modes())}, and got {got}"


def _itself(race: SessionRace) -> SessionRace:
    return race


def _dump(found: Found) -> str:
    return _FOUND.dump_json(found).decode()
