"""One tool rolls back while another is between its write and its commit: the quietest loss of all.

The first tool flushes its row; then the second violates a constraint, and handles that by a rollback, as it should;
then the first goes on and commits. On one session that commit has nothing left to write: no error anywhere, the turn is
billed, the user is told that the message was left, and there is no message. With a session each, the rollback is the
second tool's own. Whether the pool is warm or cold does not matter, because no two steps overlap. Nothing in the
application orders the steps, only the order that the harness has chosen this time.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

SILENT_LOSS = Expectation(
    required=frozenset({FindingKind.BLEED, FindingKind.LOST_WRITE, FindingKind.SESSION_UNORDERED})
)

ROLLBACK_BESIDE_WRITE = Scenario(
    name="rollback_beside_write",
    question="Does a tool's rollback leave another's unfinished write alone?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=((ToolStep(role=ToolRole.FLUSH), ToolStep(role=ToolRole.ROLLBACK)),),
                usages=(
                    TokenUsage(prompt_tokens=455, completion_tokens=88),
                    TokenUsage(prompt_tokens=702, completion_tokens=64),
                ),
                order=(0, 1, 1),
            )
        ),
    ),
    expectations=when_shared(opening=SILENT_LOSS, warm=SILENT_LOSS),
)


@scenario(ROLLBACK_BESIDE_WRITE)
async def test_rollback_beside_write(verify_cell: VerifyCell) -> None:
    """A rollback takes another tool's row with it, without any error, exactly where the session is shared."""
    await verify_cell()
