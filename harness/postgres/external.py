"""A server that somebody named by URL: it belongs to others, and only databases of our own may be touched.

Problem: the server may be shared, the role may lack rights, and a run that was killed leaves its databases
there.

Mechanism: nothing is created but databases named ``sessionproof_<run>_…`` (by `harness.postgres.clones`). A
template's comment names the process that owns its run; the databases of a run are dropped when that process
is known to be dead, or when it stops this server.

Guarantee: a database with another name is never changed or dropped, and neither is one whose owner is not
known to be dead: those are left, and named in the details of the running server.
"""

import re
from collections import defaultdict
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import asyncpg

from harness.errors import ConfigurationError
from harness.postgres.admin import Connection, connect
from harness.postgres.clones import PREFIX, Marker, databases, drop
from harness.postgres.server import RunningServer, ServerAddress

__all__ = ["ExternalServer"]

OLDEST = 13  # the first with DROP DATABASE … WITH (FORCE)

_RUN = re.compile(rf"{PREFIX}([a-z0-9]+)_[tc]_")


class ExternalServer:
    """The server behind a URL; implements `harness.postgres.server.Server`."""

    kind: str = "external"

    def __init__(self, url: str, *, reason: str = "a database URL was given") -> None:
        self._address = ServerAddress.from_url(url)
        self._database = unquote(urlsplit(url).path.strip("/")) or "postgres"
        self._reason = reason
        self._running: RunningServer | None = None

    async def start(self) -> RunningServer:
        """Check that databases can be made there, and drop those of dead runs.

        Raises:
            ConfigurationError: it cannot be reached, is read-only or too old, or the role may not make
                databases.
        """
        where = self._address.masked_url(self._database)
        try:
            async with connect(self._address, self._database) as connection:
                await _require_usable(connection, where)
                version = str(await connection.fetchval("SHOW server_version"))
                dropped, left = await _sweep(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise ConfigurationError(self._unreachable(error)) from None
        details = {"url": where}
        if dropped:
            details["removed leftovers"] = ", ".join(dropped)
        if left:
            details["left alone"] = f"{', '.join(left)} (not known to belong to a dead run of this host)"
        self._running = RunningServer(
            kind=self.kind,
            address=self._address,
            version=version,
            reason=self._reason,
            maintenance_database=self._database,
            details=details,
        )
        return self._running

    async def stop(self) -> None:
        """Drop the databases that were made through this running server."""
        running, self._running = self._running, None
        if running is None:
            return
        mine = Marker.of(running)
        try:
            async with connect(self._address, self._database) as connection:
                for names, marker in await _runs(connection):
                    if marker == mine:
                        await _drop(connection, names)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise ConfigurationError(self._unreachable(error)) from None

    def _unreachable(self, error: Exception) -> str:
        address = self._address
        what = str(error) or type(error).__name__
        return (
            f"the PostgreSQL server at {address.host}:{address.port} cannot be used as {address.user!r}: "
            f"{what} (tried {address.masked_url(self._database)}); "
            "check that it runs, the URL, and the password"
        )


async def _require_usable(connection: Connection, where: str) -> None:
    row = await connection.fetchrow(
        "SELECT rolname, rolcreatedb OR rolsuper AS creates, pg_is_in_recovery() AS standby, "
        "current_setting('server_version_num')::int / 10000 AS major "
        "FROM pg_roles WHERE rolname = current_user"
    )
    if row is None:
        raise ConfigurationError(f"{where}: the connected role is not listed in pg_roles")
    if row["major"] < OLDEST:
        raise ConfigurationError(f"{where} is PostgreSQL {row['major']}; {OLDEST} or newer is needed")
    if row["standby"]:
        raise ConfigurationError(f"{where} is a read-only standby; name its primary")
    if not row["creates"]:
        role = row["rolname"]
        raise ConfigurationError(
            f"the role {role!r} may not create databases on {where}, and each scenario needs one of its own; "
            f'as a superuser: ALTER ROLE "{role}" CREATEDB'
        )


async def _sweep(connection: Connection) -> tuple[list[str], list[str]]:
    """Drop the databases of dead runs; returns the names of those dropped and of those left alone."""
    dropped: list[str] = []
    left: list[str] = []
    for names, marker in await _runs(connection):
        alive = marker.owner.is_alive() if marker is not None else None
        if alive is None:
            left += names
        elif not alive:
            gone = await _drop(connection, names)
            dropped += gone
            left += [name for name in names if name not in gone]
    return dropped, left


async def _drop(connection: Connection, names: list[str]) -> list[str]:
    """Drop the databases, except those that another role owns; returns those dropped."""
    gone = []
    for name in names:
        with suppress(asyncpg.InsufficientPrivilegeError):
            await drop(connection, name)
            gone.append(name)
    return gone


async def _runs(connection: Connection) -> list[tuple[list[str], "Marker | None"]]:
    """The databases of each run on the server, with what its templates say of its owner."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    markers: defaultdict[str, set[Marker | None]] = defaultdict(set)
    for name in await databases(connection, PREFIX):
        match = _RUN.match(name)
        if match is None:
            continue
        names[match[1]].append(name)
        marker = await Marker.read(connection, name)
        if marker is not None:
            markers[match[1]].add(marker)
    return [(names[run], markers[run].pop() if len(markers[run]) == 1 else None) for run in names]
