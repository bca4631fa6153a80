"""A tool that raises while its sibling works: its own failure is its own affair, or everybody's.

The database refuses the first tool's statement. With a session each, the sibling and the bill do not notice. On one
session the failed statement aborts the transaction that all of them share, the ledger's included.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

UNBILLED = frozenset({FindingKind.ABORTED_TRANSACTION, FindingKind.MISSING_ROW, FindingKind.UNBILLED_RESPONSE})
COLLISION = Expectation(required=UNBILLED | {FindingKind.CONCURRENT_OPERATION, FindingKind.SESSION_OVERLAP})
SHARED = Expectation(required=UNBILLED | {FindingKind.SESSION_OVERLAP}, allowed=frozenset({FindingKind.SERIALISED}))
ABORTED = Expectation(required=UNBILLED, allowed=frozenset({FindingKind.SERIALISED}))

FAILING_TOOL = Scenario(
    name="failing_tool",
    question="Does a tool that fails leave its sibling and the bill alone?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=(
                    (
                        ToolStep(role=ToolRole.FAIL, database_seconds=0.02),
                        ToolStep(role=ToolRole.SEARCH, database_seconds=0.08),
                    ),
                ),
                usages=(
                    TokenUsage(prompt_tokens=440, completion_tokens=71),
                    TokenUsage(prompt_tokens=1088, completion_tokens=77),
                ),
            )
        ),
    ),
    expectations=when_shared(opening=COLLISION, warm=SHARED, one_by_one=ABORTED),
)


@scenario(FAILING_TOOL)
async def test_failing_tool(verify_cell: VerifyCell) -> None:
    """A tool's failure stays its own exactly when each operation has its own session."""
    await verify_cell()
