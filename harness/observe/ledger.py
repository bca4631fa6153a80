"""The ledger's rows, as they are in the database.

Problem: what the application's session believes it has written may never have been committed.

Mechanism and guarantee: the backend's own reading function, on a connection of the harness's own, so that
only committed rows are seen. If it cannot read, the record is absent.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy import make_url

from harness.backend import Backend
from harness.evidence import LedgerRow, Record
from harness.observe.own_connection import own_connection
from harness.observe.redaction import Redactor

__all__ = ["read_ledger"]


async def read_ledger(backend: Backend, url: str, *, limit: float = 30.0) -> Record[LedgerRow]:
    """Every committed ledger row in `url`'s database, read in `limit` seconds at the most."""
    try:
        async with asyncio.timeout(limit), own_connection(url) as connection:
            rows: Sequence[object] = await backend.read_ledger(connection)
    except TimeoutError:
        return Record.absent("ledger", f"read_ledger of backend {backend.name!r} gave no answer within {limit:g} s")
    except Exception as error:  # noqa: BLE001  # the backend's code may raise anything; then nothing was seen
        reason = Redactor.for_url(make_url(url)).text(f"{type(error).__name__}: {error}")
        return Record.absent("ledger", reason)
    if strange := [type(row).__name__ for row in rows if not isinstance(row, LedgerRow)]:
        return Record.absent("ledger", f"read_ledger of backend {backend.name!r} gave a {strange[0]}, not a LedgerRow")
    return Record.of("ledger", [row for row in rows if isinstance(row, LedgerRow)])
