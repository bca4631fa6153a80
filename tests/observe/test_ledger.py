"""The ledger is read on a connection of the harness's own."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from harness.backend import Application, BackendSettings, Capability, Tenant
from harness.evidence import LedgerRow
from harness.observe.ledger import read_ledger
from harness.scenario import SessionMode


@dataclass
class Notes:
    """A backend whose ledger is the number of rows in `notes`."""

    name: str = "notes"
    modes: frozenset[SessionMode] = frozenset()
    capabilities: frozenset[Capability] = frozenset()
    tenants: Sequence[Tenant] = field(default_factory=list)
    query: str = "SELECT id FROM notes"
    given: object = None

    async def prepare(self, database_url: str) -> None:
        raise NotImplementedError

    def start(self, settings: BackendSettings) -> AbstractAsyncContextManager[Application]:
        raise NotImplementedError

    async def read_ledger(self, connection: AsyncConnection) -> Sequence[LedgerRow]:
        if isinstance(self.given, Exception):
            raise self.given
        if self.given is not None:
            return self.given  # type: ignore[return-value]  # what backends that are not typed give
        return [row_for(key) for key in (await connection.execute(text(self.query))).scalars()]


def row_for(key: int) -> LedgerRow:
    return LedgerRow(
        id=uuid4(),
        session_id=str(key),
        account_slug=None,
        agent_instance_slug=None,
        provider=None,
        model=None,
        prompt_tokens=None,
        completion_tokens=None,
        total_tokens=None,
        prompt_cost=None,
        completion_cost=None,
        total_cost=None,
        completion_status=None,
        created_at=None,
    )


async def test_only_committed_rows_are_read(engine: AsyncEngine, database_url: str) -> None:
    """A row that its writer has not committed does not bill anybody."""
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO notes VALUES (1, 'committed')"))
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO notes VALUES (2, 'open')"))
        ledger = await read_ledger(Notes(), database_url)

    assert [row.session_id for row in ledger] == ["1"]


async def test_a_ledger_that_cannot_be_read_is_absent(database_url: str) -> None:
    """A backend that fails to read its ledger has not shown an empty one."""
    ledger = await read_ledger(Notes(query="SELECT id FROM nowhere"), database_url)

    assert "read_ledger of backend 'notes' raised ProgrammingError" in (ledger.missing or "")
    assert "nowhere" in (ledger.missing or "")


async def test_a_column_that_is_not_there_is_named(database_url: str) -> None:
    """By the database, or by the row that could not be made or read without it."""
    fields = {name: None for name in LedgerRow.__dataclass_fields__ if name not in {"total_cost", "model"}}
    with pytest.raises(TypeError) as caught:
        LedgerRow(**fields)  # type: ignore[arg-type]  # that is the point

    asked = await read_ledger(Notes(query="SELECT total_cost FROM notes"), database_url)
    made = await read_ledger(Notes(given=caught.value), database_url)
    read = await read_ledger(Notes(given=KeyError("total_cost")), database_url)

    assert 'column "total_cost" does not exist' in (asked.missing or "")
    assert made.missing == (
        "read_ledger of backend 'notes' gave rows without 'model' and 'total_cost': read the column, or give None for "
        f"it if the ledger has none (TypeError: {caught.value})"
    )
    assert read.missing == (
        "read_ledger of backend 'notes' raised KeyError: 'total_cost'; "
        "if that is a column, the rows that were read do not have it"
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (7, " gave a int, not a sequence of LedgerRow"),
        ([row_for(1), {"id": 1}], ": row 2 is a dict, not a LedgerRow"),
        ((row for row in [row_for(1), "x"]), ": row 2 is a str, not a LedgerRow"),
    ],
    ids=["no rows", "mappings", "generator"],
)
async def test_what_are_no_rows_are_not_taken_for_any(database_url: str, given: object, reason: str) -> None:
    """Nor for a ledger without rows."""
    ledger = await read_ledger(Notes(given=given), database_url)

    assert ledger.missing == f"read_ledger of backend 'notes'{reason}"


UTC_NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WRONG: dict[str, tuple[dict[str, object], str]] = {
    "no id": ({"id": None}, "id is None; every row needs an identifier of its own, a uuid.UUID"),
    "id as text": ({"id": "a1"}, "id is a str ('a1'); every row needs an identifier of its own, a uuid.UUID"),
    "id as number": ({"id": 1}, "id is a int (1); every row needs an identifier of its own, a uuid.UUID"),
    "session": ({"session_id": UUID(int=1)}, f"session_id is a UUID ({UUID(int=1)!r}); it must be a str, or None"),
    "account": ({"account_slug": 3}, "account_slug is a int (3); it must be a str, or None"),
    "agent": ({"agent_instance_slug": b"a"}, "agent_instance_slug is a bytes (b'a'); it must be a str, or None"),
    "provider": ({"provider": 3}, "provider is a int (3); it must be a str, or None"),
    "model": ({"model": ["x" * 100]}, f"model is a list (['{'x' * 78}…); it must be a str, or None"),
    "status": ({"completion_status": True}, "completion_status is a bool (True); it must be a str, or None"),
    "float tokens": ({"prompt_tokens": 5.0}, "prompt_tokens is a float (5.0); tokens must be int, or None"),
    "Decimal tokens": (
        {"completion_tokens": Decimal(5)},
        "completion_tokens is a Decimal (Decimal('5')); tokens must be int, or None",
    ),
    "tokens as text": ({"total_tokens": "5"}, "total_tokens is a str ('5'); tokens must be int, or None"),
    "tokens as truth": ({"prompt_tokens": True}, "prompt_tokens is a bool (True); tokens must be int, or None"),
    "float cost": (
        {"total_cost": 0.1},
        "total_cost is a float (0.1); costs must be Decimal, or None: read NUMERIC columns as Decimal",
    ),
    "integer cost": (
        {"prompt_cost": 0},
        "prompt_cost is a int (0); costs must be Decimal, or None: read NUMERIC columns as Decimal",
    ),
    "cost as text": (
        {"completion_cost": "0.1"},
        "completion_cost is a str ('0.1'); costs must be Decimal, or None: read NUMERIC columns as Decimal",
    ),
    "no datetime": ({"created_at": UTC_NOON.date()}, "it must be a datetime, or None"),
    "naive": (
        {"created_at": UTC_NOON.replace(tzinfo=None)},
        "it must have a time zone: a `timestamp` column does not say which, so add it in reading",
    ),
}


@pytest.mark.parametrize(("change", "reason"), WRONG.values(), ids=WRONG)
async def test_a_field_of_another_type_makes_the_record_absent(
    database_url: str, change: dict[str, Any], reason: str
) -> None:
    """The first one is named, with its row and what it must be."""
    bad = replace(row_for(2), **change)

    ledger = await read_ledger(Notes(given=[row_for(1), bad, bad]), database_url)

    assert (ledger.missing or "").startswith("read_ledger of backend 'notes': row 2: ")
    assert (ledger.missing or "").endswith(reason)


async def test_what_is_of_the_right_type_is_kept_however_wrong_it_is(database_url: str) -> None:
    """To find that is the business of the check."""
    nonsense: dict[str, Any] = {"id": UUID(int=0), "prompt_tokens": -5, "prompt_cost": Decimal("NaN")}
    rows = [replace(row_for(1), **nonsense), replace(row_for(1), **nonsense, created_at=UTC_NOON)]

    ledger = await read_ledger(Notes(given=rows), database_url)

    assert ledger.missing is None
    assert [id(row) for row in ledger] == [id(row) for row in rows]
