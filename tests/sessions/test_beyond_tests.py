"""What `pytest --sessions=MODE` says of a run, and of no test: what is around tests, and a sanitizer that failed."""

import pytest

from tests.sessions.suites import CONFTEST, CONFTEST_THAT_RACES, ONE_WORKER, THREE, Suite

pytestmark = pytest.mark.processes


def test_outside_of_any_test(suite: Suite) -> None:
    """What a conftest does when it is imported is watched; no test fails for it, but the run does."""
    module = """
    def test_sync():
        pass
    """
    outcome = suite(module, "--sessions=collect", conftest=CONFTEST_THAT_RACES)

    assert outcome.status == pytest.ExitCode.TESTS_FAILED, outcome.text
    assert outcome.tests == {"test_sync": "PASSED"}
    assert outcome.summary.endswith("  seen in\n    outside of any test\n")
    warned = suite(module, "--sessions=warn", conftest=CONFTEST_THAT_RACES)
    assert warned.status == pytest.ExitCode.OK, warned.text
    assert "SessionRaceWarning: session race: application.py:19 and application.py:20 (overlap" in warned.text


BREAKS = """
import sys
import types
from harness.sanitizer.runtime import runtime

def test_limited():
    sys.modules["aiosqlite"] = types.ModuleType("aiosqlite")

def test_breaks_it():
    runtime.fail(RuntimeError("broken"), "this test")

async def test_after(session):
    await share(session)
"""


def test_a_sanitizer_that_fails(suite: Suite) -> None:
    """The run does not pass: that nothing was found means nothing then."""
    outcome = suite(BREAKS, "--sessions=collect", conftest=CONFTEST)

    assert set(outcome.tests.values()) == {"PASSED"}
    assert outcome.status == 3, outcome.text
    assert outcome.summary.startswith(
        "THE SANITIZER FAILED, and watched no further: that nothing was found from then on"
    )
    assert "the sanitizer failed in this test and watched no further: RuntimeError: broken" in outcome.summary
    assert "(it was noticed at test_suite.py::test_breaks_it)" in outcome.summary


def test_a_limit_is_said(suite: Suite) -> None:
    """A driver that is watched through SQLAlchemy alone; nothing fails for it."""
    outcome = suite(BREAKS, "--sessions=collect", "-k", "limited")

    assert outcome.status == pytest.ExitCode.OK
    assert outcome.summary.startswith("limit: the driver aiosqlite is not watched itself")


def test_what_workers_hand_over(suite: Suite) -> None:
    """What is on no test's report: findings outside of tests, a sanitizer that failed, limits."""
    outcome = suite(BREAKS, "--sessions=collect", *ONE_WORKER, conftest=CONFTEST + CONFTEST_THAT_RACES)

    assert outcome.status == pytest.ExitCode.TESTS_FAILED, outcome.text
    assert set(outcome.tests.values()) == {"PASSED"}
    for said in ("THE SANITIZER FAILED", "seen in\n    outside of any test", "limit: the driver aiosqlite"):
        assert outcome.summary.count(said) == 1, outcome.summary


@pytest.mark.parametrize(
    "lack",
    ["import asyncio\ndel asyncio.tasks._GatheringFuture", "import sqlalchemy.orm\ndel sqlalchemy.orm.Session.merge"],
)
def test_libraries_that_cannot_be_watched(suite: Suite, lack: str) -> None:
    """A name that the sanitizer needs and the installed library lacks ends the run before it begins."""
    outcome = suite(THREE, "--sessions=collect", "-p", "lacking", lacking=lack)

    assert outcome.status == 3, outcome.text
    assert "the session sanitizer cannot " in outcome.text
    assert f"has no attribute {lack.rpartition('.')[2]!r}" in outcome.text
    assert outcome.tests == {}


def test_everything_is_restored(suite: Suite) -> None:
    """After pytest has ended in a process that goes on, also if it ended early, nothing is instrumented."""
    program = """
    import asyncio, _asyncio, sys
    import pytest

    def main(*arguments):
        return pytest.main(["-p", "no:cacheprovider", "-p", "harness.pytest_plugin", "--sessions=collect", *arguments])

    def test_restored():
        inner = main("application.py", "--import-mode=importlib")
        assert inner == pytest.ExitCode.NO_TESTS_COLLECTED
        assert asyncio.Future is _asyncio.Future
        assert main("--no-such-option") == pytest.ExitCode.USAGE_ERROR
        assert asyncio.Future is _asyncio.Future
    """
    outcome = suite(program, plugin="no:asyncio", conftest="")

    assert outcome.tests == {"test_restored": "PASSED"}, outcome.text
