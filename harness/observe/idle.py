"""Transactions that a turn left open, as the server sees them.

Problem: a session that nobody closed holds locks, keeps vacuum from working, and takes a connection away.

Mechanism: `pg_stat_activity`, read through a connection of the harness's own. The server reports a state
before it answers the client, so what is shown is the state after the turn's last answer.

Guarantee: only the observed database's processes, without the harness's own. If it cannot be read, the
record is absent.
"""

from sqlalchemy import make_url, text

from harness.evidence import IdleTransaction, Record
from harness.observe.marks import OWN_APPLICATION_NAME
from harness.observe.own_connection import own_connection
from harness.observe.redaction import Redactor

__all__ = ["idle_transactions"]

_QUERY = text(
    """
    SELECT pid, state, query, extract(epoch FROM clock_timestamp() - state_change)::float8 AS seconds
    FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'
      AND pid <> pg_backend_pid() AND application_name <> :own
    ORDER BY pid
    """
)


async def idle_transactions(url: str) -> Record[IdleTransaction]:
    """The server processes of `url`'s database that hold a transaction open and do nothing."""
    redactor = Redactor.for_url(make_url(url))
    try:
        async with own_connection(url) as connection:
            rows = (await connection.execute(_QUERY, {"own": OWN_APPLICATION_NAME})).all()
    except Exception as error:  # noqa: BLE001  # whatever went wrong, nothing was seen
        return Record.absent("idle_transactions", redactor.text(f"{type(error).__name__}: {error}"))
    found = [
        IdleTransaction(backend_pid=row.pid, state=row.state, query=redactor.text(row.query), seconds=row.seconds)
        for row in rows
    ]
    return Record.of("idle_transactions", found)
