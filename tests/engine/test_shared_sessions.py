"""Who used which session when: the witness that needs no error, no lost row and no lost time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from harness.cell_watch import CellWatch
from harness.report.document import CellDocument
from harness.sanitizer.runtime import runtime
from harness.scenario import Message, PoolState, Scenario, SessionMode, ToolPlan, ToolRole, ToolStep
from harness.verdict import FindingKind, Verdict
from scenarios.test_bill_per_request import BILL_PER_REQUEST
from scenarios.test_failing_tool import FAILING_TOOL
from scenarios.test_four_mixed_tools import FOUR_MIXED_TOOLS
from scenarios.test_no_tools import NO_TOOLS
from scenarios.test_rollback_beside_write import ROLLBACK_BESIDE_WRITE
from scenarios.test_single_tool import SINGLE_TOOL
from scenarios.test_streaming import STREAMING
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS
from scenarios.test_two_users import TWO_USERS

RunCell = Callable[..., Awaitable[CellDocument]]
K = FindingKind

RACES = {K.SESSION_OVERLAP, K.SESSION_UNORDERED}
SUITE = [
    BILL_PER_REQUEST,
    FAILING_TOOL,
    FOUR_MIXED_TOOLS,
    NO_TOOLS,
    ROLLBACK_BESIDE_WRITE,
    SINGLE_TOOL,
    STREAMING,
    TWO_PARALLEL_TOOLS,
    TWO_USERS,
]
UNPAIRED = replace(TWO_PARALLEL_TOOLS, paired_repetitions=0)


def _without_latency(scenario: Scenario) -> Scenario:
    """The same, so quick that no check compares times; nothing is expected of it."""
    return replace(scenario.scaled(0.0), paired_repetitions=0, expectations={})


def _tools(*roles: ToolRole) -> Scenario:
    """These tools at once, in an otherwise ordinary turn."""
    (message,) = SINGLE_TOOL.messages
    plan: ToolPlan = replace(message.plan, rounds=(tuple(ToolStep(role=role) for role in roles),))
    return replace(SINGLE_TOOL, messages=(Message(plan=plan),))


def kinds(document: CellDocument) -> set[FindingKind]:
    return {finding.kind for finding in document.findings}


async def test_a_warm_shared_session_is_seen_to_be_shared(run_cell: RunCell) -> None:
    """Beside the time that it costs, the only sign is who used it when; both tools and both places are named."""
    document = await run_cell(UNPAIRED, mode=SessionMode.SHARED)

    assert kinds(document) == {K.SERIALISED, K.SESSION_OVERLAP}
    (finding,) = (each for each in document.findings if each.kind is K.SESSION_OVERLAP)
    (turn,) = document.evidence.turns
    first, second = (call.tool_call_id for call in turn.planned)
    assert finding.message.startswith(
        f"on Session 1, Session.execute of search_documents (call {second!r}) at "
        "fixtures/backend/app/services/vector_service.py:"
    )
    assert f"began while Session.execute of search_directory (call {first!r}) at fixtures/backend/" in finding.message
    assert (finding.turn, finding.tool_call_id) == (turn.id, second)
    assert [frame.partition(" in ")[2] for frame in finding.stack] == ["search_documents", "search"]
    (race,) = document.evidence.races.items
    assert (race.first.tool, race.second.tool) == ("search_directory", "search_documents")


@pytest.mark.parametrize("scenario", [UNPAIRED, FOUR_MIXED_TOOLS], ids=lambda scenario: scenario.name)
async def test_sessions_of_their_own_are_clean_with_the_witness_present(run_cell: RunCell, scenario: Scenario) -> None:
    """Nothing was found by somebody who looked."""
    document = await run_cell(scenario)

    assert document.verdict is Verdict.PASSED
    assert (document.evidence.races.missing, document.evidence.races.items) == (None, ())


@pytest.mark.parametrize("mode", [SessionMode.LOCKED, SessionMode.SEQUENTIAL])
@pytest.mark.parametrize("scenario", [UNPAIRED, FOUR_MIXED_TOOLS], ids=lambda scenario: scenario.name)
async def test_repairs_that_keep_tools_apart_have_no_race(
    run_cell: RunCell, scenario: Scenario, mode: SessionMode
) -> None:
    """A lock, or one tool after the other: the session is shared, and no two operations can meet."""
    document = await run_cell(scenario, mode=mode)

    assert document.as_expected, document.objections
    assert document.evidence.races.missing is None
    assert not document.evidence.races.items


async def test_a_lock_around_each_operation_does_not_keep_transactions_apart(run_cell: RunCell) -> None:
    """No two operations can meet, and still one tool's commit covers the other's row: told once, by both witnesses."""
    backend = "fixtures.broken.lock_around_each_operation:backend"
    scenario = _tools(ToolRole.FLUSH, ToolRole.COMMIT)

    document = await run_cell(scenario, backend=backend, mode=SessionMode.LOCKED)

    (finding,) = document.findings
    assert finding.kind is K.BLEED
    assert finding.message.startswith("request_callback called commit on session 1, which covered 1 row that leave_m")
    assert "Session.flush of task 'leave_message' at fixtures/broken/lock_around_each_op" in finding.message
    assert [race.kind for race in document.evidence.races.items] == ["bleed"]


async def test_tools_that_only_read_through_one_session(run_cell: RunCell) -> None:
    """On a warm pool, where nothing takes long enough to be timed, no other check sees it."""
    scenario = _without_latency(TWO_PARALLEL_TOOLS)

    document = await run_cell(scenario, backend="fixtures.broken.reads_share_session:backend")

    assert kinds(document) == {K.SESSION_OVERLAP}
    assert {result.check for result in document.checks if result.verdict is not Verdict.PASSED} == {"sessions"}


async def test_tools_that_look_something_up_one_at_a_time(run_cell: RunCell) -> None:
    """Tools that run at once and share a session behind a lock are legal."""
    scenario = _without_latency(TWO_PARALLEL_TOOLS)

    document = await run_cell(scenario, backend="fixtures.broken.reads_take_turns:backend")

    assert document.verdict is Verdict.PASSED, document.objections


@pytest.mark.parametrize(
    ("backend", "expected"), [("session_in_thread", {K.SESSION_FOREIGN_THREAD}), ("row_made_in_thread", set())]
)
async def test_a_session_in_a_thread(run_cell: RunCell, backend: str, expected: set[FindingKind]) -> None:
    """A session that a thread adds to is found, though the tool waits for it; a row that is made there is not."""
    document = await run_cell(_tools(ToolRole.COMMIT), backend=f"fixtures.broken.{backend}:backend")

    assert kinds(document) == expected
    assert document.as_expected is (not expected)


@pytest.mark.parametrize("scenario", SUITE, ids=lambda scenario: scenario.name)
def test_every_shared_cell_with_tools_at_once_must_show_a_race(scenario: Scenario) -> None:
    """In every pool state; and no cell of another mode may show one."""
    for mode, states in scenario.pool_states.items():
        for state in states:
            expected = scenario.expectation(mode, state)
            must = bool(RACES & expected.required)
            assert must is (mode is SessionMode.SHARED and scenario.parallel), (mode, state)
            assert must or not RACES & (expected.one_of | expected.allowed)


async def test_a_second_cell_in_the_same_task_is_judged_as_the_first(run_cell: RunCell) -> None:
    """What the sanitizer remembers of one cell does not count in the next."""
    documents = [await run_cell(UNPAIRED, mode=SessionMode.SHARED, pool_state=PoolState.WARM) for _ in range(2)]

    assert [kinds(document) for document in documents] == [{K.SERIALISED, K.SESSION_OVERLAP}] * 2


def test_a_sanitizer_that_cannot_be_installed_leaves_the_record_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name that is missing; the cell goes on."""
    monkeypatch.delattr(Session, "enable_relationship_loading")

    with CellWatch() as watch:
        pass

    assert watch.record.missing is not None
    assert "enable_relationship_loading" in watch.record.missing


def test_a_sanitizer_that_gave_up_leaves_the_record_absent() -> None:
    """An empty record would say that nothing was there to be found."""
    with CellWatch() as watch:
        runtime.fail(RuntimeError("a clock ran backwards"), "a hook")

    assert watch.record.missing is not None
    assert "a clock ran backwards" in watch.record.missing


async def test_a_watch_leaves_nothing_behind() -> None:
    """The event loop makes tasks of asyncio's own class again."""
    with CellWatch():
        inside = asyncio.create_task(asyncio.sleep(0))
    outside = asyncio.create_task(asyncio.sleep(0))
    await asyncio.gather(inside, outside)

    assert type(inside) is not asyncio.Task
    assert type(outside) is asyncio.Task
