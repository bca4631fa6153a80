"""`pytest --sessions=MODE` in suites of others: which tests fail, what is said, and that a legal suite passes."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]

APPLICATION = """\
import asyncio
import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

URL = os.environ["DATABASE_URL"]
SELECT = text("SELECT 1")


async def share(session):
    for outcome in await share_quietly(session):
        if isinstance(outcome, Exception):
            raise outcome


async def share_quietly(session):
    await session.execute(SELECT)
    ada = asyncio.create_task(session.execute(SELECT), name="Ada")
    ben = asyncio.create_task(session.execute(SELECT), name="Ben")
    return await asyncio.gather(ada, ben, return_exceptions=True)


async def use(engine):
    async with AsyncSession(engine) as session:
        await session.execute(SELECT)
        await session.commit()


async def use_side_by_side(engine):
    await asyncio.gather(use(engine), use(engine), use(engine))
"""
CONFTEST = """\
import pytest_asyncio
from application import URL, AsyncSession, create_async_engine


@pytest_asyncio.fixture
async def engine():
    engine = create_async_engine(URL)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture
async def session(engine):
    async with AsyncSession(engine) as session:
        yield session
"""
CONFIGURATION = """\
[pytest]
strict = true
filterwarnings = error
"""
ASYNCIO = """\
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
WORKERS = ("-p", "xdist", "-n", "2")
IMPORTS = """\
import asyncio

import pytest
from application import AsyncSession, SELECT, URL, create_async_engine, share, share_quietly, use, use_side_by_side
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of a suite ended with."""

    status: int
    text: str

    @property
    def tests(self) -> dict[str, str]:
        """The outcome of each test, and behind it `ERROR` if it has one beside."""
        found: dict[str, str] = {}
        for outcome, test in re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL) \S+?::(\S+)", self.text, re.MULTILINE):
            found[test] = f"{found[test]} {outcome}" if test in found else outcome
        return found

    @property
    def summary(self) -> str:
        """The section of the summary; empty if there is none."""
        found = re.search(r"^=+ session races =+\n(.*?)\n=+ ", self.text, re.MULTILINE | re.DOTALL)
        return found.group(1) if found is not None else ""


Suite = Callable[..., Outcome]


@pytest.fixture
def suite(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, empty_database_url: str) -> Suite:
    """Run a suite of one module in a project of its own, in a process of its own, with no plugin but those named."""

    def run(
        module: str, *arguments: str, plugin: str = "pytest_asyncio.plugin", settings: str = "", **files: str
    ) -> Outcome:
        module = IMPORTS + textwrap.dedent(module)
        for name, content in {"application": APPLICATION, "conftest": CONFTEST, "test_suite": module, **files}.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(content))
        asyncio = ASYNCIO if plugin == "pytest_asyncio.plugin" else ""
        (tmp_path / "pytest.ini").write_text(
            CONFIGURATION + (settings if "asyncio" in settings else asyncio + settings)
        )
        environment = {
            "DATABASE_URL": empty_database_url,
            "PATH": os.environ["PATH"],
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPYCACHEPREFIX": sys.pycache_prefix or str(tmp_path_factory.getbasetemp() / "pycache"),
            "PYTHONPATH": f"{ROOT}:{tmp_path}",
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "harness.pytest_plugin",
            "-p",
            plugin,
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [*command, "-rA", f"--rootdir={tmp_path}", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        return Outcome(status=done.returncode, text=done.stdout + done.stderr)

    return run


def test_the_readme(suite: Suite) -> None:
    """Its example is reported in the words that stand there, but for the numbers of tasks."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## In your own test suite")[2]
    blocks = re.findall(r"^```\w*\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)

    outcome = suite("", "--sessions=raise", "test_counts.py", test_counts=blocks[1])

    assert outcome.tests == {"test_counts": "FAILED"}, outcome.text
    assert re.sub(r"Task-\d+", "Task", outcome.summary) == re.sub(r"Task-\d+", "Task", blocks[2])


THREE = """
async def test_before(engine):
    await use_side_by_side(engine)

async def test_racy(session):
    await share_quietly(session)

async def test_after(session):
    await session.execute(SELECT)
"""


@pytest.mark.parametrize("mode", ["raise", "collect"])
def test_the_racy_one_of_three_fails(suite: Suite, mode: str) -> None:
    """Though its program swallowed every error, and no other test."""
    outcome = suite(THREE, f"--sessions={mode}")

    assert outcome.tests == {"test_before": "PASSED", "test_racy": "FAILED", "test_after": "PASSED"}, outcome.text
    assert outcome.status == pytest.ExitCode.TESTS_FAILED
    assert f"sessions: watched, mode {mode}\n" in outcome.text
    assert "FAILED test_suite.py::test_racy - Failed: session race (overlap) on Session" in outcome.text
    assert "traceback entries are hidden" not in outcome.text


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


@pytest.mark.parametrize("mode", ["warn", "log"])
def test_modes_that_only_say_it(suite: Suite, mode: str) -> None:
    """No test fails, though the suite makes errors of warnings; the finding is a warning, or in the log."""
    outcome = suite(THREE, f"--sessions={mode}")

    assert outcome.status == pytest.ExitCode.OK, outcome.text
    assert set(outcome.tests.values()) == {"PASSED"}
    assert "seen in\n    test_suite.py::test_racy\n" in outcome.summary
    assert ("application.py:20: SessionRaceWarning: session race (overlap) on" in outcome.text) is (mode == "warn")
    assert ("WARNING  harness.sanitizer:watch.py" in outcome.text) is (mode == "log")


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
    assert "session race (overlap, 2 times) on" in _failure(outcome, "test_two")
    assert re.findall(r"in (test_\w+)", _failure(outcome, "test_three")) == ["test_three", "test_three"]
    assert outcome.summary.count("session race") == 1
    assert outcome.summary.startswith("session race (overlap, 4 times) on")
    assert outcome.summary.endswith(
        "  seen in\n    test_suite.py::test_one\n    test_suite.py::test_two (2 times)\n    test_suite.py::test_three\n"
    )


def _failure(outcome: Outcome, test: str) -> str:
    """What is said of one test among the failures and errors."""
    found = re.search(rf"^_+ (?:ERROR at \w+ of )?{test} _+\n(.*?)\n[_=]{{3,}}", outcome.text, re.MULTILINE | re.DOTALL)
    assert found is not None, outcome.text
    return found.group(1)


PHASES = """
@pytest.fixture
async def racy_setup(session):
    await share_quietly(session)

@pytest.fixture
async def racy_teardown(session):
    yield
    await share_quietly(session)

@pytest.fixture
async def refusing(racy_setup):
    pytest.skip("not here")

@pytest.fixture
async def failing(racy_setup):
    raise ValueError("the fixture's own")

def test_setup(racy_setup):
    pass

def test_teardown(racy_teardown):
    pass

async def test_both(racy_teardown, session):
    await share_quietly(session)

def test_refused(refusing):
    pass

def test_fixture_fails(failing):
    pass

async def test_skips_itself(session):
    await share_quietly(session)
    pytest.skip("not now")

async def test_fails_itself(session):
    await share_quietly(session)
    assert session is None, "the test's own"

@pytest.mark.xfail(reason="known")
async def test_expected(session):
    await share_quietly(session)

@pytest.mark.skip(reason="never")
async def test_skipped(session):
    await share_quietly(session)
"""


def test_in_every_phase(suite: Suite) -> None:
    """A test fails in its call; what only its teardown shows is an error. Its own failure stays, the race is added."""
    outcome = suite(PHASES, "--sessions=collect")

    assert outcome.tests == {
        "test_setup": "FAILED",
        "test_teardown": "PASSED ERROR",
        "test_both": "FAILED",
        "test_refused": "ERROR",
        "test_fixture_fails": "ERROR",
        "test_skips_itself": "FAILED",
        "test_fails_itself": "FAILED",
        "test_expected": "XFAIL",
    }, outcome.text
    assert "1 skipped, " in outcome.text
    assert "ERROR at teardown of test_teardown" in outcome.text
    for test, own in {
        "test_fixture_fails": "ValueError: the fixture's own",
        "test_fails_itself": "the test's own",
    }.items():
        assert re.search(rf"{own}\n(.|\n)*-+ session races -+\nsession race", _failure(outcome, test))
    assert "test_suite.py::test_both (2 times)\n" in outcome.summary
    assert "pytest_sessions.py" not in outcome.text


@pytest.mark.parametrize(("mode", "result"), [("raise", "FAILED"), ("collect", "ERROR FAILED")])
def test_an_error_that_is_not_swallowed(suite: Suite, mode: str, result: str) -> None:
    """Where the program was interrupted by it, what its teardown meets is a consequence, and no second failure."""
    module = """
    @pytest.fixture
    async def racy_elsewhere(session):
        yield
        await asyncio.gather(session.execute(SELECT), session.execute(SELECT), return_exceptions=True)

    async def test_racy(session, racy_elsewhere):
        await share(session)
    """
    outcome = suite(module, f"--sessions={mode}")

    assert outcome.tests == {"test_racy": result}, outcome.text
    assert ("FAILED test_suite.py::test_racy - harness.errors.SessionRaceError: " in outcome.text) is (mode == "raise")
    assert "- session races -" not in _failure(outcome, "test_racy")
    assert outcome.summary.count("    test_suite.py::test_racy\n") == 2


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
    """The setting `sessions` does the same; the option wins; a mode that does not exist is wrong usage in either."""
    collect, wrong = "sessions = collect\n", "sessions = yes\n"
    message = "for --sessions, or the setting `sessions`; the modes are off, raise, warn, collect, log"

    assert suite(THREE, settings=collect).tests["test_racy"] == "FAILED"
    assert suite(THREE, "--sessions=off", settings=collect).tests["test_racy"] == "PASSED"
    for outcome, mode in ((suite(THREE, "--sessions=strict"), "strict"), (suite(THREE, settings=wrong), "yes")):
        assert outcome.status == pytest.ExitCode.USAGE_ERROR
        assert outcome.text.strip() == f"ERROR: there is no mode {mode!r} {message}"


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
    warned = suite(module, "--sessions=warn", *WORKERS)
    assert warned.status == pytest.ExitCode.OK, warned.text
    assert "SessionRaceWarning: session race (overlap)" in warned.text
    assert "8 passed, 4 warnings" in warned.text


ANYIO = """
@pytest.fixture(scope="module", params=["asyncio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return request.param

@pytest.fixture(scope="module")
async def module_engine(anyio_backend):
    engine = create_async_engine(URL)
    yield engine
    await engine.dispose()

@pytest.fixture(scope="module")
async def module_session(module_engine):
    async with AsyncSession(module_engine) as session:
        yield session

@pytest.mark.anyio
async def test_legal(module_session, module_engine):
    await module_session.execute(SELECT)
    await use_side_by_side(module_engine)

@pytest.mark.anyio
async def test_legal_again(module_session):
    await module_session.execute(SELECT)

@pytest.mark.anyio
async def test_racy(module_session):
    await share_quietly(module_session)
"""


@pytest.mark.parametrize("mode", ["raise", "collect"])
def test_the_plugin_of_anyio(suite: Suite, mode: str) -> None:
    """Without pytest-asyncio, on asyncio's event loop and on uvloop's, which is loaded after the watch has begun."""
    outcome = suite(ANYIO, f"--sessions={mode}", plugin="anyio.pytest_plugin", conftest="")

    assert outcome.tests == {
        f"{test}[{backend}]": result
        for test, result in (("test_legal", "PASSED"), ("test_legal_again", "PASSED"), ("test_racy", "FAILED"))
        for backend in ("asyncio", "uvloop")
    }, outcome.text


UNITTEST = """
import unittest

class TestNotes(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.engine = create_async_engine(URL)
        self.session = AsyncSession(self.engine)
        await self.session.execute(SELECT)

    async def asyncTearDown(self):
        await self.session.close()
        await self.engine.dispose()

    async def test_legal(self):
        await self.session.execute(SELECT)
        await use_side_by_side(self.engine)

    async def test_racy(self):
        await share_quietly(self.session)

    async def test_fails_itself(self):
        await share_quietly(self.session)
        self.assertIsNone(self.session, "the test's own")

    async def test_skips_itself(self):
        await share_quietly(self.session)
        self.skipTest("not now")

    async def test_in_parts(self):
        with self.subTest("first"):
            await share_quietly(self.session)
        with self.subTest("second"):
            await self.session.execute(SELECT)

    @unittest.expectedFailure
    async def test_expected(self):
        await share_quietly(self.session)
        self.fail("known")
"""


def test_cases_of_unittest(suite: Suite) -> None:
    """`IsolatedAsyncioTestCase` too, which keeps its errors and skips to itself."""
    outcome = suite(UNITTEST, "--sessions=raise", plugin="no:asyncio", conftest="")

    tests = {test.removeprefix("TestNotes::"): result for test, result in outcome.tests.items()}
    assert tests == {
        "test_legal": "PASSED",
        "test_racy": "FAILED",
        "test_fails_itself": "FAILED",
        "test_skips_itself": "FAILED",
        "test_in_parts": "FAILED",
        "test_expected": "XFAIL",
    }, outcome.text
    assert "the test's own" in _failure(outcome, "TestNotes.test_fails_itself")


MODULE_LOOP = """
pytestmark = pytest.mark.asyncio(loop_scope="module")
finished = []

@pytest.fixture(scope="module")
async def module_session():
    engine = create_async_engine(URL)
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()

async def work(session):
    await session.execute(SELECT)
    finished.append(asyncio.current_task())

async def test_leaves_a_task(module_session):
    asyncio.create_task(work(module_session), name="left")
    while not finished:
        await asyncio.sleep(0)

async def test_meets_it(module_session):
    await module_session.execute(SELECT)
    await finished[0]

async def test_not_any_more(module_session):
    await module_session.execute(SELECT)
"""


@pytest.mark.parametrize("scope", ["module", "session"])
def test_a_loop_of_several_tests(suite: Suite, scope: str) -> None:
    """The test in which the second access is made is the one that fails, whoever made the first."""
    module = MODULE_LOOP.replace('loop_scope="module"', f'loop_scope="{scope}"')
    settings = ASYNCIO.replace("scope = function", f"scope = {scope}")
    outcome = suite(module, "--sessions=collect", settings=settings)

    assert outcome.tests == {"test_leaves_a_task": "PASSED", "test_meets_it": "FAILED", "test_not_any_more": "PASSED"}
    assert "session race (unordered)" in _failure(outcome, "test_meets_it")
    assert "task 'left'" in _failure(outcome, "test_meets_it")


LATE = """
import os

def test_no_driver_is_loaded_by_the_suite():
    assert "DATABASE_URL" in os.environ

def test_asyncpg():
    import asyncio, asyncpg

    async def main():
        connection = await asyncpg.connect(os.environ["DATABASE_URL"].replace("+asyncpg", ""))
        statements = [connection.execute("SELECT 1") for _ in range(2)]
        await asyncio.gather(*statements, return_exceptions=True)
        await connection.close()

    asyncio.run(main())

def test_psycopg():
    import asyncio, psycopg

    async def main():
        connection = await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"].replace("+asyncpg", ""))
        await asyncio.gather(*[connection.execute("SELECT 1") for _ in range(2)])
        await connection.close()

    asyncio.run(main())

def test_pydantic_ai():
    import asyncio, sys
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    assert "pydantic_ai" not in sys.modules
    from pydantic_ai import Agent, models
    from pydantic_ai.models.test import TestModel

    models.ALLOW_MODEL_REQUESTS = False
    agent = Agent(TestModel())

    async def main():
        engine = create_async_engine(os.environ["DATABASE_URL"])
        async with AsyncSession(engine) as session:

            @agent.tool_plain
            async def read():
                await asyncio.gather(session.execute(text("SELECT 1")), return_exceptions=True)

            @agent.tool_plain
            async def write():
                await asyncio.gather(session.execute(text("SELECT 1")), return_exceptions=True)

            await agent.run("Go")
        await engine.dispose()

    asyncio.run(main())
"""


def test_libraries_that_are_loaded_late(suite: Suite) -> None:
    """A suite without an import of SQLAlchemy is watched too, and so are drivers and agents that a test imports."""
    outcome = suite("", "--sessions=collect", plugin="no:asyncio", conftest="", application="", test_suite=LATE)

    assert outcome.tests == {
        "test_no_driver_is_loaded_by_the_suite": "PASSED",
        "test_asyncpg": "FAILED",
        "test_psycopg": "FAILED",
        "test_pydantic_ai": "FAILED",
    }, outcome.text
    assert "on asyncpg.Connection 1" in _failure(outcome, "test_asyncpg")
    assert "on psycopg.AsyncConnection 1" in _failure(outcome, "test_psycopg")
    assert ", tool 'read'" in _failure(outcome, "test_pydantic_ai")


CONFTEST_THAT_RACES = """
import asyncio

from application import URL, AsyncSession, create_async_engine, share_quietly


async def main():
    engine = create_async_engine(URL)
    async with AsyncSession(engine) as session:
        await share_quietly(session)
    await engine.dispose()


asyncio.run(main())
"""


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
    assert "SessionRaceWarning: session race (overlap)" in warned.text


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
    outcome = suite(BREAKS, "--sessions=collect", *WORKERS, "--dist=loadfile", conftest=CONFTEST + CONFTEST_THAT_RACES)

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
