"""Two users of two tenants at once: one turn's tools run in parallel, and neither sees the other's bill."""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

COLLISION = Expectation(required=frozenset({FindingKind.CONCURRENT_OPERATION, FindingKind.SESSION_OVERLAP}))
SERIALISED = Expectation(required=frozenset({FindingKind.SERIALISED, FindingKind.SESSION_OVERLAP}))
STILL_SERIAL = Expectation(required=frozenset({FindingKind.SERIALISED}))

TWO_USERS = Scenario(
    name="two_users",
    question="Are two tenants' turns at the same time kept apart, and each billed to its own?",
    messages=(
        Message(
            tenant=0,
            plan=ToolPlan(
                rounds=(
                    (
                        ToolStep(role=ToolRole.READ, database_seconds=0.08),
                        ToolStep(role=ToolRole.SEARCH, database_seconds=0.08),
                    ),
                ),
                usages=(
                    TokenUsage(prompt_tokens=431, completion_tokens=62),
                    TokenUsage(prompt_tokens=1204, completion_tokens=96),
                ),
            ),
        ),
        Message(
            tenant=1,
            plan=ToolPlan(
                rounds=((ToolStep(role=ToolRole.READ, database_seconds=0.08),),),
                usages=(
                    TokenUsage(prompt_tokens=297, completion_tokens=25),
                    TokenUsage(prompt_tokens=511, completion_tokens=49),
                ),
            ),
        ),
    ),
    expectations=when_shared(opening=COLLISION, warm=SERIALISED, one_by_one=STILL_SERIAL),
)


@scenario(TWO_USERS)
async def test_two_users(verify_cell: VerifyCell) -> None:
    """Two tenants' turns are clean, and billed apart, exactly when each operation has its own session."""
    await verify_cell()
