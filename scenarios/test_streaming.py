"""A streamed answer: two tools at once, and the bill is written when the stream ends."""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

COLLISION = Expectation(required=frozenset({FindingKind.CONCURRENT_OPERATION, FindingKind.SESSION_OVERLAP}))
SERIALISED = Expectation(required=frozenset({FindingKind.SERIALISED, FindingKind.SESSION_OVERLAP}))
STILL_SERIAL = Expectation(required=frozenset({FindingKind.SERIALISED}))

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
    expectations=when_shared(opening=COLLISION, warm=SERIALISED, one_by_one=STILL_SERIAL),
)


@scenario(STREAMING)
async def test_streaming(verify_cell: VerifyCell) -> None:
    """A streamed turn is clean exactly when each operation has its own session."""
    await verify_cell()
