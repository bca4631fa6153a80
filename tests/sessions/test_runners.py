"""Under whose event loops `pytest --sessions=MODE` works: the plugins of others, unittest, loops of several tests."""

import re

import pytest

from tests.sessions.suites import ASYNCIO, ONE_WORKER, Suite, failure_of

pytestmark = pytest.mark.processes


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


STRICT = """
import pytest_asyncio

@pytest_asyncio.fixture
async def made_twice(engine):
    async with AsyncSession(engine) as one, AsyncSession(engine) as other:
        yield one, other

@pytest.mark.asyncio
async def test_racy(session):
    await share_quietly(session)

@pytest.mark.asyncio
async def test_legal(made_twice):
    one, other = made_twice
    await asyncio.gather(one.execute(SELECT), other.execute(SELECT))

@pytest.mark.asyncio
class TestNotes:
    async def test_racy_too(self, session):
        await share_quietly(session)

    async def test_legal_too(self, session):
        await asyncio.create_task(session.execute(SELECT))
        await session.execute(SELECT)
"""


def test_strict_mode_of_pytest_asyncio(suite: Suite) -> None:
    """Where tests and fixtures have to say that they are asynchronous, the racing ones fail, and no others."""
    settings = ASYNCIO.replace("asyncio_mode = auto", "asyncio_mode = strict")
    outcome = suite(STRICT, "--sessions=raise", settings=settings)

    assert outcome.tests == {
        "test_racy": "FAILED",
        "test_legal": "PASSED",
        "TestNotes::test_racy_too": "FAILED",
        "TestNotes::test_legal_too": "PASSED",
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
    assert "the test's own" in failure_of(outcome, "TestNotes.test_fails_itself")


MANY_CASES = """
import unittest

class TestNotes(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.engine = create_async_engine(URL)
        self.session = AsyncSession(self.engine)

    async def asyncTearDown(self):
        await self.session.close()
        await self.engine.dispose()

    async def test_legal(self):
        await use_side_by_side(self.engine)

    async def test_racy(self):
        await share_quietly(self.session)

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_legal_anyio(anyio_backend):
    engine = create_async_engine(URL)
    await use_side_by_side(engine)
    await engine.dispose()

@pytest.mark.anyio
async def test_racy_anyio(anyio_backend):
    engine = create_async_engine(URL)
    async with AsyncSession(engine) as session:
        await share_quietly(session)
    await engine.dispose()
"""


def test_workers_of_other_runners(suite: Suite) -> None:
    """With pytest-xdist, cases of unittest and of anyio's plugin fail; each has a session made elsewhere."""
    outcome = suite(MANY_CASES, "--sessions=collect", *ONE_WORKER, plugin="anyio.pytest_plugin", conftest="")

    assert outcome.tests == {
        "TestNotes::test_legal": "PASSED",
        "TestNotes::test_racy": "FAILED",
        "test_legal_anyio": "PASSED",
        "test_racy_anyio": "FAILED",
    }, outcome.text
    assert outcome.summary.count("session race (overlap)") == outcome.summary.count("session race") == 2
    assert re.search(r"the session was made at\n    test_suite.py:\d+ in TestNotes.asyncSetUp\n", outcome.summary)
    assert re.search(r"the session was made at\n    test_suite.py:\d+ in test_racy_anyio\n", outcome.summary)


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
    assert "session race (unordered)" in failure_of(outcome, "test_meets_it")
    assert "task 'left'" in failure_of(outcome, "test_meets_it")


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

    assert not {"logfire", "pydantic_ai"} & set(sys.modules)
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
    assert "on asyncpg.Connection 1" in failure_of(outcome, "test_asyncpg")
    assert "on psycopg.AsyncConnection 1" in failure_of(outcome, "test_psycopg")
    assert ", tool 'read'" in failure_of(outcome, "test_pydantic_ai")
