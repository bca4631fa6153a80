"""Chooses the server to run on, and says what this machine offers.

Problem: the same command has to work on a laptop with Docker, in a CI job without it, and against a server
that somebody keeps, and must say which it took and why.

Mechanism: `choose` maps a word or a URL to a provider. ``auto`` tries a container, and takes embedded
PostgreSQL when there is no engine or no image. `probe` looks at the same things without starting any.

Guarantee: the choice is never silent. The running server carries the reason, with what failed before.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres import binaries, embedded
from harness.postgres.embedded import EmbeddedServer
from harness.postgres.external import ExternalServer
from harness.postgres.server import Lacking, RunningServer, Server

__all__ = ["AutoServer", "Probe", "choose", "probe"]

SPECS = ("auto", "container", "embedded")
AUTO_PULL_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One thing this machine has or lacks: what was seen, and how to get it."""

    name: str
    found: bool
    detail: str
    remedy: str = ""


def choose(spec: str, *, image: str | None = None) -> Server:
    """The server for ``auto``, ``container``, ``embedded`` or a PostgreSQL URL.

    Args:
        spec: the word or the URL.
        image: the container's image, instead of the default one.

    Raises:
        ConfigurationError: it is none of these.
    """
    if "://" in spec:
        return ExternalServer(spec)
    if spec == "embedded":
        return EmbeddedServer()
    if spec == "container":
        return _container(image=image)
    if spec == "auto":
        return AutoServer(image=image)
    raise ConfigurationError(
        f"there is no PostgreSQL provider {spec!r}; expected {', '.join(SPECS)}, "
        "or a URL such as postgresql://user:password@host:5432/postgres"
    )


class AutoServer:
    """A container if one can be had, else embedded PostgreSQL; implements `Server`."""

    def __init__(self, *, image: str | None = None) -> None:
        self.kind = "auto"
        self._image = image
        self._server: Server | None = None

    async def start(self) -> RunningServer:
        """Start the first of the two that works; `kind` then says which.

        Raises:
            EnvironmentMissing: neither works; the text says why for both.
        """
        container = _container(
            image=self._image,
            reason="auto: a Docker engine answers and has the image, or could pull it",
            pull_seconds=AUTO_PULL_SECONDS,
        )
        try:
            return await self._adopt(container)
        except EnvironmentMissing as error:
            obstacle = error.what if isinstance(error, Lacking) else str(error)
        try:
            return await self._adopt(EmbeddedServer(reason=f"auto: {obstacle}; embedded PostgreSQL is used"))
        except EnvironmentMissing as error:
            raise EnvironmentMissing(f"no PostgreSQL can be started here: {obstacle}; {error}") from None

    async def stop(self) -> None:
        """Stop the server that was chosen."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    async def _adopt(self, server: Server) -> RunningServer:
        running = await server.start()
        self._server, self.kind = server, server.kind
        return running


async def probe(*, image: str | None = None) -> list[Probe]:
    """What this machine has for each provider, and what ``auto`` would take."""
    docker = await asyncio.to_thread(_probe_engine)
    picture = await asyncio.to_thread(_probe_image, image, docker)
    programs = await asyncio.to_thread(_look, "embedded PostgreSQL", _embedded_detail)
    room = await asyncio.to_thread(_look, "room for data", _room_detail)
    auto = _probe_auto(docker, picture, programs, room)
    return [docker, picture, programs, room, auto]


def _container(*, image: str | None, **options: object) -> Server:
    from harness.postgres.container import DEFAULT_IMAGE, ContainerServer  # noqa: PLC0415  # half a second

    return ContainerServer(image=image or DEFAULT_IMAGE, **options)  # type: ignore[arg-type]  # as ContainerServer


def _look(name: str, detail: Callable[[], str]) -> Probe:
    try:
        return Probe(name=name, found=True, detail=detail())
    except Lacking as error:
        return Probe(name=name, found=False, detail=error.what, remedy=error.remedy)
    except EnvironmentMissing as error:
        return Probe(name=name, found=False, detail=str(error))


def _probe_engine() -> Probe:
    from harness.postgres import engine  # noqa: PLC0415  # half a second

    return _look("Docker engine", engine.describe)


def _probe_image(image: str | None, docker: Probe) -> Probe:
    from harness.postgres import container, engine  # noqa: PLC0415  # half a second

    name = image or container.DEFAULT_IMAGE
    if not docker.found:
        return Probe(name="container image", found=False, detail=f"{name}: no engine to ask", remedy=docker.remedy)
    if engine.has_image(name):
        return Probe(name="container image", found=True, detail=f"{name} is on the engine")
    return Probe(
        name="container image",
        found=False,
        detail=f"{name} is not on the engine",
        remedy=f"docker pull {name} (a run tries this by itself), or name another image",
    )


def _embedded_detail() -> str:
    programs = binaries.find()
    account = binaries.unprivileged_account()
    who = f", to be run as {account.name!r}" if account is not None else ""
    return f"{binaries.version(programs)} of {binaries.DISTRIBUTION} {programs.wheel}{who}"


def _room_detail() -> str:
    root, free = embedded.find_room(embedded.data_roots(), binaries.unprivileged_account())
    needed = embedded.REQUIRED_BYTES // embedded.MEGABYTE
    return f"{root} has {free // embedded.MEGABYTE} MB free, {needed} MB are needed"


def _probe_auto(docker: Probe, picture: Probe, programs: Probe, room: Probe) -> Probe:
    if docker.found and picture.found:
        return Probe(name="auto", found=True, detail="would use a container")
    if programs.found and room.found:
        pulling = "would try to pull the image, else " if docker.found else "would "
        return Probe(name="auto", found=True, detail=f"{pulling}use embedded PostgreSQL")
    if docker.found:
        return Probe(name="auto", found=False, detail="would have to pull the image", remedy=picture.remedy)
    return Probe(name="auto", found=False, detail="has nothing to use", remedy=programs.remedy or room.remedy)
