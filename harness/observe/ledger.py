"""The ledger's rows, as they are in the database.

Problem: what the application's session believes it has written may never have been committed; and what a backend's
reading function makes of the rows may be of other types than they are compared in: a cost as `float` is near its price
and never it, a cost as text is never equal to anything.

Mechanism and guarantee: the backend's own reading function, on a connection of the harness's own, so that
only committed rows are seen. If it cannot read, or a field of a row is not what `LedgerRow` says, the record is absent,
with the row and the field in its reason. What is of the right type is kept, however wrong it is.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import make_url

from harness.backend import Backend
from harness.evidence import LedgerRow, Record
from harness.observe.own_connection import own_connection
from harness.observe.redaction import Redactor

__all__ = ["read_ledger"]

_TEXTS = ("session_id", "account_slug", "agent_instance_slug", "provider", "model", "completion_status")
_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
_COSTS = ("prompt_cost", "completion_cost", "total_cost")
_LONGEST_VALUE = 80
_LACKING = re.compile(r"LedgerRow\.__init__\(\) missing \d+ required .*arguments?: (.*)")


async def read_ledger(backend: Backend, url: str, *, limit: float = 30.0) -> Record[LedgerRow]:
    """Every committed ledger row in `url`'s database, read in `limit` seconds at the most."""
    who = f"read_ledger of backend {backend.name!r}"
    try:
        async with asyncio.timeout(limit), own_connection(url) as connection:
            given: object = await backend.read_ledger(connection)
            rows = list(given) if isinstance(given, Iterable) else None
    except TimeoutError:
        return Record.absent("ledger", f"{who} gave no answer within {limit:g} s")
    except Exception as error:  # noqa: BLE001  # the backend's code may raise anything; then nothing was seen
        return Record.absent("ledger", Redactor.for_url(make_url(url)).text(f"{who} {_raised(error)}"))
    if rows is None:
        return Record.absent("ledger", f"{who} gave a {type(given).__name__}, not a sequence of LedgerRow")
    if fault := next(_faults(rows), None):
        return Record.absent("ledger", Redactor.for_url(make_url(url)).text(f"{who}: {fault}"))
    return Record.of("ledger", [row for row in rows if isinstance(row, LedgerRow)])


def _raised(error: Exception) -> str:
    """What happened, with the names of the columns if a row could not be made for lack of them."""
    if isinstance(error, TypeError) and (match := _LACKING.search(str(error))):
        return (
            f"gave rows without {match[1]}: read the column, or give None for it if the ledger has none "
            f"({type(error).__name__}: {error})"
        )
    hint = "; if that is a column, the rows that were read do not have it" if isinstance(error, KeyError) else ""
    return f"raised {type(error).__name__}: {error}{hint}"


def _faults(rows: Iterable[object]) -> Iterator[str]:
    """A sentence for each field that is of another type than it is compared in; rows count from 1."""
    for number, row in enumerate(rows, 1):
        if not isinstance(row, LedgerRow):
            yield f"row {number} is a {type(row).__name__}, not a LedgerRow"
            continue
        for field, value, demand in _wrong_types(row):
            yield f"row {number}: {field} is {_shown(value)}; {demand}"


def _wrong_types(row: LedgerRow) -> Iterator[tuple[str, object, str]]:
    identifier: object = row.id
    if not isinstance(identifier, UUID):
        yield "id", identifier, "every row needs an identifier of its own, a uuid.UUID"
    for field in _TEXTS:
        if not isinstance(value := getattr(row, field), str | None):
            yield field, value, "it must be a str, or None"
    for field in _TOKENS:
        value = getattr(row, field)
        if not isinstance(value, int | None) or isinstance(value, bool):
            yield field, value, "tokens must be int, or None"
    for field in _COSTS:
        if not isinstance(value := getattr(row, field), Decimal | None):
            yield field, value, "costs must be Decimal, or None: read NUMERIC columns as Decimal"
    at: object = row.created_at
    if not isinstance(at, datetime | None):
        yield "created_at", at, "it must be a datetime, or None"
    elif at is not None and at.utcoffset() is None:
        yield (
            "created_at",
            at,
            "it must have a time zone: a `timestamp` column does not say which, so add it in reading",
        )


def _shown(value: object) -> str:
    if value is None:
        return "None"
    text = repr(value)
    cut = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
    return f"a {type(value).__name__} ({cut})"
