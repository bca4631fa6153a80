"""The application by itself: its settings, its data, its start and its stop."""

import asyncio
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from fixtures.backend.app import seed_data
from fixtures.backend.app.models import create_schema
from fixtures.backend.app.prepare import prepare
from fixtures.backend.app.services.embedding import DIMENSIONS, embed
from fixtures.backend.app.settings import DATA_DIRECTORY, SessionMode, Settings, SettingsError
from fixtures.backend.app.tenants import DatabaseNotReadyError
from tests.backend.product import running, script

ROOT = Path(__file__).parents[2]


def test_settings_come_from_the_environment() -> None:
    """Each variable is read as its setting's type; what is not set keeps its default."""
    settings = Settings.from_environment(
        {
            "DATABASE_URL": "postgresql+asyncpg://localhost/products",
            "DATABASE_POOL_SIZE": "3",
            "DATABASE_POOL_PRE_PING": "true",
            "SESSION_MODE": "durable",
            "STATE_DIRECTORY": "/var/lib/assistants",
            "BILLING_SECONDS": "0.5",
            "DRAIN_SECONDS": "8",
            "SETTLE_SECONDS": "9",
            "FALLBACK_MODEL": "openai-chat:gpt-4o-mini",
            "REQUEST_LIMIT": "20",
        }
    )

    assert settings == Settings(
        database_url="postgresql+asyncpg://localhost/products",
        pool_size=3,
        pool_pre_ping=True,
        session_mode=SessionMode.DURABLE,
        state_directory=Path("/var/lib/assistants"),
        billing_seconds=0.5,
        drain_seconds=8,
        settle_seconds=9,
        fallback_model="openai-chat:gpt-4o-mini",
        request_limit=20,
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "DATABASE_URL is not set; it must start with 'postgresql+asyncpg://'"),
        (
            {"DATABASE_URL": "postgresql://ada:secret@localhost/products"},
            "The database URL starts with 'postgresql'; it must start with 'postgresql+asyncpg://'",
        ),
        (
            {"DATABASE_URL": "postgresql+asyncpg://localhost/products", "DATABASE_POOL_SIZE": "many"},
            "The environment sets 'pool_size' wrongly: Input should be a valid integer",
        ),
        (
            {"DATABASE_URL": "postgresql+asyncpg://localhost/products", "SESSION_MODE": "durable"},
            "The session mode 'durable' keeps bills in a folder, and none is set; set STATE_DIRECTORY",
        ),
    ],
)
def test_wrong_settings_are_named(environment: dict[str, str], message: str) -> None:
    """The message says which setting, and never shows a password."""
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        Settings.from_environment(environment)

    assert "secret" not in str(caught.value)


def test_a_password_stays_out_of_the_representation() -> None:
    """Settings can be logged."""
    assert "secret" not in repr(Settings(database_url="postgresql+asyncpg://ada:secret@localhost/products"))


def test_the_data_is_small_and_made_up() -> None:
    """Less than a megabyte; telephone numbers and addresses that belong to nobody."""
    files = list(DATA_DIRECTORY.iterdir())
    directory = (DATA_DIRECTORY / "directory.csv").read_text(encoding="utf-8")

    assert sum(file.stat().st_size for file in files) < 1_000_000
    assert all(address.endswith("example.org") for address in re.findall(r"@([\w.-]+)", directory))
    assert all(number.startswith("01") for number in re.findall(r"555-(\d{4})", directory))


def test_both_tenants_have_hundreds_of_entries_and_documents() -> None:
    """Enough for a search to have something to leave out."""
    rows = seed_data.read(DATA_DIRECTORY)

    for table in ("directory_entries", "documents"):
        count = Counter(row["account_id"] for row in rows[table])
        assert count[seed_data.account_id("wyckoff")] >= 200
        assert count[seed_data.account_id("agrofresh")] >= 190


def test_an_embedding_is_the_same_each_time_and_near_its_likes() -> None:
    """Texts that share words are nearer than those that do not."""
    question, near, far = embed("visiting hours"), embed("Visiting hour of wards"), embed("payment plans")

    assert question == embed("Visiting hours!")
    assert len(question) == DIMENSIONS
    assert _product(question, near) > _product(question, far)


async def test_a_database_without_tables_stops_the_start(empty_database_url: str) -> None:
    """The message says what to do."""
    with pytest.raises(DatabaseNotReadyError, match=r"has no tables .* fixtures\.backend\.app\.prepare"):
        async with running(Settings(database_url=empty_database_url, model=script())):
            pass


async def test_a_database_without_tenants_stops_the_start(empty_database_url: str) -> None:
    """Tables alone are not enough."""
    engine = create_async_engine(empty_database_url)
    await create_schema(engine)
    await engine.dispose()

    with pytest.raises(DatabaseNotReadyError, match="has no agents"):
        async with running(Settings(database_url=empty_database_url, model=script())):
            pass


async def test_a_database_that_is_not_there_stops_the_start(empty_database_url: str) -> None:
    """The message names the database, and the reason."""
    settings = Settings(database_url=f"{empty_database_url}_gone", model=script())

    with pytest.raises(DatabaseNotReadyError, match=r"_gone' cannot be used \(.*does not exist"):
        async with running(settings):
            pass


async def test_a_prepared_database_starts(empty_database_url: str) -> None:
    """What `prepare` makes is what the application needs."""
    settings = Settings(database_url=empty_database_url, model=script())
    await prepare(settings)

    async with running(settings) as product:
        assert (await product.ask())["text"] == "Hello."


async def test_it_runs_under_uvicorn(clone_url: str, unused_tcp_port: int) -> None:
    """Over real HTTP it tells its health and knows its agents; a signal stops it cleanly."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--factory", "fixtures.backend.app.main:create_default_app"),
        *("--port", str(unused_tcp_port)),
        cwd=ROOT,
        env={"DATABASE_URL": clone_url, "PATH": ""},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}") as client:
            await _read_until(server, b"Uvicorn running")
            health = await client.get("/health")
            missing = await client.post("/accounts/nobody/agents/none/chat", json={"message": "Hi"})
        server.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(server.communicate(), 10)
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()

    assert health.json() == {"status": "ok"}
    assert missing.status_code == 404
    assert b"Application shutdown complete" in log
    assert b"Traceback" not in log


async def _read_until(server: asyncio.subprocess.Process, phrase: bytes) -> None:
    assert server.stderr is not None
    lines = []
    async with asyncio.timeout(120):  # compiled for the first time, it takes half a minute on a busy machine
        while phrase not in (line := await server.stderr.readline()):
            lines.append(line)
            assert line, f"The server ended: {b''.join(lines).decode()}"


def _product(left: list[float], right: list[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))
