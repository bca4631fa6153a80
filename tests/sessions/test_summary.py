"""What `pytest --sessions=MODE` says at the end: each root cause once, whole, with its tests."""

import re
import textwrap

import pytest

from tests.sessions.suites import ONE_WORKER, ROOT, THREE, WORKERS, Suite, failure_of

pytestmark = pytest.mark.processes


def test_the_readme(suite: Suite) -> None:
    """Its example is reported in the words that stand there, but for the numbers of tasks."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## In your own test suite")[2]
    blocks = re.findall(r"^```\w*\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)

    outcome = suite("", "--sessions=raise", "test_counts.py", test_counts=blocks[1])

    assert outcome.tests == {"test_counts": "FAILED"}, outcome.text
    assert re.sub(r"Task-\d+", "Task", outcome.summary) == re.sub(r"Task-\d+", "Task", blocks[2])


def test_what_the_summary_says(suite: Suite) -> None:
    """Each root cause once: the two accesses with their stacks, the repair, and the tests."""
    outcome = suite(THREE, "--sessions=collect")

    assert outcome.summary == textwrap.dedent("""\
        session race (overlap) on Session 4: the second operation began while the first was in flight
          first: Session.execute in task 'Ada'
            application.py:19 in share_quietly
            test_suite.py:10 in test_racy
            the task was created at
              application.py:19 in share_quietly
          second: Session.execute in task 'Ben'
            application.py:20 in share_quietly
            test_suite.py:10 in test_racy
            the task was created at
              application.py:20 in share_quietly
          the session was made at
            conftest.py:14 in session
          repair: give each task a session of its own
          seen in
            test_suite.py::test_racy
        """)


def test_every_test_that_shows_it_fails(suite: Suite) -> None:
    """Also if an earlier one has shown the same; each with its own stacks. The summary has it once, with all tests."""
    module = """
    async def test_one(session):
        await share_quietly(session)

    async def test_two(session):
        await share_quietly(session)
        await share_quietly(session)

    async def test_three(session):
        await share(session)
    """
    outcome = suite(module, "--sessions=collect")

    assert outcome.tests == {"test_one": "FAILED", "test_two": "FAILED", "test_three": "FAILED"}
    assert "session race (overlap, 2 times) on" in failure_of(outcome, "test_two")
    assert re.findall(r"in (test_\w+)", failure_of(outcome, "test_three")) == ["test_three", "test_three"]
    assert outcome.summary.count("session race") == 1
    assert outcome.summary.startswith("session race (overlap, 4 times) on")
    assert outcome.summary.endswith(
        "  seen in\n    test_suite.py::test_one\n    test_suite.py::test_two (2 times)\n    test_suite.py::test_three\n"
    )


def test_workers(suite: Suite) -> None:
    """With pytest-xdist the same tests fail, and the summary has what all workers found, once for each root cause."""
    module = """
    @pytest.mark.parametrize("number", range(4))
    async def test_racy(session, number):
        await share_quietly(session)

    @pytest.mark.parametrize("number", range(4))
    async def test_legal(engine, number):
        await use_side_by_side(engine)
    """
    outcome = suite(module, "--sessions=collect", *WORKERS)

    assert outcome.tests == {
        f"test_{kind}[{number}]": result
        for kind, result in (("racy", "FAILED"), ("legal", "PASSED"))
        for number in range(4)
    }, outcome.text
    assert outcome.summary.count("session race (overlap, 4 times)") == outcome.summary.count("session race") == 1
    assert sorted(re.findall(r"test_racy\[(\d)\]", outcome.summary)) == ["0", "1", "2", "3"]
    warned = suite(module, "--sessions=warn", *ONE_WORKER)
    assert warned.status == pytest.ExitCode.OK, warned.text
    assert "SessionRaceWarning: session race: application.py:19 and application.py:20 (overlap" in warned.text
    assert "8 passed, 4 warnings" in warned.text
