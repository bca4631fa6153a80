"""The modes of `pytest --sessions=MODE`: which tests fail, which only are told of, and that a legal suite passes."""

import re

import pytest

from tests.sessions.suites import THREE, Outcome, Suite, SuiteOften

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def three(suite_often: SuiteOften) -> dict[str, Outcome]:
    """What became of three tests in each mode."""
    modes = ("raise", "collect", "warn", "log")
    return dict(zip(modes, suite_often(THREE, *((f"--sessions={mode}",) for mode in modes)), strict=True))


@pytest.mark.parametrize("mode", ["raise", "collect"])
def test_the_racy_one_of_three_fails(three: dict[str, Outcome], mode: str) -> None:
    """Though its program swallowed every error, and no other test."""
    outcome = three[mode]

    assert outcome.tests == {"test_before": "PASSED", "test_racy": "FAILED", "test_after": "PASSED"}, outcome.text
    assert outcome.status == pytest.ExitCode.TESTS_FAILED
    assert f"sessions: watched, mode {mode}\n" in outcome.text
    assert "FAILED test_suite.py::test_racy - Failed: session race (overlap) on Session" in outcome.text
    assert "traceback entries are hidden" not in outcome.text


@pytest.mark.parametrize("mode", ["warn", "log"])
def test_modes_that_only_say_it(three: dict[str, Outcome], mode: str) -> None:
    """No test fails, though the suite makes errors of warnings; the finding is a warning, or in the log."""
    outcome = three[mode]

    assert outcome.status == pytest.ExitCode.OK, outcome.text
    assert set(outcome.tests.values()) == {"PASSED"}
    assert "seen in\n    test_suite.py::test_racy\n" in outcome.summary
    assert ("application.py:20: SessionRaceWarning: session race: application.py:19 and" in outcome.text) is (
        mode == "warn"
    )
    assert ("WARNING  harness.sanitizer:race_log.py" in outcome.text) is (mode == "log")


def test_a_legal_suite_is_left_alone(suite: Suite) -> None:
    """Its tests pass, and apart from the line in the header nothing is said."""
    module = """
    async def test_tasks(engine):
        await use_side_by_side(engine)

    @pytest.mark.parametrize("turn", range(2))
    async def test_session(session, turn):
        await asyncio.wait_for(session.execute(SELECT), 10)
        await asyncio.create_task(session.execute(SELECT))

    async def test_locked(session):
        async def one():
            async with lock:
                await session.execute(SELECT)

        await asyncio.gather(one(), one())

    lock = asyncio.Lock()
    """
    mute = ("--sessions=raise", "-q", "-r", "f", "-W", "default")
    watched, unwatched = suite(module, *mute), suite(module, *mute, "--sessions=off")

    assert watched.status == unwatched.status == pytest.ExitCode.OK, watched.text
    assert _without_times(watched.text) == _without_times(unwatched.text)


def _without_times(text: str) -> str:
    return re.sub(r" in [\d.]+s", "", text)


def test_markers(suite: Suite) -> None:
    """A marker exempts a test, or has it watched in another mode; one that makes no sense is an error of its test."""
    module = """
    @pytest.mark.sessions("off")
    async def test_exempt(session):
        await share(session)

    @pytest.mark.sessions("log")
    async def test_logged(session):
        await share(session)

    @pytest.mark.sessions("of")
    async def test_misspelt(session):
        pass

    async def test_racy(session):
        await share_quietly(session)
    """
    outcome = suite(module, "--sessions=raise")

    passed, failed = (
        {"test_exempt": "PASSED", "test_logged": "PASSED"},
        {"test_misspelt": "ERROR", "test_racy": "FAILED"},
    )
    assert outcome.tests == passed | failed, outcome.text
    assert "the marker `sessions` takes one mode of off, raise, warn, collect, log, and got 'of'" in outcome.text
    assert sorted(re.findall(r"    test_suite.py::(\w+)", outcome.summary)) == ["test_logged", "test_racy"]


def test_markers_mean_nothing_without_the_option(suite: Suite) -> None:
    """They are known, for suites whose markers are strict, and nothing of the sanitizer is loaded."""
    module = """
    import sys

    @pytest.mark.sessions("off")
    async def test_marked(session):
        await share(session)

    def test_light():
        assert not {name for name in sys.modules if name.startswith(("harness.sanitizer", "harness.pytest_sessions"))}
    """
    outcome = suite(module)

    assert outcome.tests == {"test_marked": "PASSED", "test_light": "PASSED"}, outcome.text
    assert "sessions: watched" not in outcome.text
    assert (
        "@pytest.mark.sessions(mode): under --sessions, watch the test in another mode" in suite("", "--markers").text
    )


def test_the_setting_and_the_option(suite: Suite) -> None:
    """The setting `sessions` does the same; the option wins; a mode that does not exist, or none, is wrong usage."""
    collect, wrong = "sessions = collect\n", "sessions = yes\n"
    message = "for --sessions, or the setting `sessions`; the modes are off, raise, warn, collect, log"

    assert suite(THREE, settings=collect).tests["test_racy"] == "FAILED"
    assert suite(THREE, "--sessions=off", settings=collect).tests["test_racy"] == "PASSED"
    refused = {
        "strict": suite(THREE, "--sessions=strict"),
        "yes": suite(THREE, settings=wrong),
        "": suite(THREE, "--sessions="),  # of a variable that is not set: nothing would be watched, and all pass
    }
    for mode, outcome in refused.items():
        assert outcome.status == pytest.ExitCode.USAGE_ERROR
        assert outcome.text.strip() == f"ERROR: there is no mode {mode!r} {message}"


def test_a_database_that_cannot_be_given_is_one_message(suite: Suite) -> None:
    """Of the test that asks for it, without a line of the plugin's own code."""
    test = "def test_asks(sessionproof_database_url):\n    pass\n"

    outcome = suite(test, "--sessionproof-postgres=mysql://u:hunter22@h/d", plugins="")

    assert "the database URL starts with 'mysql'; expected one of" in outcome.text
    assert "Traceback" not in outcome.text
    assert "pytest_run.py" not in outcome.text
    assert "hunter22" not in outcome.text
