"""What the server shows of a database: who is connected, and what is in it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy import event, make_url, text
from sqlalchemy.engine import Engine

from harness.observe.own_connection import own_connection
from harness.postgres.clones import Clones

__all__ = ["Targets", "connections_of", "tables_in", "watched_targets"]

_CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'
"""
_TABLES = text(
    """
    SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema')
    """
)
_TICK = 0.05


async def connections_of(clones: Clones, database: str, *, seconds: float) -> int:
    """How many connections to the database are still open after so many seconds at most; 0 as soon as none is."""
    deadline = monotonic() + seconds
    async with clones.connect() as connection:
        while count := int(await connection.fetchval(_CONNECTIONS, database)):
            if monotonic() > deadline:
                break
            await asyncio.sleep(_TICK)  # the server tells nobody when a connection has gone
    return count


async def tables_in(url: str) -> set[str]:
    """The committed tables of a database, each by its name, and by its name with its schema."""
    async with own_connection(url) as connection:
        rows = (await connection.execute(_TABLES)).all()
    return {name for schema, table in rows for name in (str(table), f"{schema}.{table}")}


@dataclass(slots=True)
class Targets:
    """Where SQLAlchemy's engines connected to, other than to the one database, as `host:port/database`."""

    others: list[str] = field(default_factory=list)


@contextmanager
def watched_targets(url: str) -> Iterator[Targets]:
    """Watch every engine of this process for connections to another database than that of the URL."""
    wanted, targets = make_url(url), Targets()

    def connecting(_dialect: Any, _record: Any, _args: Any, parameters: Mapping[str, Any]) -> None:
        database = parameters.get("database", parameters.get("dbname"))
        port = parameters.get("port") or wanted.port
        if database is not None and (str(database), int(port or 0)) != (wanted.database, int(wanted.port or 0)):
            targets.others.append(f"{parameters.get('host')}:{port}/{database}")

    event.listen(Engine, "do_connect", connecting)
    try:
        yield targets
    finally:
        event.remove(Engine, "do_connect", connecting)
