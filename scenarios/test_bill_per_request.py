"""The ledger at its finer grain: one row for each model response, in a turn of two rounds of tools."""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

COLLISION = Expectation(required=frozenset({FindingKind.CONCURRENT_OPERATION, FindingKind.SESSION_OVERLAP}))
SERIALISED = Expectation(required=frozenset({FindingKind.SERIALISED, FindingKind.SESSION_OVERLAP}))
STILL_SERIAL = Expectation(required=frozenset({FindingKind.SERIALISED}))

BILL_PER_REQUEST = Scenario(
    name="bill_per_request",
    question="Is every model request billed by a row of its own?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=(
                    (
                        ToolStep(role=ToolRole.READ, database_seconds=0.05),
                        ToolStep(role=ToolRole.SEARCH, database_seconds=0.05),
                    ),
                    (ToolStep(role=ToolRole.COMMIT, database_seconds=0.02),),
                ),
                usages=(
                    TokenUsage(prompt_tokens=431, completion_tokens=62),
                    TokenUsage(prompt_tokens=1204, completion_tokens=38),
                    TokenUsage(prompt_tokens=1266, completion_tokens=81),
                ),
            )
        ),
    ),
    expectations=when_shared(opening=COLLISION, warm=SERIALISED, one_by_one=STILL_SERIAL),
    ledger_grain="request",
)


@scenario(BILL_PER_REQUEST)
async def test_bill_per_request(verify_cell: VerifyCell) -> None:
    """Each model request has its row, and the bug shows exactly where the session is shared."""
    await verify_cell()
