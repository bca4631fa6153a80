"""The embedded server: it answers, keeps its password, finds room and a port, and leaves nothing behind."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres import RunningServer, ServerAddress, require_extension
from harness.postgres.admin import connect
from harness.postgres.embedded import EmbeddedServer, free_ports
from harness.postgres.guardian import OWNER_FILE
from harness.postgres.leftovers import PREFIX, find_server
from harness.postgres.owner import Owner


def directory_of(running: RunningServer) -> Path:
    return Path(running.details["data directory"]).parent


def processes_of(running: RunningServer) -> list[psutil.Process]:
    server = psutil.Process(int(running.details["pid"]))
    guardian = server.parent()
    assert guardian is not None
    return [guardian, server, *server.children(recursive=True)]


def current_processes(running: RunningServer) -> list[psutil.Process]:
    server = find_server(Path(running.details["data directory"]))
    assert server is not None
    return [server, *server.children(recursive=True)]


def shown_by(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [*process.cmdline(), *process.environ().values()]
    return []


def assert_gone(running: RunningServer, processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)

    assert alive == []
    assert not directory_of(running).exists()


def is_mine(directory: Path) -> bool:
    owner = Owner.from_json((directory / OWNER_FILE).read_text())
    return owner == Owner.current()


@contextlib.asynccontextmanager
async def started(server: EmbeddedServer) -> AsyncIterator[RunningServer]:
    try:
        yield await server.start()
    finally:
        await server.stop()


def test_start_and_stop_may_run_in_different_event_loops() -> None:
    """A server started in one loop is stopped in another, twice if need be, and leaves nothing."""
    server = EmbeddedServer()
    running = asyncio.run(server.start())
    processes = processes_of(running)
    asyncio.run(server.stop())
    asyncio.run(server.stop())

    assert_gone(running, processes)


def test_stop_without_start_does_nothing() -> None:
    """A server that was never started can be stopped."""
    asyncio.run(EmbeddedServer().stop())


async def test_a_server_can_be_started_again() -> None:
    """After a stop the same object starts a new server; before it, a second start is refused."""
    server = EmbeddedServer()
    async with started(server) as first:
        with pytest.raises(ConfigurationError, match="started already"):
            await server.start()
    async with started(server) as second:
        assert first.address != second.address


async def test_the_password_is_nowhere_but_in_the_address() -> None:
    """No process shows the password in its arguments or environment, and no file or log holds it."""
    async with started(EmbeddedServer()) as running:
        secret = running.address.password
        with pytest.raises(asyncpg.PostgresError):
            async with connect(running.address, "postgres") as connection:
                await connection.execute("SELECT 1/0")
        shown = [text for process in processes_of(running) for text in shown_by(process)]
        files = [path for path in directory_of(running).rglob("*") if path.is_file()]

        assert len(secret) >= 32
        assert not [text for text in shown if secret in text]
        assert files
        assert not [path for path in files if secret.encode() in path.read_bytes()]
        assert secret not in repr(running)


async def test_the_log_names_database_application_and_statement(running: RunningServer) -> None:
    """The server's log file tells which application ran which failing statement in which database."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with connect(running.address, "postgres") as connection:
            await connection.execute("SELECT 41/0")
    assert running.log_path is not None
    log = running.log_path.read_text()

    assert "] postgres sessionproof ERROR:  division by zero" in log
    assert "] postgres sessionproof STATEMENT:  SELECT 41/0" in log


async def test_a_wrong_password_is_refused(running: RunningServer) -> None:
    """Another user of the machine who knows the port does not get in."""
    address = running.address
    wrong = ServerAddress(host=address.host, port=address.port, user=address.user, password="wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with connect(wrong, "postgres"):
            pass


async def test_the_server_is_reachable_by_loopback_only(running: RunningServer) -> None:
    """There is no Unix socket, and the only listening address is 127.0.0.1."""
    server = psutil.Process(int(running.details["pid"]))
    listening = {each.laddr.ip for each in server.net_connections() if each.status == psutil.CONN_LISTEN}

    assert listening == {"127.0.0.1"}
    assert {str(each.laddr) for each in server.net_connections(kind="unix")} <= {""}


async def test_nothing_is_flushed_and_many_may_connect(running: RunningServer) -> None:
    """Durability is off, because the data does not outlive the run, and there is room for 1000 connections."""
    async with connect(running.address, "postgres") as connection:
        rows = await connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name = ANY($1)",
            ["fsync", "synchronous_commit", "full_page_writes", "wal_level", "max_connections", "jit"],
        )

    assert {row["name"]: row["setting"] for row in rows} == {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_connections": "1000",
        "jit": "off",
    }


async def test_pgvector_is_there_and_other_extensions_are_asked_for_in_vain(running: RunningServer) -> None:
    """`require_extension` returns a version, or says what the server lacks before a template needs it."""
    version = await require_extension(running, "vector")
    with pytest.raises(EnvironmentMissing, match="has no extension 'postgis'"):
        await require_extension(running, "postgis")

    assert version


async def test_a_taken_port_is_replaced_by_another() -> None:
    """If the chosen port is taken at the last moment, the next one is used."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], *free_ports(1)]
        async with started(EmbeddedServer(offer_ports=lambda _count: ports)) as running:
            assert running.address.port == ports[1]


async def test_a_taken_port_that_was_asked_for_is_a_configuration_error() -> None:
    """An explicit port is never replaced."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}, because"):
            await EmbeddedServer(port=port).start()


async def test_without_room_the_folders_are_named(tmp_path: Path) -> None:
    """A server without room says which folders it looked at, what it needs and what they have."""
    roots = [tmp_path.parent.parent, tmp_path.parent]
    server = EmbeddedServer(roots=roots, required_bytes=3 * 1024**3, measure_free=lambda _: 7 * 1024**2)
    with pytest.raises(EnvironmentMissing) as caught:
        await server.start()

    assert "needs 3072 MB" in str(caught.value)
    for root in roots:
        assert repr(str(root)) in str(caught.value)


async def test_the_first_folder_with_room_is_used(tmp_path: Path) -> None:
    """A small ``/dev/shm``, as containers have, is passed over for the next folder."""
    small, large = Path("/dev"), Path("/dev/shm")
    server = EmbeddedServer(roots=[small, large], measure_free=lambda root: 0 if root == small else 2**40)
    async with started(server) as running:
        assert directory_of(running).parent == large


def test_a_cancelled_start_leaves_nothing() -> None:
    """If the caller gives up while the server starts, what was started is stopped."""
    root = Path("/dev/shm")
    before, children = set(root.glob(f"{PREFIX}*")), set(psutil.Process().children())

    async def give_up_when_the_guardian_runs() -> None:
        task = asyncio.create_task(EmbeddedServer(roots=[root]).start())
        while set(psutil.Process().children()) <= children:
            await asyncio.to_thread(lambda: None)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up_when_the_guardian_runs())

    assert set(psutil.Process().children()) <= children
    assert [path for path in set(root.glob(f"{PREFIX}*")) - before if is_mine(path)] == []


async def test_stop_cleans_up_after_a_killed_guardian() -> None:
    """If the guardian was killed, stopping does its work."""
    server = EmbeddedServer()
    async with started(server) as running:
        processes = processes_of(running)
        processes[0].kill()

    assert_gone(running, processes)


async def test_a_restarted_server_has_its_data_address_and_log_still() -> None:
    """A restart ends connections and processes, and nothing else; it may run in another event loop."""
    server = EmbeddedServer()
    async with started(server) as running:
        async with connect(running.address, "postgres") as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.execute("SELECT * FROM nobody")
            await asyncio.to_thread(asyncio.run, server.restart())
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await connection.execute("SELECT 1")
        await server.restart()
        async with connect(running.address, "postgres") as connection:
            kept = await connection.fetchval("SELECT number FROM kept")

        processes = current_processes(running)

        assert kept == 1
        assert running.log_path is not None
        assert 'relation "nobody" does not exist' in running.log_path.read_text()
        assert int(running.details["pid"]) not in {process.pid for process in processes}

    assert_gone(running, processes)


async def test_a_server_that_was_not_started_cannot_be_restarted() -> None:
    """The error says that there is no server."""
    with pytest.raises(EnvironmentMissing, match="no embedded server to restart"):
        await EmbeddedServer().restart()


async def test_a_server_that_does_not_start_again_says_why() -> None:
    """If something else took the port meanwhile, the restart fails, and stopping leaves nothing."""
    server = EmbeddedServer()
    async with started(server) as running:
        processes = processes_of(running)
        processes[1].kill()
        psutil.wait_procs(processes[2:], timeout=10)  # its own is the guardian's to reap
        with (
            socket.create_server((running.address.host, running.address.port)),
            pytest.raises(EnvironmentMissing, match=r"could not be started again: .*is taken"),
        ):
            await server.restart()

    assert_gone(running, processes)
