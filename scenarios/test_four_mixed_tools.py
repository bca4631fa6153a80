"""Four tools at once: one reads, one flushes and commits later, one commits, one fails and rolls back.

On one session the rollback of the last takes the flushed row of the second with it, or the commit of the third
publishes it half-done; which of these happens, and whether anything is raised, depends on the pool.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

UNBILLED = frozenset({FindingKind.ILLEGAL_STATE, FindingKind.MISSING_ROW, FindingKind.UNBILLED_RESPONSE})
FOLLOWS = frozenset({FindingKind.ABORTED_TRANSACTION, FindingKind.IDLE_IN_TRANSACTION, FindingKind.UNEXPECTED_ERROR})
COLLISION = Expectation(required=UNBILLED | {FindingKind.CONCURRENT_OPERATION}, allowed=FOLLOWS)
BROKEN_STATE = Expectation(required=UNBILLED, allowed=FOLLOWS)
SERIALISED = Expectation(required=frozenset({FindingKind.SERIALISED}))

FOUR_MIXED_TOOLS = Scenario(
    name="four_mixed_tools",
    question="Do tools that read, write, commit and roll back at once leave each other's work alone?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=(
                    (
                        ToolStep(role=ToolRole.READ, database_seconds=0.12),
                        ToolStep(role=ToolRole.FLUSH, database_seconds=0.12),
                        ToolStep(role=ToolRole.COMMIT, database_seconds=0.12),
                        ToolStep(role=ToolRole.ROLLBACK, database_seconds=0.12),
                    ),
                ),
                usages=(
                    TokenUsage(prompt_tokens=498, completion_tokens=133),
                    TokenUsage(prompt_tokens=1377, completion_tokens=121),
                ),
            )
        ),
    ),
    expectations=when_shared(opening=COLLISION, warm=BROKEN_STATE, one_by_one=SERIALISED),
)


@scenario(FOUR_MIXED_TOOLS)
async def test_four_mixed_tools(verify_cell: VerifyCell) -> None:
    """Each tool's work stands by itself exactly when each operation has its own session."""
    await verify_cell()
