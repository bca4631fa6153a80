"""The ledger's rows, as they are in the database.

Problem: what the application's session believes it has written may never have been committed.

Mechanism and guarantee: the backend's own reading function, on a connection of the harness's own, so that
only committed rows are seen. If it cannot read, the record is absent.
"""

from sqlalchemy import make_url

from harness.backend import Backend
from harness.evidence import LedgerRow, Record
from harness.observe.own_connection import own_connection
from harness.observe.redaction import Redactor

__all__ = ["read_ledger"]


async def read_ledger(backend: Backend, url: str) -> Record[LedgerRow]:
    """Every committed ledger row in `url`'s database."""
    try:
        async with own_connection(url) as connection:
            rows = await backend.read_ledger(connection)
    except Exception as error:  # noqa: BLE001  # the backend's code may raise anything; then nothing was seen
        reason = Redactor.for_url(make_url(url)).text(f"{type(error).__name__}: {error}")
        return Record.absent("ledger", reason)
    return Record.of("ledger", tuple(rows))
