"""One tool: nothing runs beside it, so that a shared session does no harm. The control of the experiment."""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep

SINGLE_TOOL = Scenario(
    name="single_tool",
    question="Does a turn with one tool work in every mode?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=((ToolStep(role=ToolRole.READ, database_seconds=0.02),),),
                usages=(
                    TokenUsage(prompt_tokens=412, completion_tokens=31),
                    TokenUsage(prompt_tokens=655, completion_tokens=58),
                ),
            )
        ),
    ),
)


@scenario(SINGLE_TOOL)
async def test_single_tool(verify_cell: VerifyCell) -> None:
    """A turn with one tool is clean in every mode and pool state."""
    await verify_cell()
