"""PostgreSQL in a container: reachable from here only, and gone with its owner."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest

from harness.errors import EnvironmentMissing
from harness.postgres import Clones, choose, engine, probe, require_extension
from harness.postgres.admin import connect
from harness.postgres.container import LABEL, ContainerServer
from harness.postgres.owner import Owner

ROOT = Path(__file__).parents[2]
SECONDS = 30.0


def containers() -> set[str]:
    with engine.open_client() as client:
        return {str(each.name) for each in client.client.containers.list(all=True, filters={"label": LABEL})}


async def prepare(url: str) -> None:
    """Nothing: an empty template will do."""


async def test_a_container_serves_copies_and_leaves_nothing(image: str) -> None:
    """The server in the container does what the embedded one does, on loopback, without durability."""
    server = ContainerServer(image=image)
    running = await server.start()
    try:
        clones = Clones(running, "container")
        template = await clones.template("base", prepare)
        async with (
            clones.clone(template, label="x") as database,
            connect(running.address, database.name) as link,
        ):
            fsync = await link.fetchval("SHOW fsync")
        version = await require_extension(running, "vector")
        with engine.open_client() as client:
            container = client.client.containers.get(running.details["container"])
            published = container.attrs["NetworkSettings"]["Ports"]["5432/tcp"]
            command = json.dumps([container.attrs["Config"]["Cmd"], container.labels])
    finally:
        await server.stop()
        await server.stop()

    assert running.kind == "container"
    assert running.version.startswith("18")
    assert fsync == "off"
    assert version
    assert {each["HostIp"] for each in published} == {"127.0.0.1"}
    assert running.address.password not in command
    assert running.address.password not in repr(running)
    assert running.details["container"] not in containers()


async def test_the_log_of_a_container_can_be_read_here(image: str) -> None:
    """What the server refuses stands in a file of this machine, which goes with the container."""
    server = ContainerServer(image=image)
    running = await server.start()
    try:
        async with connect(running.address, "postgres") as link:
            with pytest.raises(asyncpg.UndefinedTableError):
                await link.execute("SELECT * FROM no_such_table")
        assert running.log_path is not None
        logged = running.log_path.read_text()
    finally:
        await server.stop()

    assert 'relation "no_such_table" does not exist' in logged
    assert not running.log_path.parent.exists()


async def test_auto_takes_the_container(image: str) -> None:
    """With an engine and an image, the container wins, and the probe had said so."""
    server = choose("auto", image=image)
    foretold = (await probe(image=image))[-1]
    running = await server.start()
    await server.stop()

    assert foretold.detail == "would use a container"
    assert running.kind == "container"
    assert running.reason.startswith("auto: ")


async def test_an_image_that_cannot_be_had_is_named(image: str) -> None:
    """The message names the image and the engine, and what to do."""
    with pytest.raises(EnvironmentMissing, match="'localhost:1/no/such:image' is not on the Docker engine"):
        await ContainerServer(image="localhost:1/no/such:image").start()


SCRIPT = """
import asyncio, json, sys
from harness.postgres.container import ContainerServer

async def main():
    server = ContainerServer(image=sys.argv[1])
    running = await server.start()
    print(json.dumps(running.details), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_container_does_not_outlive_its_owner(image: str) -> None:
    """A process that is killed takes its container with it."""
    command = [sys.executable, "-c", SCRIPT, image]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        name = json.loads(process.stdout.readline())["container"]
        guardians = psutil.Process(process.pid).children()
        process.kill()
        process.wait(SECONDS)
        _, alive = psutil.wait_procs(guardians, timeout=SECONDS)

    assert guardians
    assert alive == []
    assert name not in containers()


async def test_the_next_start_removes_containers_of_dead_owners(image: str) -> None:
    """What a killed guardian left is found by its label; what a living owner has is left alone."""
    here = Owner.current()
    owners = {"living": here, "dead": replace(here, started="1")}
    with engine.open_client() as client:
        made = {name: str(client.create(image, labels={LABEL: owner.to_json()}).id) for name, owner in owners.items()}
        server = ContainerServer(image=image)
        await server.start()
        await server.stop()
        left = {each.id for each in client.client.containers.list(all=True, filters={"label": LABEL})}
        client.client.api.remove_container(made["living"], force=True)

    assert made["living"] in left
    assert made["dead"] not in left
