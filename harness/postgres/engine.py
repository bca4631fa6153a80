"""The Docker engine of this machine: whether it answers, whether it has an image, and how to get one.

Problem: an engine that is absent, or a registry that is out of reach, must be found out quickly and said
plainly, and no image may be fetched that nobody named.

Mechanism: testcontainers' client finds the engine (``DOCKER_HOST``, contexts, properties file). Its
containers are not used, because starting one would first fetch and start another image, Ryuk. Everything
here blocks, and is called through `asyncio.to_thread`.

Guarantee: every failure is an `EnvironmentMissing` that names the engine and what was tried.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
from docker.utils import parse_repository_tag
from testcontainers.core.config import ConnectionMode
from testcontainers.core.docker_client import DockerClient, get_docker_host

from harness.errors import EnvironmentMissing
from harness.postgres.server import Lacking

__all__ = ["describe", "ensure_image", "has_image", "is_loopback", "location", "open_client"]

DEFAULT_HOST = "unix:///var/run/docker.sock"
ANSWER_SECONDS = 5
CALL_SECONDS = 60

_REMEDY = "start Docker, set DOCKER_HOST, or use embedded PostgreSQL"


def location() -> str:
    """Where the engine is expected, as far as this process knows."""
    return os.environ.get("DOCKER_HOST") or get_docker_host() or DEFAULT_HOST


@contextmanager
def open_client(*, seconds: int = CALL_SECONDS) -> Iterator[DockerClient]:
    """A client of the engine, closed at the end; what goes wrong with it becomes an `EnvironmentMissing`."""
    where = location()
    try:
        _knock(where)
        client = DockerClient(timeout=seconds)
    except (docker.errors.DockerException, OSError) as error:
        raise Lacking(f"no Docker engine answered at {where} ({error})", _REMEDY) from None
    try:
        yield client
    except (docker.errors.DockerException, OSError) as error:
        raise EnvironmentMissing(f"the Docker engine at {location()} failed: {error}") from None
    finally:
        client.client.close()


def describe() -> str:
    """The engine's version, such as ``Docker 28.2.2 at unix:///var/run/docker.sock``."""
    with open_client(seconds=ANSWER_SECONDS) as client:
        return f"Docker {client.client.version()['Version']} at {location()}"


def has_image(image: str) -> bool:
    """Whether the engine has the image already."""
    with open_client() as client:
        return _has(client, image)


def ensure_image(image: str, *, seconds: float) -> str:
    """Pull the image unless the engine has it; returns a word on which of the two it was.

    Raises:
        EnvironmentMissing: it could not be pulled in that time.
    """
    with open_client() as client:
        if _has(client, image):
            return "present"
    started = time.monotonic()
    with open_client(seconds=max(1, int(seconds))) as client:
        repository, tag = parse_repository_tag(image)
        try:
            for event in client.client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                if "error" in event:
                    raise _pull_failed(image, event["error"])
                if time.monotonic() - started > seconds:
                    raise _pull_failed(image, f"not done after {seconds:.0f} s")
        except (docker.errors.DockerException, OSError) as error:
            raise _pull_failed(image, str(getattr(error, "explanation", None) or error)) from None
    return f"pulled in {time.monotonic() - started:.0f} s"


def is_loopback(client: DockerClient) -> bool:
    """Whether ports that the engine publishes on its loopback address are in reach of this process.

    A process that seems to run in a container shares the engine's loopback only if it shares its host, which
    the two host names tell: a container has its own, unless it is on the host's network.
    """
    if client.get_connection_mode() == ConnectionMode.docker_host:
        return client.host() in {"localhost", "127.0.0.1"}
    return location().startswith("unix:") and client.client.info()["Name"] == socket.gethostname()


def _knock(where: str) -> None:
    """Connect to a local engine's socket; where that fails, docker's client would leave its own open."""
    if where.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_SECONDS)
            link.connect(where.removeprefix("unix://"))


def _has(client: DockerClient, image: str) -> bool:
    try:
        client.client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _pull_failed(image: str, why: str) -> Lacking:
    return Lacking(
        f"the image {image!r} is not on the Docker engine at {location()} and could not be pulled ({why})",
        "name an image that is there, load it (docker load), or use embedded PostgreSQL",
    )
