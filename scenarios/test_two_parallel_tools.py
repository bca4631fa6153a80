"""Two tools at once, each waiting for the database: the headline case.

With a session each, the turn takes as long as one tool. On one session it either fails, where a connection must still
be opened, or silently takes as long as both, where the pool is warm: no error, no lost row, twice the time. There, only
who used the session when is a witness of the sharing itself.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep, when_shared
from harness.verdict import Expectation, FindingKind

COLLISION = Expectation(required=frozenset({FindingKind.CONCURRENT_OPERATION, FindingKind.SESSION_OVERLAP}))
SERIALISED = Expectation(
    required=frozenset({FindingKind.SERIALISED, FindingKind.NO_SPEEDUP, FindingKind.SESSION_OVERLAP})
)
STILL_SERIAL = Expectation(required=frozenset({FindingKind.SERIALISED}))

TWO_PARALLEL_TOOLS = Scenario(
    name="two_parallel_tools",
    question="Do two tools that are called together run together?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=(
                    (
                        ToolStep(role=ToolRole.READ, database_seconds=0.24),
                        ToolStep(role=ToolRole.SEARCH, database_seconds=0.24),
                    ),
                ),
                usages=(
                    TokenUsage(prompt_tokens=431, completion_tokens=62),
                    TokenUsage(prompt_tokens=1204, completion_tokens=96),
                ),
            )
        ),
    ),
    expectations=when_shared(opening=COLLISION, warm=SERIALISED, one_by_one=STILL_SERIAL),
    paired_repetitions=5,
)


@scenario(TWO_PARALLEL_TOOLS)
async def test_two_parallel_tools(verify_cell: VerifyCell) -> None:
    """Two tools overlap, on two connections, exactly when each operation has its own session."""
    await verify_cell()
