"""Which tool call the current task works for, as Pydantic AI tells it.

Mechanism: Pydantic AI keeps the context of the current run in a context variable while a tool runs.

Guarantee: without Pydantic AI, and outside of a tool, there is no caller. Nothing of the run is kept but two names.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Caller", "current_tool"]


class Caller(NamedTuple):
    """On whose behalf a session is used."""

    tool: str | None = None
    tool_call_id: str | None = None
    turn: str | None = None


def current_tool() -> Callable[[], Caller | None] | None:
    """A function that tells the current tool call; `None` where Pydantic AI is not loaded, or has no such context."""
    module = sys.modules.get("pydantic_ai._run_context")
    current = getattr(module, "get_current_run_context", None)
    if current is None:
        return None

    def attribute() -> Caller | None:
        context = current()
        if context is None or context.tool_call_id is None:
            return None
        return Caller(tool=context.tool_name, tool_call_id=context.tool_call_id)

    return attribute
