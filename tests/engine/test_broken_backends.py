"""Every known defect is found, by its own kind of finding; what looks like it and is right is left alone."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from harness.report.document import CellDocument
from harness.scenario import Message, ModelTier, PoolState, SessionMode
from harness.verdict import FindingKind, Verdict
from scenarios.test_failing_tool import FAILING_TOOL
from scenarios.test_four_mixed_tools import FOUR_MIXED_TOOLS
from scenarios.test_rollback_beside_write import ROLLBACK_BESIDE_WRITE
from scenarios.test_single_tool import SINGLE_TOOL
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS

RunCell = Callable[..., Awaitable[CellDocument]]
K = FindingKind

UNPAIRED = replace(TWO_PARALLEL_TOOLS, paired_repetitions=0)
PLAN = SINGLE_TOOL.messages[0].plan
UNPRICED = replace(
    SINGLE_TOOL, name="unpriced_model", messages=(Message(plan=replace(PLAN, served_model="in-house-1")),)
)
UNBILLED = {K.MISSING_ROW, K.UNBILLED_RESPONSE}
SILENT_DEFECTS = [
    ("default_shared", UNPAIRED, {K.SERIALISED, K.SESSION_OVERLAP}),
    ("tracker_without_commit", SINGLE_TOOL, UNBILLED),
    ("double_billing", SINGLE_TOOL, {K.DUPLICATE_ROW}),
    ("foreign_tenant", SINGLE_TOOL, {K.FOREIGN_ROW}),
    ("wrong_tokens", SINGLE_TOOL, {K.WRONG_TOKENS}),
    ("wrong_price", SINGLE_TOOL, {K.WRONG_COST}),
    ("zero_cost", SINGLE_TOOL, {K.ZERO_COST}),
    ("null_priced_as_zero", UNPRICED, {K.NULL_PRICED_AS_ZERO}),
    ("broken_total", SINGLE_TOOL, {K.BROKEN_TOTAL}),
    ("nil_identifier", SINGLE_TOOL, {K.NIL_IDENTIFIER}),
    ("wrong_model", SINGLE_TOOL, {K.WRONG_MODEL}),
    ("wrong_status", SINGLE_TOOL, {K.WRONG_MODEL}),
    ("one_lock", UNPAIRED, {K.SERIALISED}),
    ("tool_holds_loop", UNPAIRED, {K.LOOP_BLOCKED}),
    ("swallowed_error", SINGLE_TOOL, {K.UNEXPECTED_ERROR}),
    ("session_not_closed", SINGLE_TOOL, {K.CONNECTION_LEAK, K.IDLE_IN_TRANSACTION}),
    ("lost_write", FOUR_MIXED_TOOLS, {K.LOST_WRITE}),
]
NO_STATEMENT = "returned without a statement"
NOT_EXERCISED = [
    ("tools_without_database", SINGLE_TOOL, "exercise", NO_STATEMENT),
    ("tools_without_database", ROLLBACK_BESIDE_WRITE, "exercise", NO_STATEMENT),
    ("failing_tool_that_succeeds", FAILING_TOOL, "exercise", "was refused nothing by the database"),
    ("rollback_that_only_reads", ROLLBACK_BESIDE_WRITE, "exercise", "was refused nothing by the database"),
    ("core_write_lost", ROLLBACK_BESIDE_WRITE, "sessions", "writes through Core are not followed"),
]


def kinds(document: CellDocument) -> set[FindingKind]:
    return {finding.kind for finding in document.findings}


@pytest.mark.parametrize(("defect", "scenario", "expected"), SILENT_DEFECTS, ids=[row[0] for row in SILENT_DEFECTS])
async def test_defect_is_found(run_cell: RunCell, defect: str, scenario: object, expected: set[FindingKind]) -> None:
    """A backend with one defect shows the findings of that defect, no others, and is not as expected."""
    document = await run_cell(scenario, backend=f"fixtures.broken.{defect}:backend")

    assert kinds(document) == expected, [finding.message for finding in document.findings]
    assert not document.as_expected


@pytest.mark.parametrize(
    ("defect", "scenario", "check", "reason"), NOT_EXERCISED, ids=[f"{row[0]}-{row[1].name}" for row in NOT_EXERCISED]
)
async def test_what_was_not_exercised_is_unknown(
    run_cell: RunCell, defect: str, scenario: object, check: str, reason: str
) -> None:
    """A backend whose tools do not do what their roles promise finds nothing, and is not passed for it."""
    document = await run_cell(scenario, backend=f"fixtures.broken.{defect}:backend")

    assert kinds(document) == set()
    assert document.verdict is Verdict.UNKNOWN
    assert not document.as_expected
    assert [result.check for result in document.checks if reason in result.reason] == [check]


@pytest.mark.parametrize("pool_state", [PoolState.COLD, PoolState.WARM])
async def test_refusal_of_another_tools_row_has_its_own_kind(run_cell: RunCell, pool_state: PoolState) -> None:
    """A sibling or the tracker sends the row that the database refuses, and that is no unexpected error."""
    document = await run_cell(FOUR_MIXED_TOOLS, mode=SessionMode.SHARED, pool_state=pool_state)

    assert document.as_expected, document.objections
    assert K.FOREIGN_ERROR in kinds(document)


async def test_unrelated_error_is_not_taken_for_the_bug(run_cell: RunCell) -> None:
    """A bug of a tool's own is an objection also where the bug of the shared session is expected, and shows."""
    backend = "fixtures.broken.unrelated_error:backend"

    document = await run_cell(FOUR_MIXED_TOOLS, backend=backend, mode=SessionMode.SHARED)

    assert {K.ILLEGAL_STATE, K.UNEXPECTED_ERROR} <= kinds(document)
    assert "unexpected finding 'unexpected_error'" in document.objections


async def test_a_zero_for_an_unpriced_model_is_wrong_for_that_model_only(run_cell: RunCell) -> None:
    """The same backend is clean where the model has a price, and so is the reference backend where it has none."""
    zero = await run_cell(SINGLE_TOOL, backend="fixtures.broken.null_priced_as_zero:backend")
    reference = [await run_cell(UNPRICED, tier=tier) for tier in (ModelTier.SCRIPTED, ModelTier.WIRE)]

    assert (zero.verdict, zero.findings) == (Verdict.PASSED, ())
    assert [(document.verdict, document.findings) for document in reference] == [(Verdict.PASSED, ())] * 2
    assert {row.total_cost for document in reference for row in document.evidence.ledger.items} == {None}


@pytest.mark.parametrize("scenario", [SINGLE_TOOL, UNPAIRED, FOUR_MIXED_TOOLS], ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("tier", [ModelTier.SCRIPTED, ModelTier.WIRE])
async def test_reference_backend_is_clean(run_cell: RunCell, scenario: object, tier: ModelTier) -> None:
    """The same scenarios find nothing in the reference backend."""
    document = await run_cell(scenario, tier=tier)

    assert (document.verdict, document.findings) == (Verdict.PASSED, ())
    assert document.as_expected


async def test_default_mode_collides_on_a_cold_pool(run_cell: RunCell) -> None:
    """A backend that ignores the mode it is given shows SQLAlchemy's refusal where connections must be opened."""
    document = await run_cell(UNPAIRED, backend="fixtures.broken.default_shared:backend", pool_state=PoolState.COLD)

    assert kinds(document) == {K.CONCURRENT_OPERATION, K.SESSION_OVERLAP}
    assert not document.as_expected


async def test_repaired_backend_does_not_reproduce(run_cell: RunCell) -> None:
    """Where the bug is expected and does not show, the cell is not as expected, though nothing was found."""
    document = await run_cell(replace(SINGLE_TOOL, expectations=UNPAIRED.expectations), mode=SessionMode.SHARED)

    assert document.verdict is Verdict.PASSED
    assert document.expected == "reproduced"
    assert not document.as_expected
    assert any("did not appear" in objection for objection in document.objections)


async def test_backend_that_does_not_start(run_cell: RunCell) -> None:
    """A backend that raises when it starts leaves the cell undecided, with its error and where it arose."""
    document = await run_cell(SINGLE_TOOL, backend="fixtures.broken.does_not_start:backend")

    assert document.verdict is Verdict.UNKNOWN
    assert not document.as_expected
    assert "did not start: ConnectionRefusedError: the secrets store refused the connection" in document.objections[0]
    assert "does_not_start.py" in document.objections[0]


async def test_backend_that_hangs(run_cell: RunCell) -> None:
    """A turn that never ends is cut off in the time allowed, and the finding shows where it waited."""
    document = await run_cell(
        SINGLE_TOOL,
        backend="fixtures.broken.hangs:backend",
        turn_timeout=3.0,  # its tool is reached in that on a busy machine, too; the turn before it hangs as long
    )

    assert K.TURN_TIMED_OUT in kinds(document)
    (turn,) = document.evidence.turns
    assert any("hangs.py" in frame for task in turn.stuck for frame in task.stack)
    (finding,) = (each for each in document.findings if each.kind is K.TURN_TIMED_OUT)
    assert "task 'search_directory' waits at fixtures/broken/hangs.py:" in finding.message
    assert any("hangs.py" in frame for frame in finding.stack)


async def test_backend_that_answers_nothing(run_cell: RunCell) -> None:
    """An empty answer is a failed turn, not an empty success."""
    document = await run_cell(SINGLE_TOOL, backend="fixtures.broken.answers_nothing:backend")

    assert K.TURN_FAILED in kinds(document)
    assert not document.as_expected


async def test_own_model_is_refused(run_cell: RunCell) -> None:
    """A backend that would call a real provider is stopped, and the host is named."""
    document = await run_cell(SINGLE_TOOL, backend="fixtures.broken.own_model:backend", tier=ModelTier.WIRE)

    assert {K.TURN_FAILED, K.FOREIGN_REQUEST} <= kinds(document)
    assert any("'models.example.invalid'" in finding.message for finding in document.findings)


async def test_own_model_is_refused_in_process(run_cell: RunCell) -> None:
    """In the scripted tier no model but a test double may answer at all."""
    document = await run_cell(SINGLE_TOOL, backend="fixtures.broken.own_model:backend")

    assert K.TURN_FAILED in kinds(document)
    assert not document.as_expected
