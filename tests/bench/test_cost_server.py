"""Servers that are started and stopped: the times are of the same one, and none stays; without an engine, why not."""

import asyncio
from dataclasses import replace

import pytest

from harness.bench import cost_server
from harness.bench.cost import Ground, measure
from harness.bench.cost_database import READY, module_ways
from harness.bench.cost_server import START, STOP, container_ways, embedded_ways
from harness.postgres.clones import Database
from harness.postgres.embedded import EmbeddedServer
from tests.bench.grounds import cost, entries


async def test_without_an_engine_containers_are_named(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a rival, and as a server."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    module = await measure(cost(lambda: module_ways(ground), reference=READY))
    server = await measure(cost(lambda: container_ways(ground)))

    for document in (module, server):
        assert document.arms == ()
        assert document.missing[0].startswith("x: no Docker engine answered at unix:///nowhere/docker.sock")


async def test_a_start_and_a_stop_are_of_the_same_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is first starts one, and nobody leaves it running."""
    made: list[EmbeddedServer] = []

    def make() -> EmbeddedServer:
        made.append(EmbeddedServer())
        return made[-1]

    monkeypatch.setattr(cost_server, "EmbeddedServer", make)
    async with embedded_ways() as found:
        samples = [await found.ways[each]() for each in (STOP, START, START, STOP)]

    assert all(sample.seconds > 0 for sample in samples)
    assert len(made) == 2
    assert all(server._guard is None for server in made)


async def test_a_container_of_a_module_s_own(ground: Ground, image: str) -> None:
    """It has the backend's rows, and is gone afterwards; so is a server of that kind."""
    from harness.postgres import engine  # noqa: PLC0415  # half a second

    seen: list[int] = []

    async def look(database: Database) -> None:
        seen.append(await entries(database))

    def containers() -> set[str]:
        with engine.open_client() as client:
            return {str(each.name) for each in client.client.containers.list(all=True)}

    before = await asyncio.to_thread(containers)
    ready = replace(ground, image=image)
    async with module_ways(ready, seen=look) as found:
        for way in found.ways.values():
            await way()
    async with container_ways(ready) as servers:
        assert (await servers.ways[START]()).seconds > 0

    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert await asyncio.to_thread(containers) == before
