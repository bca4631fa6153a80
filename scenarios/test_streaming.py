"""A streamed answer: two tools at once, and the bill is written when the stream ends."""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import (
    Message,
    PoolState,
    Scenario,
    SessionMode,
    TokenUsage,
    ToolPlan,
    ToolRole,
    ToolStep,
)
from harness.verdict import Expectation, FindingKind

COLLISION = Expectation(required=frozenset({FindingKind.CONCURRENT_OPERATION}))
SERIALISED = Expectation(required=frozenset({FindingKind.SERIALISED}))

STREAMING = Scenario(
    name="streaming",
    question="Does a streamed turn keep its tools apart, and is it billed?",
    messages=(
        Message(
            stream=True,
            plan=ToolPlan(
                rounds=(
                    (
                        ToolStep(role=ToolRole.READ, database_seconds=0.08),
                        ToolStep(role=ToolRole.SEARCH, database_seconds=0.08),
                    ),
                ),
                usages=(
                    TokenUsage(prompt_tokens=433, completion_tokens=64),
                    TokenUsage(prompt_tokens=1211, completion_tokens=103),
                ),
                answer="Dr. Example leads cardiology; bring your medication list to the visit.",
            ),
        ),
    ),
    expectations={
        (SessionMode.SHARED, PoolState.COLD): COLLISION,
        (SessionMode.SHARED, PoolState.PRE_PING): COLLISION,
        (SessionMode.SHARED, PoolState.NULL): COLLISION,
        (SessionMode.SHARED, PoolState.WARM): SERIALISED,
        (SessionMode.LOCKED, PoolState.COLD): SERIALISED,
        (SessionMode.LOCKED, PoolState.WARM): SERIALISED,
        (SessionMode.SEQUENTIAL, PoolState.COLD): SERIALISED,
        (SessionMode.SEQUENTIAL, PoolState.WARM): SERIALISED,
    },
)


@scenario(STREAMING)
async def test_streaming(verify_cell: VerifyCell) -> None:
    """A streamed turn is clean exactly when each operation has its own session."""
    await verify_cell()
