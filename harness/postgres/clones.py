"""Databases of one's own, cheap enough for every scenario: copies of a template that is prepared once.

Problem: a scenario needs a database in a known state that nobody else writes to, and preparing one
(extension, schema, seed data) takes much longer than the scenario.

Mechanism: a template database is prepared once a run and then closed to connections; each scenario gets a
copy of it by ``CREATE DATABASE … TEMPLATE``, and the copy is dropped with force at the end. An advisory
lock in the maintenance database keeps the processes of a run (pytest-xdist workers) from preparing the same
template twice. A template's comment names the run's owner, so that a later run on the same server can tell
that this one is dead.

Guarantee: only databases named ``sessionproof_<run>_…`` are created, changed or dropped.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from harness.errors import ConfigurationError
from harness.postgres.admin import Connection, connect, quote_identifier
from harness.postgres.owner import Owner
from harness.postgres.server import RunningServer

__all__ = ["PREFIX", "Clones", "Database", "Marker", "databases", "drop", "is_template"]

PREFIX = "sessionproof_"
NAME_BYTES = 63  # NAMEDATALEN - 1
# Copying files needs two checkpoints: half the time of logging pages where nothing is flushed to disk, and a
# multiple of it where it is. A server that is not ours is left to choose.
STRATEGIES = {"embedded": "STRATEGY FILE_COPY", "container": "STRATEGY FILE_COPY"}
QUIET_MILLISECONDS = 5000

_RUN_LENGTH = 20
_DIGEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database: its name, and its SQLAlchemy URL with and without the password."""

    name: str
    url: str = field(repr=False)
    masked_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a template's comment says: the process its run belongs to, and which of its servers."""

    owner: Owner
    instance: str

    @classmethod
    def of(cls, running: RunningServer) -> "Marker":
        """The marker of databases made through a running server."""
        return cls(owner=running.owner, instance=running.instance)

    @classmethod
    async def read(cls, connection: Connection, name: str) -> "Marker | None":
        """The marker of a database, or ``None`` if its comment is missing or not ours."""
        comment = await connection.fetchval(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name
        )
        instance, _, owner = (comment or "").partition(" ")
        found = Owner.from_json(owner)
        return None if found is None else cls(owner=found, instance=instance)

    async def write(self, connection: Connection, name: str) -> None:
        """Make this the database's comment."""
        comment = f"{self.instance} {self.owner.to_json()}".replace("'", "''")
        await connection.execute(f"COMMENT ON DATABASE {quote_identifier(name)} IS '{comment}'")


class Clones:
    """The templates and copies of one run on one server."""

    def __init__(self, running: RunningServer, run_id: str) -> None:
        self._running = running
        self._run = _run_name(run_id)
        if not self._run:
            raise ConfigurationError(f"the run id {run_id!r} has no letter or digit to name databases by")

    @property
    def prefix(self) -> str:
        """What the names of all databases of this run start with."""
        return f"{PREFIX}{self._run}_"

    async def template(self, key: str, prepare: Callable[[str], Awaitable[None]]) -> str:
        """The name of the template for a key, prepared now if this run does not have it yet.

        Args:
            key: what tells templates of one run apart.
            prepare: called at most once a run with the URL of an empty database, for extensions, schema and
                data. If it raises, the database is dropped and the exception goes on.
        """
        name = _name(f"{self.prefix}t_", key)
        async with self.connect() as connection, _lock(connection, name):
            if await _is_complete(connection, name):
                return name
            await drop(connection, name)
            await connection.execute(f"CREATE DATABASE {quote_identifier(name)}")
            try:
                await Marker.of(self._running).write(connection, name)
                await prepare(self._running.address.url(name))
                await _seal(connection, name)
            except BaseException:  # interrupted, too, it leaves no database behind
                await drop(connection, name)
                raise
        return name

    @asynccontextmanager
    async def clone(self, template: str, *, label: str) -> AsyncIterator[Database]:
        """A copy of a template, dropped at the end, whoever is still connected to it.

        Args:
            template: what `template` returned.
            label: goes into the name, for a person who looks at the server.
        """
        database = self.database(label)
        try:
            async with self.connect() as connection:
                await self.copy(connection, template, database)
            yield database
        finally:
            async with self.connect() as connection:
                await drop(connection, database.name)

    def database(self, label: str) -> Database:
        """What a new copy is to be called, and where it will be; `copy` makes it, and whoever does that drops it."""
        name, address = _name(f"{self.prefix}c_", label, unique=secrets.token_hex(4)), self._running.address
        return Database(name=name, url=address.url(name), masked_url=address.masked_url(name))

    async def copy(self, connection: Connection, template: str, database: Database) -> None:
        """Make the copy through a connection to the maintenance database."""
        strategy = STRATEGIES.get(self._running.kind, "")
        name, source = quote_identifier(database.name), quote_identifier(template)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {source} {strategy}")

    async def drop_all(self) -> None:
        """Drop every database of this run, copies first: it is the templates that name the run's owner."""
        async with self.connect() as connection:
            for name in await databases(connection, self.prefix):
                await drop(connection, name)

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """A connection to the maintenance database, through which copies are made and dropped."""
        return connect(self._running.address, self._running.maintenance_database)


async def databases(connection: Connection, prefix: str) -> list[str]:
    """The databases whose names start with the prefix, copies before templates."""
    rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
    return sorted((str(row["datname"]) for row in rows), key=lambda name: (is_template(name), name))


def is_template(name: str) -> bool:
    """Whether a database's name is that of a template of some run."""
    return re.match(rf"{PREFIX}[a-z0-9]+_t_", name) is not None


@asynccontextmanager
async def _lock(connection: Connection, name: str) -> AsyncIterator[None]:
    """Hold an advisory lock; it ends with the connection, however that ends."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    await connection.execute("SELECT pg_advisory_lock($1)", key)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", key)


async def _is_complete(connection: Connection, name: str) -> bool:
    """Whether the template exists and was sealed; one that was not was left by a killed process."""
    allowed = await connection.fetchval("SELECT datallowconn FROM pg_database WHERE datname = $1", name)
    return allowed is False


async def _seal(connection: Connection, name: str) -> None:
    """Close the template to connections, the open ones included: a copy needs an idle source."""
    await connection.execute(f"ALTER DATABASE {quote_identifier(name)} ALLOW_CONNECTIONS false")
    await connection.execute(
        "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE datname = $1",
        name,
        QUIET_MILLISECONDS,
    )


async def drop(connection: Connection, name: str) -> None:
    """Drop a database, whoever is connected to it, if there is one of that name."""
    await connection.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _run_name(run_id: str) -> str:
    """Letters and digits only, so that the run can be told from the rest of a database's name."""
    plain = _plain(run_id).replace("_", "")
    if len(plain) <= _RUN_LENGTH:
        return plain
    return plain[: _RUN_LENGTH - _DIGEST] + _digest(run_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def _name(prefix: str, label: str, *, unique: str = "") -> str:
    """A database name that is never too long; what is cut off or replaced is told apart by a digest."""
    plain = _plain(label)
    room = NAME_BYTES - len(prefix) - len(unique) - 1
    if not unique and (plain != label or len(plain) > room):
        unique = _digest(label)
        room -= len(unique)
    return f"{prefix}{plain[:room].strip('_')}_{unique}".strip("_")
