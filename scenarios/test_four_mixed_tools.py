"""Four tools at once: one reads, one flushes and commits later, one commits, one fails and rolls back.

On one session little of this gets as far as a commit. SQLAlchemy refuses what overlaps: tools raise, because the
session is already flushing, its connection is only being opened, or another's commit has closed its transaction. The
row that the database is to refuse stays in the session, and whoever sends it next gets the refusal: the reading tool,
by its autoflush, where a connection had to be opened first; the cost tracker, where the pool was warm. So the turn is
not billed, and the user is answered all the same. One after the other, the tools are right and slow.

Three tools add a row before any of them waits, so that nothing orders an `add` and its siblings' first operations. On a
warm pool the third tool's commit goes through, and with it goes the row that the fourth has only added: a bleed.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

UNBILLED = frozenset({FindingKind.ILLEGAL_STATE, FindingKind.MISSING_ROW, FindingKind.UNBILLED_RESPONSE})
RACES = frozenset({FindingKind.SESSION_OVERLAP, FindingKind.SESSION_UNORDERED})
FOLLOWS = frozenset({FindingKind.ABORTED_TRANSACTION, FindingKind.IDLE_IN_TRANSACTION, FindingKind.FOREIGN_ERROR})
COLLISION = Expectation(required=UNBILLED | RACES | {FindingKind.CONCURRENT_OPERATION}, allowed=FOLLOWS)
# What collides on a warm pool may return without a statement of its own.
BROKEN_STATE = Expectation(
    required=UNBILLED | RACES | {FindingKind.BLEED}, allowed=FOLLOWS, undecided=frozenset({"timing"})
)
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
