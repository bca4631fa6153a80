"""What is sent: a message to which the model answers by calling tools together.

Tools read, and all take the same time, except for those of `writes`: there, what is written can be put off.
"""

from enum import StrEnum

from harness.scenario import Message, TokenUsage, ToolPlan, ToolRole, ToolStep

__all__ = ["Latency", "message", "series", "writes"]

_USAGES = (
    TokenUsage(prompt_tokens=431, completion_tokens=62),
    TokenUsage(prompt_tokens=1204, completion_tokens=96),
)
_DELEGATED = TokenUsage(prompt_tokens=118, completion_tokens=37)


class Latency(StrEnum):
    """Where tools spend their time."""

    DATABASE = "database"
    """In a statement, on the connection that the tool uses."""
    PROVIDER = "provider"
    """Waiting for a model that they ask themselves."""
    BOTH = "both"
    """Every other one in the database, and those between at the provider."""


def message(tools: int, *, seconds: float, latency: Latency = Latency.DATABASE) -> Message:
    """So many tools, in one round, each of which takes so many seconds."""
    steps = tuple(_step(number, seconds, latency) for number in range(tools))
    delegates = any(step.role is ToolRole.DELEGATE for step in steps)
    return Message(plan=ToolPlan(rounds=(steps,), usages=_USAGES, delegated=_DELEGATED if delegates else None))


def series(tools: int, *, operations: int, seconds: float) -> Message:
    """So many tools with so many operations each, one after the other, of which the first takes so many seconds."""
    step = ToolStep(role=ToolRole.SERIES, operations=operations, database_seconds=seconds)
    return Message(plan=ToolPlan(rounds=((step,) * tools,), usages=_USAGES))


def writes(tools: int, *, seconds: float) -> Message:
    """So many tools that add a row each, in one round with two that read for so many seconds.

    The writes take no planned time: what they cost is what is compared. Two tools read, so that it is known whether
    those work side by side.
    """
    reads = tuple(_step(number, seconds, Latency.DATABASE) for number in range(2))
    adds = (ToolStep(role=ToolRole.COMMIT),) * tools
    return Message(plan=ToolPlan(rounds=((*reads, *adds),), usages=_USAGES))


def _step(number: int, seconds: float, latency: Latency) -> ToolStep:
    if latency is Latency.PROVIDER or (latency is Latency.BOTH and number % 2):
        return ToolStep(role=ToolRole.DELEGATE, provider_seconds=seconds)
    role = ToolRole.SEARCH if number % 2 else ToolRole.READ
    return ToolStep(role=role, database_seconds=seconds)
