"""A turn without tools: the model answers at once, and only the ledger touches the database."""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan

NO_TOOLS = Scenario(
    name="no_tools",
    question="Is a turn without tools answered and billed in every mode?",
    messages=(Message(plan=ToolPlan(rounds=(), usages=(TokenUsage(prompt_tokens=388, completion_tokens=44),))),),
)


@scenario(NO_TOOLS)
async def test_no_tools(verify_cell: VerifyCell) -> None:
    """A turn without tools is clean in every mode and pool state."""
    await verify_cell()
