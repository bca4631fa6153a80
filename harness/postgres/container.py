"""PostgreSQL in a container: the same server program that a team runs in production, if its image is at hand.

Problem: a container outlives the process that started it, and the usual remedy, a second container that
reaps the first, fetches an image that nobody named.

Mechanism: the container has a name and a label that say whose it is. A guardian process
(`harness.postgres.guardian`) removes it when its owner stops it or dies. The data lies in memory (tmpfs),
at a place of our own, because the place images use differs by version; the server's log lies in a folder of
this machine, so that it can be read. Readiness is a connection from here, by the driver under test, to the
published port.

Guarantee: the port is published on loopback only (unless the engine is another machine, whose loopback is
out of reach). After `stop`, and after the death of this process, the container is gone; if the guardian is
killed as well, the next `start` removes it.
"""

import asyncio
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from testcontainers.core.config import ConnectionMode
from testcontainers.core.docker_client import DockerClient

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres import admin, engine
from harness.postgres.guard import Guard
from harness.postgres.owner import Owner
from harness.postgres.server import RunningServer, ServerAddress
from harness.postgres.settings import VOLATILE

__all__ = ["DEFAULT_IMAGE", "ContainerServer", "sweep"]

DEFAULT_IMAGE = "pgvector/pgvector:pg18"
LABEL = "sessionproof.owner"
LOG_LABEL = "sessionproof.log"
USER = "postgres"
PORT = 5432
LOOPBACK = "127.0.0.1"
PULL_SECONDS = 300.0
READY_SECONDS = 60.0

_MOUNT = "/sessionproof"
_LOG_MOUNT = "/sessionproof-log"
_LOG = "server.log"
_LOG_PREFIX = "sessionproof-log-"
_LOGGING = {
    "logging_collector": "on",
    "log_directory": _LOG_MOUNT,
    "log_filename": _LOG,
    "log_file_mode": "0644",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
}
_ENVIRONMENT = {
    "POSTGRES_USER": USER,
    "POSTGRES_DB": "postgres",
    "POSTGRES_INITDB_ARGS": "--no-sync --encoding=UTF8 --locale=C.UTF-8",
    "PGDATA": f"{_MOUNT}/data",
}
_POLL_SECONDS = 0.05
_ATTEMPT_SECONDS = 5.0
# Run by the guardian when this process is gone, so that it needs nothing but the client library.
_REMOVE = (
    "import shutil, sys, docker.errors\n"
    "from testcontainers.core.docker_client import DockerClient\n"
    "try:\n"
    "    DockerClient().client.api.remove_container(sys.argv[1], v=True, force=True)\n"
    "except docker.errors.NotFound:\n"
    "    pass\n"
    "shutil.rmtree(sys.argv[2], ignore_errors=True)\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """Where the port of a container can be reached."""

    host: str
    port: int


class ContainerServer:
    """The server made of an image; implements `harness.postgres.server.Server`."""

    kind: str = "container"

    def __init__(
        self,
        *,
        image: str = DEFAULT_IMAGE,
        reason: str = "a container was asked for",
        pull_seconds: float = PULL_SECONDS,
    ) -> None:
        self._image = image
        self._reason = reason
        self._pull_seconds = pull_seconds
        self._guard: Guard | None = None

    async def start(self) -> RunningServer:
        """Start the container and wait until the server in it answers.

        Raises:
            EnvironmentMissing: no engine, no image, or the server does not start.
        """
        if self._guard is not None:
            raise ConfigurationError("this container was started already; stop it first, or make another")
        version = await asyncio.to_thread(engine.describe)
        image = await asyncio.to_thread(engine.ensure_image, self._image, seconds=self._pull_seconds)
        swept = await asyncio.to_thread(sweep)
        details = {"engine": version, "image": f"{self._image} ({image})"}
        if swept:
            details["removed leftovers"] = ", ".join(swept)
        name = f"sessionproof-postgres-{secrets.token_hex(8)}"
        logs = _make_log_directory()
        self._guard = Guard({"kind": "command", "command": [sys.executable, "-c", _REMOVE, name, str(logs)]})
        try:
            await self._guard.start()
            return await self._run(name, logs, details)
        except BaseException:  # interrupted, too, it leaves no container behind
            await self.stop()
            shutil.rmtree(logs, ignore_errors=True)
            raise

    async def stop(self) -> None:
        """Remove the container.

        Raises:
            EnvironmentMissing: the engine did not remove it.
        """
        guard, self._guard = self._guard, None
        failure = await guard.stop() if guard is not None else ""
        if failure:
            raise EnvironmentMissing(f"the PostgreSQL container could not be removed: {failure}")

    async def _run(self, name: str, logs: Path, details: dict[str, str]) -> RunningServer:
        password = secrets.token_urlsafe(32)
        endpoint = await asyncio.to_thread(_run, name, self._image, password, logs)
        address = ServerAddress(host=endpoint.host, port=endpoint.port, user=USER, password=password)
        version = await _wait_until_ready(address, name)
        return RunningServer(
            kind=self.kind,
            address=address,
            version=version,
            reason=self._reason,
            details={**details, "container": name},
            log_path=logs / _LOG if (logs / _LOG).exists() else None,
        )


def _make_log_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix=_LOG_PREFIX))
    directory.chmod(0o1733)  # the server in the container is another user, who writes there
    return directory


def _remove_log_directory(label: str) -> None:
    """Remove what a label names, if it is one of our folders: a label can say anything."""
    directory = Path(label)
    ours = directory.name.startswith(_LOG_PREFIX) and directory.parent == Path(tempfile.gettempdir())
    if ours and not directory.is_symlink():
        shutil.rmtree(directory, ignore_errors=True)


def sweep() -> tuple[str, ...]:
    """Remove the containers whose owners are known to be dead; returns their names."""
    removed = []
    with engine.open_client() as client:
        for container in client.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            owner = Owner.from_json(container.labels.get(LABEL))
            if owner is not None and owner.is_alive() is False:
                container.remove(v=True, force=True)
                _remove_log_directory(container.labels.get(LOG_LABEL, ""))
                removed.append(str(container.name))
    return tuple(removed)


def _run(name: str, image: str, password: str, logs: Path) -> _Endpoint:
    with engine.open_client() as client:
        loopback = engine.is_loopback(client)
        options = VOLATILE | (_LOGGING if loopback else {})
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        container = client.create(
            image,
            command=["postgres", *settings],
            environment={**_ENVIRONMENT, "POSTGRES_PASSWORD": password},
            ports={f"{PORT}/tcp": (LOOPBACK, 0) if loopback else None},
            labels={LABEL: Owner.current().to_json(), LOG_LABEL: str(logs)},
            name=name,
            tmpfs={_MOUNT: ""},
            volumes=[f"{logs}:{_LOG_MOUNT}"] if loopback else [],
        )
        client.start(container)
        return _locate(client, str(container.id), loopback=loopback)


def _locate(client: DockerClient, container: str, *, loopback: bool) -> _Endpoint:
    mode = client.get_connection_mode()
    if not mode.use_mapped_port:
        return _Endpoint(host=client.bridge_ip(container), port=PORT)
    port = int(client.port(container, PORT))
    if loopback:
        return _Endpoint(host=LOOPBACK, port=port)
    if mode == ConnectionMode.gateway_ip:
        return _Endpoint(host=client.gateway_ip(container), port=port)
    return _Endpoint(host=client.host(), port=port)


async def _wait_until_ready(address: ServerAddress, name: str) -> str:
    """Connect until it works; the engine's proxy accepts connections before the server does."""
    last: BaseException | None = None
    try:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    async with admin.connect(address, "postgres", seconds=_ATTEMPT_SECONDS) as connection:
                        return str(await connection.fetchval("SHOW server_version"))
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    last = error
                await asyncio.to_thread(_require_running, name)
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise EnvironmentMissing(
            f"the PostgreSQL container did not answer at {address.host}:{address.port} within "
            f"{READY_SECONDS:.0f} s (last: {last!r}); its log ends: {await asyncio.to_thread(_log, name)}"
        ) from None


def _require_running(name: str) -> None:
    with engine.open_client() as client:
        status = client.client.containers.get(name).status
    if status not in {"created", "running"}:
        raise EnvironmentMissing(f"the PostgreSQL container {status}; its log ends: {_log(name)}")


def _log(name: str) -> str:
    with engine.open_client() as client:
        output: bytes = client.client.containers.get(name).logs(tail=20)
    return output.decode(errors="replace").strip()
