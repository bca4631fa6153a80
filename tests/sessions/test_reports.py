"""`pytest --sessions --sessions-report`: what is written, by whom, and what is said where it cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.report.reading import read_document
from harness.report.sessions_document import SessionsDocument, SuppressionState
from harness.sanitizer import WatchMode
from harness.verdict import Verdict
from tests.sessions.suites import ONE_WORKER, THREE, WORKERS, Outcome, Suite, SuiteOften

pytestmark = pytest.mark.processes


def _read(path: Path) -> SessionsDocument:
    document = read_document(path)
    assert isinstance(document, SessionsDocument)
    return document


PROJECT = """
[[tool.sessionproof.suppress]]
at = "application.py:share_quietly"
through = "test_suite.py:test_known"
reason = "moves in spring"
expires = 9999-12-31
"""
SEVERAL = """
@pytest.mark.parametrize("number", range(3))
async def test_racy(session, number):
    await share_quietly(session)

async def test_known(session):
    await share_quietly(session)

@pytest.mark.skip(reason="never")
def test_skipped():
    pass
"""


@pytest.mark.parametrize("workers", [(), WORKERS])
def test_what_is_written(suite: Suite, tmp_path: Path, workers: tuple[str, ...]) -> None:
    """By one process with all that was found, with pytest-xdist too; the command renders it again."""
    outcome = suite(SEVERAL, "--sessions=collect", "--sessions-report=out/", *workers, project=PROJECT)
    document = _read(tmp_path / "out" / "run.json")

    assert outcome.status == pytest.ExitCode.TESTS_FAILED, outcome.text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "run.json"]
    assert outcome.summary.endswith(f"report: {tmp_path}/out/report.html, made of {tmp_path}/out/run.json")
    assert (document.mode, document.verdict, document.tests) == (WatchMode.COLLECT, Verdict.FAILED, 4)
    assert document.workers == (2 if workers else 0)
    (race,) = document.races
    assert sorted((each.test, each.count) for each in race.seen) == [
        (f"test_suite.py::test_racy[{number}]", 1) for number in range(3)
    ]
    assert [place.function for place in race.race.second.stack] == ["test_racy", "share_quietly"]
    (known,) = document.suppressed
    assert [(each.number, each.state) for each in document.suppressions] == [(1, SuppressionState.USED)]
    assert (known.by, [each.test for each in known.seen]) == ((1,), ["test_suite.py::test_known"])
    assert document.environment.packages["sqlalchemy"][0] == "2"

    shown = CliRunner().invoke(main, ["report", str(tmp_path / "out" / "run.json")])
    assert shown.exit_code == 0
    assert "1 session race, by root cause\n4 tests ran" in shown.output
    assert "reason: moves in spring" in shown.output


def test_a_clean_run(suite: Suite, tmp_path: Path) -> None:
    """Has a report, too, by the setting, from pytest's root; without the flag the setting means nothing."""
    module = """
    async def test_legal(engine):
        await use_side_by_side(engine)
    """
    setting = "sessions_report = found.html\n"
    unwatched = suite(module, settings=setting)
    assert (unwatched.status, list(tmp_path.glob("found.*"))) == (pytest.ExitCode.OK, [])

    outcome = suite(module, "--sessions=raise", settings=setting)

    assert outcome.status == pytest.ExitCode.OK, outcome.text
    assert outcome.summary == f"report: {tmp_path}/found.html, made of {tmp_path}/found.json"
    assert _read(tmp_path / "found.json").verdict is Verdict.PASSED
    assert "No session race was found" in (tmp_path / "found.html").read_text(encoding="utf-8")


def test_no_secret_is_written(suite: Suite, tmp_path: Path) -> None:
    """Neither in the report nor on the terminal: tasks may be called anything."""
    module = """
    async def test_racy(session):
        for name in "ab":
            task = asyncio.create_task(session.execute(SELECT), name=f"postgresql://app:s3cr3t-pass@db/{name}")
        await asyncio.gather(task, session.execute(SELECT), return_exceptions=True)
    """
    outcome = suite(module, "--sessions=collect", "--sessions-report=out.json")

    assert "postgresql://app:***@db/" in outcome.summary
    assert "s3cr3t-pass" not in outcome.summary
    for name in ("out.json", "out.html"):
        assert "s3cr3t-pass" not in (tmp_path / name).read_text(encoding="utf-8")


WRONG = {
    ("--sessions=raise", "--sessions-report=out"): "ERROR: the report of sessions cannot be 'out': name a file",
    ("--sessions=raise", "--sessions-report="): "ERROR: the report of sessions cannot be '': name a file",
    ("--sessions-report=out/",): "ERROR: --sessions-report has nothing to report, because no session is watched",
    ("--sessions=raise", "--sessions-report=pytest.ini/"): "ERROR: the report of sessions cannot be written to ",
    ("--sessions=raise", "--sessions-report=mine.json"): "ERROR: the report of sessions would overwrite ",
}


@pytest.fixture(scope="module")
def refused(suite_often: SuiteOften) -> dict[tuple[str, ...], Outcome]:
    """What became of each wrong call, where there is a `mine.json`; of the last one, with what stands there then."""
    module = """
    from pathlib import Path

    def test_shows():
        print("mine:", Path("mine.json").read_text())
    """
    *outcomes, shown = suite_often(module, *WRONG, (), mine="[]")
    assert "mine: []\n" in shown.text
    return dict(zip(WRONG, outcomes, strict=True))


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage(refused: dict[tuple[str, ...], Outcome], arguments: tuple[str, ...]) -> None:
    """Is told in one line before anything runs, and nothing is overwritten."""
    outcome = refused[arguments]

    assert outcome.status == pytest.ExitCode.USAGE_ERROR, outcome.text
    assert outcome.text.strip().splitlines()[-1].startswith(WRONG[arguments])
    assert outcome.tests == {}


def test_a_report_that_cannot_be_written(suite: Suite) -> None:
    """Because its folder became something else meanwhile: the run does not pass, and it is said."""
    module = """
    import shutil
    from pathlib import Path

    def test_takes_the_folder():
        shutil.rmtree("out")
        Path("out").write_text("mine")
    """
    outcome = suite(module, "--sessions=raise", "--sessions-report=out/")

    assert outcome.tests == {"test_takes_the_folder": "PASSED"}
    assert outcome.status == pytest.ExitCode.INTERNAL_ERROR, outcome.text
    assert "the report of sessions cannot be written to " in outcome.summary


def test_a_run_that_only_collects_writes_nothing(suite: Suite, tmp_path: Path) -> None:
    """And leaves what an earlier one wrote."""
    suite(THREE, "--sessions=log", "--sessions-report=out/")
    before = (tmp_path / "out" / "run.json").read_bytes()

    outcome = suite(THREE, "--sessions=log", "--sessions-report=out/", "--collect-only")

    assert outcome.status == pytest.ExitCode.OK, outcome.text
    assert (tmp_path / "out" / "run.json").read_bytes() == before


DYING = """
import os

async def test_before(session):
    await share_quietly(session)

def test_dies():
    os._exit(7)
"""


def test_a_worker_that_is_lost(suite: Suite, tmp_path: Path) -> None:
    """What it had seen besides tests is not known, and is not taken for nothing."""
    outcome = suite(DYING, "--sessions=log", "--sessions-report=out/", *ONE_WORKER)
    written: dict[str, Any] = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))

    assert outcome.status == pytest.ExitCode.TESTS_FAILED, outcome.text
    assert "NOT EVERYTHING WAS WATCHED" in outcome.summary
    assert len(written["unwatched"]) == 1
    assert "was lost" in written["unwatched"][0]


STOPPED = """
import os

async def test_first(session):
    await session.execute(SELECT)

def test_stops():
    HOW

@pytest.mark.parametrize("number", range(6))
async def test_never(session, number):
    await share_quietly(session)
"""


@pytest.mark.parametrize(
    ("how", "arguments", "said"),
    [
        ("raise KeyboardInterrupt", (), "stopped after 1 of 8 tests: KeyboardInterrupt"),
        ("pytest.exit('enough', returncode=0)", (), "stopped after 1 of 8 tests: enough"),
        ("assert 0", ("-x",), "stopped after 2 of 8 tests: stopping after 1 failures"),
    ],
)
def test_a_run_that_is_stopped(suite: Suite, tmp_path: Path, how: str, arguments: tuple[str, ...], said: str) -> None:
    """Has not found nothing in the tests that never ran."""
    outcome = suite(STOPPED.replace("HOW", how), "--sessions=collect", "--sessions-report=out/", *arguments)
    document = _read(tmp_path / "out" / "run.json")

    assert (document.verdict, document.races, document.unwatched) == (Verdict.UNKNOWN, (), (said,)), outcome.text
    assert said in outcome.summary


def test_a_run_that_is_stopped_in_workers(suite: Suite, tmp_path: Path) -> None:
    """Neither; a failure of the last test stops nothing."""
    module = """
    @pytest.mark.parametrize("number", range(40))
    def test_fails(number):
        assert 0
    """
    suite(module, "--sessions=collect", "--sessions-report=out/", "-x", *ONE_WORKER)
    stopped = _read(tmp_path / "out" / "run.json")
    suite("def test_fails():\n    assert 0", "--sessions=collect", "--sessions-report=out/", "-x")
    ended = _read(tmp_path / "out" / "run.json")

    (said,) = stopped.unwatched
    assert said.startswith("stopped after ")
    assert " of 40 tests: stopping after 1 failures" in said
    assert stopped.verdict is Verdict.UNKNOWN
    assert (ended.verdict, ended.unwatched) == (Verdict.PASSED, ())
