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
import warnings
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from pydantic import TypeAdapter

from harness.evidence import AccessSeen, RaceKind, SessionRace
from harness.sanitizer import SessionRaceWarning, Watch, WatchMode, describe, watch_sessions

__all__ = ["PLUGIN", "SessionWatch", "Tally", "start"]

PLUGIN = "sessionproof-sessions"
"""The name under which the plugin object is registered."""

_KEY = "session_races"
_OFF = "off"
_FAILING = frozenset({WatchMode.RAISE, WatchMode.COLLECT})
_PASSING = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
_FAILED = "THE SANITIZER FAILED, and watched no further: that nothing was found from then on means nothing."
_OUTSIDE = "outside of any test"
_TESTS_SHOWN = 20
_RACES: TypeAdapter[tuple[SessionRace, ...]] = TypeAdapter(tuple[SessionRace, ...])


def start(config: pytest.Config, mode: str) -> None:
    """Watch from now on until pytest is unconfigured.

    Raises:
        pytest.UsageError: There is no such mode.
        EnvironmentMissing: The installed libraries cannot be watched.
    """
    if mode not in _modes():
        raise pytest.UsageError(
            f"there is no mode {mode!r} for --sessions, or the setting `sessions`; the modes are {', '.join(_modes())}"
        )
    watch = SessionWatch(config, WatchMode(mode))
    config.add_cleanup(watch.stop)
    config.pluginmanager.register(watch, PLUGIN)


def _modes() -> tuple[str, ...]:
    return (_OFF, *WatchMode)


class Tally:
    """All that was found, by root cause: how often, and in which tests."""

    def __init__(self) -> None:
        self._findings: dict[Any, SessionRace] = {}
        self._tests: dict[Any, dict[str, int]] = {}

    def add(self, test: str, findings: Iterable[SessionRace]) -> None:
        """A test showed these."""
        for finding in findings:
            cause = _cause(finding)
            known = self._findings.get(cause)
            if known is None or (known.kind is RaceKind.UNORDERED and finding.kind is RaceKind.OVERLAP):
                self._findings[cause] = finding
            tests = self._tests.setdefault(cause, {})
            tests[test] = tests.get(test, 0) + finding.count

    def lines(self, *, tests_shown: int | None) -> list[str]:
        """One paragraph for each root cause."""
        lines = []
        for cause, finding in self._findings.items():
            tests = self._tests[cause]
            lines += [*describe(replace(finding, count=sum(tests.values()))).splitlines(), "  seen in"]
            lines += [f"    {test}{_times(count)}" for test, count in list(tests.items())[:tests_shown]]
            if tests_shown is not None and len(tests) > tests_shown:
                lines.append(f"    and {len(tests) - tests_shown} more, which -v shows")
            lines.append("")
        return lines


class SessionWatch:
    """The hooks of one process: pytest's own, a pytest-xdist worker's, or its controller's."""

    def __init__(self, config: pytest.Config, mode: WatchMode) -> None:
        self._config = config
        self._mode: str = mode
        self._watch = _watching(mode)
        self._watches_as: str = mode
        self._test = ""
        self._told: set[Any] = set()
        self._seen: tuple[SessionRace, ...] = ()
        self._untold = ""
        self._fails = False
        self._outside: list[SessionRace] = []
        self._tally = Tally()
        self._problems: list[str] = []
        self._limits: list[str] = []

    def stop(self) -> None:
        """Watch no more."""
        self._watch.stop()

    def pytest_report_header(self) -> str:
        """One line that says that it watches."""
        return f"sessions: watched, mode {self._mode}"

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
        except BaseException:  # as above
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
        except BaseException:  # as above
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
        self._seen, self._untold, self._fails = (), "", False
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take it off the report."""
        if seen := vars(report).get(_KEY):
            self._tally.add(report.nodeid, _RACES.validate_json(seen))

    def _charge(self, item: pytest.Item, *, then: str | None = None) -> None:
        """What the phase showed is the test's; it fails the test if the test has not shown it in an earlier phase.

        Once an error was raised, what the teardown meets, such as siblings still at work, is its consequence.
        """
        mode = self._watches_as
        self._test = item.nodeid
        self._seen = self._go_on(then or mode, item.nodeid)
        new = [finding for finding in self._seen if _cause(finding) not in self._told]
        is_consequence = mode == WatchMode.RAISE and bool(self._told)
        self._told.update(_cause(finding) for finding in new)
        self._untold = "\n\n".join(describe(finding) for finding in new)
        self._fails = bool(new) and mode in _FAILING and not is_consequence
        if mode == WatchMode.WARN:
            self._warn(new, item.nodeid)

    def _go_on(self, mode: str, where: str) -> tuple[SessionRace, ...]:
        """Go on in this mode with another watch; returns what the one before it has found."""
        ending, self._watch = self._watch, _watching(mode)
        ignored, self._watches_as = self._watches_as == _OFF, mode
        ending.stop()
        if ending.problems and not self._problems:
            self._problems = [f"{problem} (it was noticed at {where})" for problem in ending.problems]
        self._limits = list(dict.fromkeys((*self._limits, *ending.limits)))
        return () if ignored else ending.findings

    def _between(self, findings: Sequence[SessionRace]) -> None:
        """What was found while no test ran."""
        self._outside += findings
        self._tally.add(_OUTSIDE, findings)
        if self._mode == WatchMode.WARN:
            self._warn(findings, "")

    def _warn(self, findings: Iterable[SessionRace], test: str) -> None:
        """Past the filters, which may make errors of warnings: this mode fails nothing."""
        for finding in findings:
            place = finding.second.place
            file, line = (place.file, place.line) if place is not None else ("", 0)
            message = SessionRaceWarning(describe(finding))
            seen = warnings.WarningMessage(message, SessionRaceWarning, file, line)
            recorded = {"warning_message": seen, "nodeid": test, "when": "runtest", "location": None}
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=recorded)

    # -- the run ------------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide whether the run may pass, or, in a pytest-xdist worker, hand over what is on no test's report."""
        self._between(self._go_on(self._mode, _OUTSIDE))
        self._tally.add(self._test, self._seen)  # of a phase that was interrupted
        if hasattr(self._config, "workeroutput"):
            left = {"outside": _dump(self._outside), "problems": self._problems, "limits": self._limits}
            self._config.workeroutput[_KEY] = json.dumps(left)
        elif self._outside and self._mode in _FAILING and session.exitstatus in _PASSING:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif self._problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker hands over."""
        left = json.loads(getattr(node, "workeroutput", {}).get(_KEY, "{}"))
        outside = _RACES.validate_json(left.get("outside", "[]"))
        self._outside += outside
        self._tally.add(_OUTSIDE, outside)
        self._problems += [problem for problem in left.get("problems", ()) if problem not in self._problems]
        self._limits += [limit for limit in left.get("limits", ()) if limit not in self._limits]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What was found, what could not be seen, and whether the sanitizer failed."""
        found = self._tally.lines(tests_shown=_TESTS_SHOWN if self._config.get_verbosity() <= 0 else None)
        if not (found or self._problems or self._limits):
            return
        terminalreporter.section("session races")
        for problem in self._problems:
            terminalreporter.write_line(_FAILED, red=True, bold=True)
            terminalreporter.write_line(f"{problem}\n")
        for line in (*found, *(f"limit: {limit}" for limit in self._limits)):
            terminalreporter.write_line(line)


def _watching(mode: str) -> Watch:
    """A watch that is active. Warnings are the plugin's to make, outside of the program; off is not to be told."""
    return watch_sessions("collect" if mode in {_OFF, WatchMode.WARN} else mode).start()


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


def _cause(finding: SessionRace) -> Any:
    """What one mistake in the program has in common, in whatever test it shows."""
    places = tuple(_innermost(access) for access in (finding.first, finding.second))
    if finding.kind in {RaceKind.OVERLAP, RaceKind.UNORDERED}:
        return frozenset(places)
    return (finding.kind, *places)


def _innermost(access: AccessSeen) -> Any:
    return (access.place.file, access.place.line) if access.place is not None else access.operation


def _dump(findings: Iterable[SessionRace]) -> str:
    return _RACES.dump_json(tuple(findings)).decode()


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""
