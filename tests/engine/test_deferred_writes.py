"""The session mode `deferred`: tools read side by side, and what they write is one transaction at the turn's end."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fixtures.backend.adapter import ReferenceBackend
from fixtures.minimal import backend as minimal
from harness.config import Config
from harness.engine import Engine, NotVerified
from harness.evidence import LedgerRow, PoolEventKind, Statement
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.document import CellDocument
from harness.scenario import Cell, ModelTier, PoolState, Scenario, SessionMode
from harness.verdict import FindingKind, Verdict
from scenarios.test_failing_tool import FAILING_TOOL
from scenarios.test_four_mixed_tools import FOUR_MIXED_TOOLS
from scenarios.test_rollback_beside_write import ROLLBACK_BESIDE_WRITE
from scenarios.test_single_tool import SINGLE_TOOL
from scenarios.test_streaming import STREAMING
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS
from scenarios.test_two_users import TWO_USERS

TABLES = {
    "failing_tool": [],
    "four_mixed_tools_untimed": ["callbacks", "messages"],
    "rollback_beside_write": ["messages"],
    "single_tool": [],
    "streaming": [],
    "two_parallel_tools": [],
    "two_users": [],
}
"""What the tools of each scenario store. The slot that two of them ask for is taken."""

UNPAIRED = replace(TWO_PARALLEL_TOOLS, paired_repetitions=0)
UNTIMED = replace(FOUR_MIXED_TOOLS.scaled(0.0), name="four_mixed_tools_untimed")
STORED = text(
    "SELECT 'messages', created_at FROM messages UNION ALL SELECT 'callbacks', created_at FROM callbacks "
    "UNION ALL SELECT 'appointments', created_at FROM appointments WHERE conversation_id IS NOT NULL ORDER BY 1"
)


class LookingBackend(ReferenceBackend):
    """The reference backend, and what its tools have stored: table and time, when its ledger is read."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, object]] = []

    async def read_ledger(self, connection: AsyncConnection) -> Sequence[LedgerRow]:
        """Look at the other tables first."""
        self.stored += [(table, at) for table, at in await connection.execute(STORED)]
        return await super().read_ledger(connection)


def inserted(document: CellDocument) -> list[Statement]:
    """The rows that tools inserted, in the order in which the database got them."""
    statements = [each for each in document.evidence.statements.items if each.sql.startswith("INSERT")]
    return [each for each in statements if each.tool_call_id is not None]


Run = Callable[..., Awaitable[tuple[CellDocument, list[tuple[str, object]]]]]


@pytest.fixture
def run(sessionproof_clones: Clones, sessionproof_server: RunningServer) -> Run:
    """Run a scenario's cell in the mode `deferred`; gives what was seen, and what was stored."""

    async def run_cell(
        scenario: Scenario, *, pool_state: PoolState = PoolState.WARM, tier: ModelTier = ModelTier.SCRIPTED
    ) -> tuple[CellDocument, list[tuple[str, object]]]:
        backend = LookingBackend()
        engine = Engine(backend=backend, config=Config())
        cell = Cell(scenario=scenario, mode=SessionMode.DEFERRED, pool_state=pool_state, tier=tier)
        return await engine.verify(cell, clones=sessionproof_clones, running=sessionproof_server), backend.stored

    return run_cell


@pytest.mark.parametrize(
    "scenario",
    [
        FAILING_TOOL,
        UNTIMED,
        ROLLBACK_BESIDE_WRITE,
        SINGLE_TOOL,
        STREAMING,
        UNPAIRED,
        TWO_USERS,
    ],
    ids=lambda scenario: scenario.name,
)
async def test_cells_are_clean(run: Run, scenario: Scenario) -> None:
    """Nothing is found, every check decides, each turn is billed, and what was asked for is there.

    It was stored in one transaction: the time at which that began is the rows' default.
    """
    document, stored = await run(scenario)

    assert (document.verdict, document.findings, document.objections) == (Verdict.PASSED, (), ())
    assert len(document.evidence.ledger.items) == len(document.evidence.turns) == document.turns
    assert [table for table, _ in stored] == TABLES[scenario.name]
    assert len({at for _, at in stored}) <= 1


@pytest.mark.parametrize(
    ("pool_state", "tier"),
    [
        (PoolState.COLD, ModelTier.SCRIPTED),
        (PoolState.PRE_PING, ModelTier.SCRIPTED),
        (PoolState.NULL, ModelTier.SCRIPTED),
        (PoolState.WARM, ModelTier.WIRE),
    ],
)
async def test_writes_are_clean_whatever_the_pool_and_the_model(
    run: Run, pool_state: PoolState, tier: ModelTier
) -> None:
    """A read, two writes, and one that the database refuses."""
    document, stored = await run(UNTIMED, pool_state=pool_state, tier=tier)

    assert (document.verdict, document.findings, document.objections) == (Verdict.PASSED, (), ())
    assert [table for table, _ in stored] == TABLES[UNTIMED.name]


async def test_writes_come_when_all_tools_have_returned_and_before_the_bill(run: Run) -> None:
    """In the order of the calls, on one connection that is taken once; each is told as its own tool call's."""
    document, _ = await run(UNTIMED)

    evidence = document.evidence
    (turn,) = evidence.turns
    writes = inserted(document)
    assert [each.tool_call_id for each in writes] == [call.tool_call_id for call in turn.planned[1:]]
    assert [each.failed for each in writes] == [False, False, True]
    (connection,) = {each.connection for each in writes}
    first, last = writes[0].interval.start, writes[-1].interval.end
    assert max(tool.interval.end for tool in evidence.tools.items) < first
    taken = [each.at for each in evidence.pool.items if each.kind is PoolEventKind.CHECKOUT]
    given = [each.at for each in evidence.pool.items if each.kind is PoolEventKind.CHECKIN]
    assert not [at for at in (*taken, *given) if first <= at <= last]
    assert [each.connection for each in evidence.pool.items if each.at < first][-1] == connection
    (bill,) = [each for each in evidence.statements.items if "llm_requests" in each.sql]
    assert last < min(at for at in given if at > last) < bill.interval.start


async def test_time_that_writes_take_is_taken_one_after_the_other(run: Run) -> None:
    """The planned latency of a tool that writes is spent where it writes: writes at the turn's end do not overlap."""
    document, stored = await run(FOUR_MIXED_TOOLS)

    assert {finding.kind for finding in document.findings} == {FindingKind.SERIALISED}
    (finding,) = document.findings
    assert finding.message.startswith("leave_message, request_callback and reserve_appointment ran on one connection")
    assert [table for table, _ in stored] == ["callbacks", "messages"]
    injected = {each.tool_call_id for each in document.evidence.statements.items if each.injected}
    assert injected == {call.tool_call_id for call in document.evidence.turns[0].planned}


async def test_a_write_that_is_not_committed_is_seen_to_be_lost(
    run_cell: Callable[..., Awaitable[CellDocument]],
) -> None:
    """A tool that forgets to commit has its row discarded, as with a session of its own; its siblings have theirs."""
    document = await run_cell(UNTIMED, backend="fixtures.broken.lost_write:backend", mode=SessionMode.DEFERRED)

    (finding,) = document.findings
    assert finding.kind is FindingKind.LOST_WRITE
    assert finding.message.startswith("leave_message returned normally, but 1 row that it had flushed")


def test_a_scenario_may_ask_for_the_mode_and_a_backend_need_not_have_it() -> None:
    """None of the suite does. The minimal backend defers nothing, and does not say so."""
    asking = replace(SINGLE_TOOL, pool_states={SessionMode.DEFERRED: (PoolState.WARM,)}, tiers=(ModelTier.SCRIPTED,))

    ((name, cell),) = Engine(backend=ReferenceBackend(), config=Config()).plan(asking)
    ((_, gap),) = Engine(backend=minimal, config=Config()).plan(asking)

    assert (name, isinstance(cell, Cell)) == ("deferred-warm-scripted", True)
    assert isinstance(gap, NotVerified)
    assert gap.document.reason == "backend 'minimal' has no session mode 'deferred'"
