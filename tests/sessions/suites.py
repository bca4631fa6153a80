"""A suite of others, run by pytest in a process of its own: what is in it, and what became of it."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import runs

ROOT = Path(__file__).parents[2]

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
STRICT = (
    "strict = true"
    if pytest.version_tuple >= (9,)
    else "xfail_strict = true\naddopts = --strict-markers --strict-config"
)
CONFIGURATION = f"""\
[pytest]
{STRICT}
filterwarnings = error
"""
ASYNCIO = """\
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
WORKERS = ("-p", "xdist", "-n", "2")
ONE_WORKER = ("-p", "xdist", "-n", "1")
"""Where it is not about what several of them found."""
IMPORTS = """\
import asyncio

import pytest
from application import AsyncSession, SELECT, URL, create_async_engine, share, share_quietly, use, use_side_by_side
"""
THREE = """
async def test_before(engine):
    await use_side_by_side(engine)

async def test_racy(session):
    await share_quietly(session)

async def test_after(session):
    await session.execute(SELECT)
"""
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
SuiteOften = Callable[..., list[Outcome]]


def run_suite(
    folder: Path,
    environment: Mapping[str, str],
    module: str,
    *arguments: str,
    plugin: str = "pytest_asyncio.plugin",
    settings: str = "",
    project: str = "",
    **files: str,
) -> Outcome:
    """Run a suite of one module in the folder, in a process of its own, with no plugin but those named."""
    _write_suite(folder, module, plugin=plugin, settings=settings, project=project, files=files)
    done = _run(["-m", "pytest", *_words(folder, plugin), *arguments], folder, environment)
    return Outcome(status=done.returncode, text=done.stdout + done.stderr)


def run_suite_often(
    folder: Path, environment: Mapping[str, str], module: str, calls: Sequence[Sequence[str]], *, project: str = ""
) -> list[Outcome]:
    """Run it once with the arguments of each call, all in one process."""
    plugin = "pytest_asyncio.plugin"
    _write_suite(folder, module, plugin=plugin, settings="", project=project, files={})
    whole = [[*_words(folder, plugin), *call] for call in calls]
    done = _run(runs.program(whole), folder, environment)
    return [Outcome(status=status, text=text) for status, text in runs.said(done, whole)]


def _write_suite(
    folder: Path, module: str, *, plugin: str, settings: str, project: str, files: Mapping[str, str]
) -> None:
    module = IMPORTS + textwrap.dedent(module)
    for name, content in {"application": APPLICATION, "conftest": CONFTEST, "test_suite": module, **files}.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(content))
    asyncio = ASYNCIO if plugin == "pytest_asyncio.plugin" else ""
    (folder / "pytest.ini").write_text(CONFIGURATION + (settings if "asyncio" in settings else asyncio + settings))
    (folder / "pyproject.toml").write_text(textwrap.dedent(project))


def _words(folder: Path, plugin: str) -> list[str]:
    return ["-p", "harness.pytest_plugin", "-p", plugin, "-p", "no:cacheprovider", "-rA", f"--rootdir={folder}"]


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": f"{ROOT}:{folder}",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def failure_of(outcome: Outcome, test: str) -> str:
    """What is said of one test among the failures and errors."""
    found = re.search(rf"^_+ (?:ERROR at \w+ of )?{test} _+\n(.*?)\n[_=]{{3,}}", outcome.text, re.MULTILINE | re.DOTALL)
    assert found is not None, outcome.text
    return found.group(1)
