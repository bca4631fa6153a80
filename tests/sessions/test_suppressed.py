"""Suppressions under `pytest --sessions=MODE`: which tests pass for them, and what the summary says of each entry."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.sessions.suites import ONE_WORKER, WORKERS, Outcome, Suite, SuiteOften, failure_of, run_suite

pytestmark = pytest.mark.processes

KNOWN = """
async def test_known(session):
    await share_quietly(session)

async def test_another(session):
    await asyncio.gather(session.execute(SELECT), session.execute(SELECT), return_exceptions=True)
"""
PROJECT = """
[[tool.sessionproof.suppress]]
finding = "overlap"
at = "application.py:share_quietly"
reason = "the legacy report shares; it moves in spring"
expires = 9999-12-31

[[tool.sessionproof.suppress]]
at = "gone.py"
reason = "repaired long ago"
expires = 9999-12-31

[[tool.sessionproof.suppress]]
at = "test_suite.py:test_another"
reason = "overdue"
expires = 2020-01-01
"""


@pytest.mark.parametrize("mode", ["raise", "collect"])
def test_a_known_mistake_fails_no_test(suite: Suite, mode: str) -> None:
    """Others do, and so does one whose date is over; each entry is told of, with its reason."""
    outcome = suite(KNOWN, f"--sessions={mode}", project=PROJECT)

    assert outcome.tests == {"test_known": "PASSED", "test_another": "FAILED"}, outcome.text
    assert "test_another" in failure_of(outcome, "test_another")
    assert outcome.summary.count("session race") == 1
    assert outcome.summary.partition("suppressed: ")[2] == textwrap.dedent("""\
        overlap on Session 1, application.py:19 and application.py:20
          reason: the legacy report shares; it moves in spring (suppression 1, until 9999-12-31)
          seen in
            test_suite.py::test_known

        unused: suppression 2 (at gone.py) matched nothing in this run of 2 tests; if these are all, it can go
        expired: suppression 3 (at test_suite.py:test_another) suppresses nothing since 2020-01-01 is over: overdue""")


PARTS = (
    ("-k", "nothing_like_it or known"),
    ("-m", "not slow"),
    ("test_suite.py",),
    ("--deselect", "test_suite.py::test_another"),
    ("--ignore", "elsewhere"),
    ("--collect-only",),
    ("-x",),
)


@pytest.fixture(scope="module")
def parts(suite_often: SuiteOften) -> dict[tuple[str, ...], Outcome]:
    """What became of each part."""
    module = f"{KNOWN}\ndef test_last():\n    pass\n"
    outcomes = suite_often(module, *(("--sessions=raise", *arguments) for arguments in PARTS), project=PROJECT)
    return dict(zip(PARTS, outcomes, strict=True))


@pytest.mark.parametrize("arguments", PARTS, ids=lambda arguments: arguments[0])
def test_a_part_of_the_suite(parts: dict[tuple[str, ...], Outcome], arguments: tuple[str, ...]) -> None:
    """Cannot say that an entry may go, and does not; also if the run stopped before its last test."""
    outcome = parts[arguments]

    assert "not met: suppression 2 (at gone.py) matched nothing in this part of the tests" in outcome.summary
    assert "it can go" not in outcome.text


def test_a_part_of_the_suite_in_workers(suite: Suite) -> None:
    """Neither: what they deselect, the controller knows."""
    outcome = suite(
        KNOWN, "--sessions=raise", *ONE_WORKER, "--deselect", "test_suite.py::test_another", project=PROJECT
    )

    assert "not met: suppression 2 (at gone.py) matched nothing in this part of the tests" in outcome.summary


def test_a_folder_may_have_all_tests(suite: Suite) -> None:
    """So that what is said of an entry is what is said of a whole run, with its number of tests."""
    outcome = suite(KNOWN, "--sessions=raise", ".", project=PROJECT)

    assert "unused: suppression 2 (at gone.py) matched nothing in this run of 2 tests" in outcome.summary


def test_workers_and_phases(suite: Suite) -> None:
    """With pytest-xdist the controller knows what each worker's entries named; set-up and teardown count, too."""
    module = """
    @pytest.fixture
    async def shared(session):
        await share_quietly(session)
        yield
        await share_quietly(session)

    @pytest.mark.parametrize("number", range(4))
    async def test_known(shared, number):
        pass
    """
    outcome = suite(module, "--sessions=raise", *WORKERS, project=PROJECT)

    assert outcome.status == pytest.ExitCode.OK, outcome.text
    assert outcome.summary.startswith("suppressed: overlap, 8 times on Session")
    assert [f"test_known[{number}] (2 times)" in outcome.summary for number in range(4)] == [True] * 4
    assert "unused: suppression 2 (at gone.py) matched nothing in this run of 4 tests" in outcome.summary
    assert "unused: suppression 1" not in outcome.summary


def test_wrong_entries_are_wrong_usage(suite: Suite, tmp_path: Path) -> None:
    """One line, before anything runs; without the flag nothing is said of them."""
    project = PROJECT.replace("reason =", "raeson =", 1)
    watched, unwatched = (suite(KNOWN, f"--sessions={mode}", project=project) for mode in ("raise", "off"))

    assert watched.status == pytest.ExitCode.USAGE_ERROR
    assert watched.text.strip() == (
        f"ERROR: {tmp_path}/pyproject.toml: entry 1 of [[tool.sessionproof.suppress]]: unknown key 'raeson'; "
        "did you mean 'reason'?"
    )
    assert unwatched.status == pytest.ExitCode.OK, unwatched.text


def test_names_that_nobody_reads(suite: Suite, tmp_path: Path) -> None:
    """A mistyped table is wrong usage where sessions are watched, and a setting of pytest's in ours wherever it is."""
    mistyped = PROJECT.replace("suppress", "supress")
    misplaced = '[tool.sessionproof]\nsessions = "raise"'
    watched, plain, off = (
        suite(KNOWN, "--sessions=raise", project=mistyped),
        suite(KNOWN, project=misplaced),
        suite(KNOWN, "--sessions=off", project=misplaced),
    )

    assert (watched.status, plain.status) == (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.USAGE_ERROR)
    assert watched.text.strip() == (
        f"ERROR: {tmp_path}/pyproject.toml: unknown setting 'supress'; did you mean 'suppress'?"
    )
    assert plain.text.startswith(f"ERROR: {tmp_path}/pyproject.toml: 'sessions' stands in [tool.sessionproof], where")
    assert off.status == pytest.ExitCode.OK, off.text


def test_a_root_below_the_table(suite: Suite, tmp_path: Path) -> None:
    """Suppressions are those of the nearest table upwards, and so are their folders; the header says whose they are."""
    (tmp_path / "packages").mkdir()
    (tmp_path / ".git").mkdir()
    below = suite(KNOWN, "--sessions=raise", "--rootdir=packages", "-k", "known", project=PROJECT)

    assert below.status == pytest.ExitCode.OK, below.text
    assert f"sessions: watched, mode raise, 3 suppressions of {tmp_path}/pyproject.toml\n" in below.text
    assert "suppressed: overlap on Session" in below.summary


@pytest.mark.parametrize("project", ["[tool.sessionproof", "[project]\nname = "])
def test_a_file_that_is_no_toml(tmp_path: Path, project: str) -> None:
    """Is one line with the file and the line in it, whoever comes upon it first, pytest or the flag."""
    by_pytest = run_suite(tmp_path, {}, KNOWN, "--sessions=raise", project=project)
    by_flag = run_suite(tmp_path, {}, KNOWN, "--sessions=raise", "-c", "pytest.ini", project=project)

    for outcome in (by_pytest, by_flag):
        assert outcome.status == pytest.ExitCode.USAGE_ERROR
        (line,) = outcome.text.strip().splitlines()
        assert line.startswith(f"ERROR: {tmp_path}/pyproject.toml")
    assert " is not valid TOML: " in by_flag.text
    assert re.search(r"\(at line \d, ", by_flag.text)


def test_a_file_that_is_no_toml_in_another_folder_than_the_root(tmp_path: Path) -> None:
    """Nobody asks for it: the flag loads no plugin of Pydantic's that would read it, and watches."""
    (tmp_path / "root").mkdir()
    nowhere = {"DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"}
    outcome = run_suite(
        tmp_path, nowhere, KNOWN, "--sessions=raise", "-c", "pytest.ini", "--rootdir=root", project="[project"
    )

    assert "sessions: watched, mode raise\n" in outcome.text
    assert outcome.tests == {"test_known": "FAILED", "test_another": "FAILED"}
    assert "pyproject.toml" not in outcome.text
