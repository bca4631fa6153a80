"""Databases for the tests: one server for the whole run, and a clone for each test that asks for one; and an image."""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fixtures.backend.adapter import backend
from harness.errors import EnvironmentMissing
from harness.postgres import engine as docker_engine
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.weights import find_weights
from tests.promises import lack
from tests.sanitizer.world import SCHEMA

# The same examples in each run, wherever it is; and how long they take to make is no matter of a test.
settings.load_profile("ci")

# Where their assertions fail, what was compared is shown, as in a test.
pytest.register_assert_rewrite("tests.report.opening", "tests.report.pages")

LOCAL_IMAGE = "sessionproof/postgres:pg18-local"
_OF_CELLS = {Path(__file__).parent / room for room in ("conformance", "engine")}
_LEFT_OUT = {"exhaustive", "local_model", "processes", "repeated", "searching"}
_WRITTEN = _LEFT_OUT | {"benchmark_suite", "browser", "embeddings", "installed"}
"""The markers that a test has by their name in its own module, and in no other way."""


def pytest_collection_finish() -> None:
    """What is loaded by now stays: a collection that a test asks for looks at the test's own objects only."""
    gc.collect()
    gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where the tests of one such marker are asked for, a module that does not name it has none, and is not loaded."""
    marker: str = config.getoption("markexpr")
    if marker not in _WRITTEN or not collection_path.match("test_*.py"):
        return None
    return True if marker not in collection_path.read_text(encoding="utf-8") else None


@pytest.hookimpl(tryfirst=True)  # before tests are deselected by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cells, and checks of a whole backend, have their marker, unless they have one that leaves them out already.

    So have tests for which it makes a difference where the run's PostgreSQL is.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in {item.path for item in items}}
    for item in items:
        if unwritten := {each.name for each in item.iter_markers() if each.name not in texts[item.path]} & _WRITTEN:
            raise pytest.UsageError(f"{item.nodeid} has the marker {min(unwritten)!r}: name it in the module itself")
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"image", "sessionproof_server"}:
            item.add_marker("on_server")
        runs_cells = item.path.parent in _OF_CELLS and "sessionproof_clones" in fixtures
        if runs_cells and not _LEFT_OUT & {each.name for each in item.iter_markers()}:
            item.add_marker("cells")


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where nothing may be compiled beside its source, the processes of a run share what they compile elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            patch.delenv("PYTHONDONTWRITEBYTECODE")
            patch.setenv("PYTHONPYCACHEPREFIX", sys.pycache_prefix or str(tmp_path_factory.getbasetemp() / "pycache"))
        yield


@pytest.fixture(autouse=True)
def _nowhere_in_particular(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test does the same in a job of GitHub Actions as elsewhere."""
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def server_url(sessionproof_server: RunningServer) -> str:
    """The URL of the run's server, for processes whose test is not about starting one of their own."""
    return sessionproof_server.address.url(sessionproof_server.maintenance_database)


async def _nothing(database_url: str) -> None:
    """An empty template."""


@pytest.fixture(scope="session")
def reference_template(sessionproof_clones: Clones) -> str:
    """The name of a template with the reference backend's tables and tenants."""
    return asyncio.run(sessionproof_clones.template("reference", backend.prepare))


@pytest.fixture(scope="session")
def empty_template(sessionproof_clones: Clones) -> str:
    """The name of a template without anything in it."""
    return asyncio.run(sessionproof_clones.template("empty", _nothing))


async def _prepare_notes(database_url: str) -> None:
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    for statement in SCHEMA:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="session")
def notes_template(sessionproof_clones: Clones) -> str:
    """The name of a template with the authors and notes of `tests.sanitizer.world`."""
    return asyncio.run(sessionproof_clones.template("notes", _prepare_notes))


@pytest.fixture
async def clone_url(
    request: pytest.FixtureRequest, sessionproof_clones: Clones, reference_template: str
) -> AsyncIterator[str]:
    """The URL of a database with the reference backend's tables and tenants, for one test."""
    async with sessionproof_clones.clone(reference_template, label=request.node.name) as database:
        yield database.url


@pytest.fixture
async def empty_database_url(
    request: pytest.FixtureRequest, sessionproof_clones: Clones, empty_template: str
) -> AsyncIterator[str]:
    """The URL of an empty database, for one test."""
    async with sessionproof_clones.clone(empty_template, label=request.node.name) as database:
        yield database.url


NOTES = "CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL)"


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    """The URL of a database with the table `notes`."""
    engine = create_async_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.execute(text(NOTES))
    await engine.dispose()
    return empty_database_url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An application's engine on that database, its pool cold."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def server_log(sessionproof_server: RunningServer) -> Path:
    """The server's log."""
    assert sessionproof_server.log_path is not None

    return sessionproof_server.log_path


@pytest.fixture
def image() -> str:
    """An image that the engine has; without one the test is skipped, or fails where one was promised."""
    name = os.environ.get("SESSIONPROOF_IMAGE", LOCAL_IMAGE)
    try:
        missing = "" if docker_engine.has_image(name) else f"no image {name!r}; .ci/postgres-image makes one"
    except EnvironmentMissing as error:
        missing = str(error)
    if missing:
        lack(missing, promise="SESSIONPROOF_REQUIRE_DOCKER")
    return name


@pytest.fixture
def weights() -> Path:
    """The local model's weights; without them the test is skipped, or fails where they were promised."""
    try:
        return find_weights()
    except EnvironmentMissing as error:
        lack(str(error), promise="SESSIONPROOF_REQUIRE_LOCAL_MODEL")
