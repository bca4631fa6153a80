"""What is sent: a message to which the model answers by calling tools together, which all work for the same time."""

from harness.scenario import Message, TokenUsage, ToolPlan, ToolRole, ToolStep

__all__ = ["message"]

_USAGES = (
    TokenUsage(prompt_tokens=431, completion_tokens=62),
    TokenUsage(prompt_tokens=1204, completion_tokens=96),
)
_ROLES = (ToolRole.READ, ToolRole.SEARCH)


def message(tools: int, *, seconds: float) -> Message:
    """So many tools, in one round, each of which works for so many seconds in the database."""
    steps = tuple(ToolStep(role=_ROLES[number % 2], database_seconds=seconds) for number in range(tools))
    return Message(plan=ToolPlan(rounds=(steps,), usages=_USAGES))
