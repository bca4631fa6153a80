"""A scenario that stops its server has one of its own; without one, its cell is undecided."""

import pytest

from harness.errors import EnvironmentMissing
from harness.fault import DatabaseFaultKind
from harness.postgres.embedded import EmbeddedServer
from harness.postgres.server import RunningServer
from harness.scenario import SessionMode
from harness.verdict import Verdict
from scenarios.test_ledger_database_faults import DATABASE_FAULTS
from tests.engine.conftest import RunCell


async def test_a_server_that_cannot_be_had_leaves_the_cell_undecided(
    run_cell: RunCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, and without a statement about rows."""

    async def start(self: EmbeddedServer) -> RunningServer:
        raise EnvironmentMissing("there is no room on the disk")

    monkeypatch.setattr(EmbeddedServer, "start", start)
    stopping = next(
        scenario
        for scenario in DATABASE_FAULTS
        if any(fault.kind is DatabaseFaultKind.RESTART for fault in scenario.database_faults)
    )

    document = await run_cell(stopping, mode=SessionMode.DURABLE)

    assert document.verdict is Verdict.UNKNOWN
    assert [(result.check, result.reason) for result in document.checks] == [("server", "there is no room on the disk")]
    assert document.damage is None
