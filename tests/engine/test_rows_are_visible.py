"""The ledger is in the database while the cell runs, for anybody who looks: no mock, and no open transaction."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal

from harness.postgres.admin import connect
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.document import CellDocument
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep
from harness.verdict import Verdict

RunCell = Callable[..., Coroutine[None, None, CellDocument]]

WAVES = 3
POLL_SECONDS = 0.02
LONGEST_SECONDS = 30.0
PLAN = ToolPlan(
    rounds=((ToolStep(role=ToolRole.READ, database_seconds=0.4),),),
    usages=(
        TokenUsage(prompt_tokens=431, completion_tokens=62),
        TokenUsage(prompt_tokens=1204, completion_tokens=96),
    ),
)
ROWS_ARE_VISIBLE = Scenario(
    name="rows_are_visible",
    question="Does another connection see a turn's row while the next turn runs?",
    messages=tuple(Message(plan=PLAN, wave=wave) for wave in range(WAVES)),
)


async def costs_seen(clones: Clones, running: RunningServer) -> list[Decimal]:
    """The first costs above zero that a connection of its own sees in the cell's database."""
    async with asyncio.timeout(LONGEST_SECONDS):
        name = await _database(f"{clones.prefix}c_{ROWS_ARE_VISIBLE.name}", running)
        async with connect(running.address, name) as connection:
            while True:
                rows = await connection.fetch("SELECT total_cost FROM llm_requests WHERE total_cost > 0")
                if rows:
                    return [row["total_cost"] for row in rows]
                await asyncio.sleep(POLL_SECONDS)


async def _database(prefix: str, running: RunningServer) -> str:
    """The name of the database that begins so, as soon as there is one."""
    async with connect(running.address, running.maintenance_database) as connection:
        while True:
            name = await connection.fetchval("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
            if name is not None:
                return str(name)
            await asyncio.sleep(POLL_SECONDS)


async def test_a_row_is_visible_while_the_cell_runs(
    run_cell: RunCell, sessionproof_clones: Clones, sessionproof_server: RunningServer
) -> None:
    """Another connection sees the first turns' rows, with their costs, before the last turn is over."""
    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(costs_seen(sessionproof_clones, sessionproof_server))
        cell = group.create_task(run_cell(ROWS_ARE_VISIBLE))
        seen = await watcher
        ended = cell.done()

    assert not ended
    assert 1 <= len(seen) < WAVES
    assert cell.result().verdict is Verdict.PASSED
    ledger = cell.result().evidence.ledger
    assert len(ledger.items) == WAVES
    assert set(seen) <= {row.total_cost for row in ledger.items}
