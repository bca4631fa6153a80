"""The place where an agent's tool begins.

Problem: what a tool does before its first call into SQLAlchemy, such as adding an object to a session, takes part in a
race too, and no `await` of the library comes before it.

Mechanism: while active, `FunctionToolset.call_tool` is wrapped, which every function tool passes through in its own
task: the guard is awaited, then the tool is called.

Guarantee: results and exceptions are untouched, and after `close` the class is what it was.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset, ToolsetTool

__all__ = ["ToolStarts"]

Guard = Callable[[str], Awaitable[None]]


class ToolStarts:
    """Guards every start of a tool from `open` to `close`; the guard is given the `tool_call_id`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._original: Any = None

    def open(self) -> None:
        """Wrap the method."""
        original: Any = FunctionToolset.call_tool
        guard, self._original = self._guard, original

        @wraps(original)
        async def call_tool(
            toolset: FunctionToolset[Any],
            name: str,
            tool_args: dict[str, Any],
            ctx: RunContext[Any],
            tool: ToolsetTool[Any],
        ) -> Any:
            await guard(ctx.tool_call_id or "")
            return await original(toolset, name, tool_args, ctx, tool)

        FunctionToolset.call_tool = call_tool  # type: ignore[method-assign, assignment]  # restored in close

    def close(self) -> None:
        """Put it back; harmless when called twice."""
        if self._original is not None:
            FunctionToolset.call_tool = self._original  # type: ignore[method-assign]  # what it was
            self._original = None
