"""What a planned tool call spends its time on: several operations, and the model that it asks."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from fixtures.backend.adapter import WYCKOFF, ReferenceBackend
from fixtures.minimal import MinimalBackend
from harness.backend import Tenant
from harness.config import Config
from harness.engine import Engine, NotVerified
from harness.evidence import Interval, PoolEventKind
from harness.report.document import CellDocument
from harness.scenario import (
    Cell,
    Message,
    ModelTier,
    PoolState,
    Scenario,
    SessionMode,
    TokenUsage,
    ToolPlan,
    ToolRole,
    ToolStep,
)
from harness.verdict import Verdict

RunCell = Callable[..., Awaitable[CellDocument]]

USAGE = TokenUsage(prompt_tokens=431, completion_tokens=62)
OPERATIONS = 3
SECONDS = 0.1


def turn(*steps: ToolStep) -> Scenario:
    """One turn with these tools at once."""
    plan = ToolPlan(rounds=(steps,), usages=(USAGE,) * 2, delegated=USAGE)
    return Scenario(name="times", question="What does a tool spend its time on?", messages=(Message(plan=plan),))


READING = ToolStep(role=ToolRole.READ, database_seconds=SECONDS)
SERIES = ToolStep(role=ToolRole.SERIES, database_seconds=SECONDS, operations=OPERATIONS)
ASKING = ToolStep(role=ToolRole.DELEGATE, provider_seconds=SECONDS)


@pytest.mark.parametrize("mode", [SessionMode.PER_OPERATION, SessionMode.DEFERRED, SessionMode.DURABLE])
async def test_a_series_is_so_many_operations(run_cell: RunCell, mode: SessionMode) -> None:
    """Each has a connection for itself, and the first one's statement alone takes the planned time."""
    document = await run_cell(turn(READING, SERIES), mode=mode)

    assert (document.verdict, document.findings) == (Verdict.PASSED, ())
    (planned,) = (call for call in document.evidence.turns[0].planned if call.role == ToolRole.SERIES)
    assert (planned.tool, planned.operations) == ("browse_directory", OPERATIONS)
    call = planned.tool_call_id
    statements = [each for each in document.evidence.statements.items if each.tool_call_id == call]
    assert [each.injected for each in statements] == [True] + [False] * OPERATIONS
    taken = [
        each
        for each in document.evidence.pool.items
        if each.tool_call_id == call and each.kind is PoolEventKind.CHECKOUT
    ]
    assert len(taken) == OPERATIONS


async def test_a_series_on_a_session_of_the_turn_is_so_many_statements(run_cell: RunCell) -> None:
    """All on its one connection."""
    document = await run_cell(turn(SERIES), mode=SessionMode.SEQUENTIAL)

    assert (document.verdict, document.findings) == (Verdict.PASSED, ())
    call = document.evidence.turns[0].planned[0].tool_call_id
    statements = [each for each in document.evidence.statements.items if each.tool_call_id == call]
    assert len(statements) == 1 + OPERATIONS
    assert len({each.connection for each in statements}) == 1


@pytest.mark.parametrize("tier", [ModelTier.SCRIPTED, ModelTier.WIRE])
async def test_a_tool_that_asks_a_model_takes_as_long_as_that(run_cell: RunCell, tier: ModelTier) -> None:
    """The time is the provider's: it is spent in the tool's own request, with no connection held; all is billed."""
    document = await run_cell(turn(ASKING, READING), tier=tier)

    assert (document.verdict, document.findings) == (Verdict.PASSED, ())
    (planned,) = (call for call in document.evidence.turns[0].planned if call.role == ToolRole.DELEGATE)
    assert (planned.provider_seconds, planned.database_seconds) == (SECONDS, 0.0)
    (run,) = (each for each in document.evidence.tools.items if each.tool_call_id == planned.tool_call_id)
    inside = [
        span.interval
        for span in document.evidence.spans.items
        if span.name.startswith("chat ") and _contains(run.interval, span.interval)
    ]
    assert [interval.seconds >= SECONDS for interval in inside] == [True]
    held = [each for each in document.evidence.pool.items if each.tool_call_id == planned.tool_call_id]
    assert not [each for each in held if inside[0].start < each.at < inside[0].end]
    assert len(document.evidence.invoice.items) == 3


def _contains(whole: Interval, part: Interval) -> bool:
    return whole.start <= part.start and part.end <= whole.end


def _planned(backend: ReferenceBackend | MinimalBackend) -> Cell | NotVerified:
    scenario = replace(
        turn(SERIES), pool_states={SessionMode.PER_OPERATION: (PoolState.WARM,)}, tiers=(ModelTier.WIRE,)
    )
    ((_, planned),) = Engine(backend=backend, config=Config()).plan(scenario)
    return planned


class _WithoutArgument(ReferenceBackend):
    tenants: Sequence[Tenant] = (
        replace(WYCKOFF, tools={ToolRole.SERIES: replace(WYCKOFF.tools[ToolRole.SERIES], operations="")}),
    )


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (MinimalBackend(), "tenant 'shop' of backend 'minimal' has no tool for the role 'series'"),
        (
            _WithoutArgument(),
            "tenant 'wyckoff' of backend 'reference' names no argument of 'browse_directory' for the operations to do",
        ),
    ],
)
def test_a_backend_without_such_a_tool_is_not_verified(backend: ReferenceBackend | MinimalBackend, said: str) -> None:
    """Nor one whose tool cannot be told how many operations to do."""
    planned = _planned(backend)

    assert isinstance(planned, NotVerified)
    assert planned.document.reason == said


def test_a_backend_with_such_a_tool_has_the_cell() -> None:
    """Nothing is lacking."""
    assert isinstance(_planned(ReferenceBackend()), Cell)
