"""A server of others: what is refused, what is dropped, and what is never touched."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from harness.errors import ConfigurationError
from harness.postgres import Clones, RunningServer, ServerAddress, require_extension
from harness.postgres.admin import connect
from harness.postgres.embedded import free_ports
from harness.postgres.external import ExternalServer


async def prepare(_url: str) -> None:
    """Nothing: an empty template will do."""


async def execute(running: RunningServer, *statements: str) -> None:
    async with connect(running.address, "postgres") as connection:
        for statement in statements:
            await connection.execute(statement)


async def all_databases(running: RunningServer) -> set[str]:
    async with connect(running.address, "postgres") as connection:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}


@pytest.fixture
async def role(running: RunningServer) -> AsyncIterator[ServerAddress]:
    """A role that may log in, and nothing else."""
    name, password = f"role_{secrets.token_hex(4)}", secrets.token_hex(8)
    await execute(running, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    yield replace(running.address, user=name, password=password)
    await execute(running, f"DROP ROLE {name}")


async def test_a_named_server_is_used_with_databases_of_our_own(running: RunningServer) -> None:
    """Start says what was found; stop drops this server's databases; all others are as they were."""
    await execute(running, "CREATE DATABASE theirs", "CREATE DATABASE sessionproof_not_ours")
    before = await all_databases(running)
    server = ExternalServer(running.address.url("postgres"))
    external = await server.start()
    clones = Clones(external, secrets.token_hex(4))
    template = await clones.template("base", prepare)
    async with clones.clone(template, label="x") as database:
        during = await all_databases(running)
    await server.stop()
    await server.stop()

    assert external.kind == "external"
    assert external.details["url"] == running.address.masked_url("postgres")
    assert during - before == {template, database.name}
    assert await all_databases(running) == before
    await execute(running, "DROP DATABASE theirs", "DROP DATABASE sessionproof_not_ours")


async def test_a_role_that_may_make_databases_is_enough(running: RunningServer, role: ServerAddress) -> None:
    """No superuser is needed for templates and copies."""
    await execute(running, f"ALTER ROLE {role.user} CREATEDB")
    server = ExternalServer(role.url("postgres"))
    external = await server.start()
    clones = Clones(external, secrets.token_hex(4))
    template = await clones.template("base", prepare)
    async with clones.clone(template, label="x") as database:
        assert database.name in await all_databases(running)
    await server.stop()

    assert template not in await all_databases(running)


async def test_a_role_that_may_not_make_databases_is_told_the_remedy(role: ServerAddress) -> None:
    """The message is the statement that helps."""
    with pytest.raises(ConfigurationError) as caught:
        await ExternalServer(role.url("postgres")).start()

    assert f'ALTER ROLE "{role.user}" CREATEDB' in str(caught.value)
    assert role.password not in str(caught.value)


async def test_an_unreachable_server_is_named(running: RunningServer) -> None:
    """The message says which host and port were tried, and never the password."""
    (port,) = free_ports(1)
    address = replace(running.address, port=port)
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port} cannot be used") as caught:
        await ExternalServer(address.url("postgres")).start()

    assert address.masked_url("postgres") in str(caught.value)
    assert address.password not in str(caught.value)


async def test_a_wrong_password_is_a_configuration_error(running: RunningServer) -> None:
    """The server's own words are passed on."""
    address = replace(running.address, password="wrong")
    with pytest.raises(ConfigurationError, match="password authentication failed"):
        await ExternalServer(address.url("postgres")).start()


async def test_an_extension_that_is_missing_is_a_configuration_error(running: RunningServer) -> None:
    """On a server of others, what is missing is for its owner to install."""
    server = ExternalServer(running.address.url("postgres"))
    external = await server.start()
    with pytest.raises(ConfigurationError, match="no extension 'postgis'"):
        await require_extension(external, "postgis")
    await server.stop()


async def test_databases_of_dead_runs_are_dropped_and_others_left(running: RunningServer) -> None:
    """Start drops the runs of dead owners, keeps those of living ones, and names what it cannot judge."""
    base = ExternalServer(running.address.url("postgres"))
    external = await base.start()
    owner = external.owner
    made = {}
    for name, other in {
        "living": owner,
        "dead": replace(owner, started="1"),
        "elsewhere": replace(owner, host="another"),
    }.items():
        clones = Clones(replace(external, owner=other, instance=name), name)
        made[name] = await clones.template("base", prepare)
    await execute(running, "CREATE DATABASE sessionproof_dead_c_x", "CREATE DATABASE sessionproof_bare_c_x")
    second = ExternalServer(running.address.url("postgres"))
    found = await second.start()
    after = await all_databases(running)
    await second.stop()

    assert found.details["removed leftovers"] == f"sessionproof_dead_c_x, {made['dead']}"
    assert made["elsewhere"] in found.details["left alone"]
    assert "sessionproof_bare_c_x" in found.details["left alone"]
    assert after >= {made["living"], made["elsewhere"], "sessionproof_bare_c_x"}
    assert not after & {made["dead"], "sessionproof_dead_c_x"}
    for name in ("living", "elsewhere", "bare"):
        await Clones(running, name).drop_all()


async def test_stopping_one_server_keeps_the_databases_of_another(running: RunningServer) -> None:
    """Two running servers of one process behind the same URL do not drop each other's databases."""
    one, two = (ExternalServer(running.address.url("postgres")) for _ in range(2))
    await one.start()
    kept = await Clones(await two.start(), secrets.token_hex(4)).template("base", prepare)
    await one.stop()
    between = await all_databases(running)
    await two.stop()

    assert kept in between
    assert kept not in await all_databases(running)
