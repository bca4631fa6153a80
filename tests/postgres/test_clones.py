"""Templates and their copies: prepared once, isolated, dropped, and named so that the server accepts it."""

import asyncio
import json
import secrets
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from harness.errors import ConfigurationError
from harness.postgres import Clones, RunningServer
from harness.postgres.admin import connect
from harness.postgres.clones import databases

ROOT = Path(__file__).parents[2]


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def count(url: str) -> int:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM t"))
    finally:
        await connection.close()


async def make_table(url: str) -> None:
    await run(url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")


async def names(running: RunningServer, clones: Clones) -> list[str]:
    async with connect(running.address, running.maintenance_database) as connection:
        return await databases(connection, clones.prefix)


async def test_copies_are_isolated_from_each_other_and_from_the_template(clones: Clones) -> None:
    """What is written to one copy is seen in no other, nor in copies made later."""
    template = await clones.template("base", make_table)
    async with (
        clones.clone(template, label="one") as one,
        clones.clone(template, label="two") as two,
    ):
        await run(one.url, "INSERT INTO t VALUES (2)")
        async with clones.clone(template, label="three") as three:
            assert [await count(each.url) for each in (one, two, three)] == [2, 1, 1]


async def test_a_copy_is_dropped_though_somebody_is_connected(clones: Clones, running: RunningServer) -> None:
    """A backend that forgot to close its connections does not keep its database."""
    template = await clones.template("base", make_table)
    async with clones.clone(template, label="held") as database:
        held = await asyncpg.connect(database.url.replace("+asyncpg", ""))
    await held.close()

    assert await names(running, clones) == [template]


async def test_a_copy_is_dropped_when_its_user_fails(clones: Clones, running: RunningServer) -> None:
    """An exception in the body goes through, and the database is gone."""
    template = await clones.template("base", make_table)
    with pytest.raises(LookupError):
        async with clones.clone(template, label="x"):
            raise LookupError

    assert await names(running, clones) == [template]


async def test_a_template_is_prepared_once_among_tasks(clones: Clones) -> None:
    """Tasks that ask for the same key at once get the same template, prepared by one of them."""
    prepared = []

    async def prepare(url: str) -> None:
        prepared.append(url)
        await make_table(url)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(clones.template("base", prepare)) for _ in range(5)]

    assert len(prepared) == 1
    assert len({task.result() for task in tasks}) == 1


WORKER = """
import asyncio, json, sys
from harness.postgres import Clones, RunningServer

prepared = []

async def prepare(url):
    prepared.append(url)

async def main():
    document, run = json.loads(sys.stdin.readline())
    print("ready", flush=True)
    sys.stdin.readline()
    await Clones(RunningServer.from_json(document), run).template("base", prepare)
    print(len(prepared))

asyncio.run(main())
"""


def test_a_template_is_prepared_once_among_processes(running: RunningServer) -> None:
    """The workers of a run share a template, though they know nothing of each other."""
    run_id = secrets.token_hex(4)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(json.dumps([running.to_json(), run_id]) + "\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    counts = [int(worker.communicate()[0]) for worker in workers]
    asyncio.run(Clones(running, run_id).drop_all())

    assert sorted(counts) == [0, 0, 1]


async def test_a_failed_preparation_leaves_no_template(clones: Clones, running: RunningServer) -> None:
    """The exception goes on, the half-made database is dropped, and the next attempt may succeed."""

    async def fail(url: str) -> None:
        await make_table(url)
        raise LookupError

    with pytest.raises(LookupError):
        await clones.template("base", fail)
    left = await names(running, clones)
    template = await clones.template("base", make_table)

    assert left == []
    assert await names(running, clones) == [template]


async def test_a_template_that_a_killed_process_left_half_made_is_made_again(
    clones: Clones, running: RunningServer
) -> None:
    """A database of the template's name that was never sealed is not mistaken for the template."""
    template = await clones.template("base", make_table)
    await clones.drop_all()
    async with connect(running.address, running.maintenance_database) as connection:
        await connection.execute(f"CREATE DATABASE {template}")
    await clones.template("base", make_table)
    async with clones.clone(template, label="x") as database:
        assert await count(database.url) == 1


async def test_a_connection_that_preparation_left_open_does_no_harm(clones: Clones) -> None:
    """A template is closed to everybody before it is copied."""
    forgotten = []

    async def prepare(url: str) -> None:
        await make_table(url)
        forgotten.append(await asyncpg.connect(url.replace("+asyncpg", "")))

    template = await clones.template("base", prepare)
    async with clones.clone(template, label="x") as database:
        assert await count(database.url) == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await forgotten[0].execute("SELECT 1")
    await forgotten[0].close()


async def test_names_are_short_plain_and_different(clones: Clones, running: RunningServer) -> None:
    """Any label and key make a name of at most 63 plain bytes, and what is cut off still tells apart."""
    long = "Überlange/Schlüssel 'mit' \"allem\" " * 4
    templates = [await clones.template(long + tail, make_table) for tail in ("a", "b")]
    async with (
        clones.clone(templates[0], label=long) as first,
        clones.clone(templates[0], label="") as second,
    ):
        seen = await names(running, clones)

    assert len(set(seen)) == 4
    assert {first.name, second.name, *templates} == set(seen)
    assert all(len(name) <= 63 and name.replace("_", "").isascii() and name.islower() for name in seen)


async def test_dropping_a_run_leaves_other_runs_alone(clones: Clones, running: RunningServer) -> None:
    """`drop_all` drops every database of its run, and only those."""
    other = Clones(running, secrets.token_hex(4))
    kept = await other.template("base", make_table)
    await clones.template("base", make_table)
    await clones.drop_all()

    assert await names(running, clones) == []
    assert await names(running, other) == [kept]
    await other.drop_all()


async def test_long_run_ids_stay_different(running: RunningServer) -> None:
    """Run ids that differ only at their ends do not share databases."""
    ids = ["2026-01-01T00:00:00.000000-run-1", "2026-01-01T00:00:00.000000-run-2"]

    assert len({Clones(running, each).prefix for each in ids}) == 2


def test_a_run_id_without_letters_is_refused(running: RunningServer) -> None:
    """There is nothing to name databases by."""
    with pytest.raises(ConfigurationError, match="run id '--'"):
        Clones(running, "--")


async def test_a_database_shows_no_password(clones: Clones, running: RunningServer) -> None:
    """The value that scenarios carry around can be printed."""
    template = await clones.template("base", make_table)
    async with clones.clone(template, label="x") as database:
        assert running.address.password in database.url
        assert running.address.password not in repr(database)
        assert database.masked_url == database.url.replace(running.address.password, "***")
