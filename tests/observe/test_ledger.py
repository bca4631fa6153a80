"""The ledger is read on a connection of the harness's own."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from uuid import uuid4

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

    async def prepare(self, database_url: str) -> None:
        raise NotImplementedError

    def start(self, settings: BackendSettings) -> AbstractAsyncContextManager[Application]:
        raise NotImplementedError

    async def read_ledger(self, connection: AsyncConnection) -> Sequence[LedgerRow]:
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

    assert "nowhere" in (ledger.missing or "")
