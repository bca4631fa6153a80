"""Runs of tools, where the tool's function is called.

Problem: an application may tell the model about a tool's failure, by a capability or an `except` around
the run, and then neither the agent's result nor the tool's span shows that anything was raised.

Mechanism: while recording, `FunctionToolset.call_tool`, the innermost place that every function tool
passes through in its own task, is wrapped: it sets `current_tool` and `current_tool_call`, and notes how the
function ended, and what it raised.

Guarantee: the wrapper changes neither result nor exception, and is gone after `stop`. Cancelled tools are
unfinished, and no error. Tools of other toolsets are seen by their spans.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, SkipToolExecution
from pydantic_ai.toolsets import FunctionToolset, ToolsetTool

from harness.errors import MissingEvidence
from harness.evidence import ErrorSource, Record, ToolOutcome
from harness.observe.attribution import current_tool, current_tool_call
from harness.observe.error_log import qualified_name
from harness.observe.recorder import Context
from harness.patching import Patch

__all__ = ["ToolsRecorder"]

_CallTool = Callable[[FunctionToolset[Any], str, dict[str, Any], RunContext[Any], ToolsetTool[Any]], Awaitable[Any]]
_NO_ERROR = (asyncio.CancelledError, GeneratorExit, ApprovalRequired, CallDeferred, SkipToolExecution)


class ToolsRecorder:
    """Records `tools`, and their exceptions as errors."""

    name = "tools"
    fields = ("tools",)

    def __init__(self) -> None:
        self._context: Context | None = None
        self._patch: Patch | None = None

    def start(self, context: Context) -> None:
        """Wrap the place where function tools are called."""
        self._context = context
        self._patch = Patch(FunctionToolset, "call_tool", _recorded(FunctionToolset.call_tool, context))

    def stop(self) -> None:
        """Put the original back."""
        patch, self._patch = self._patch, None
        if patch is not None and not patch.restore():
            raise MissingEvidence("`FunctionToolset.call_tool` was replaced while tools were observed")

    def records(self) -> Mapping[str, Record[Any]]:
        """The `tools`."""
        if self._context is None:
            return {"tools": Record.absent("tools", "it was not started")}
        return {"tools": self._context.tools.record()}


def _recorded(original: _CallTool, context: Context) -> _CallTool:
    @wraps(original)
    async def call_tool(
        toolset: FunctionToolset[Any],
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[Any],
        tool: ToolsetTool[Any],
    ) -> Any:
        tool_call_id = ctx.tool_call_id or ""
        tool_token, token = current_tool.set(name), current_tool_call.set(tool_call_id)
        opened = context.tools.begin(name, tool_call_id)
        outcome, error_type = ToolOutcome.UNFINISHED, None
        try:
            result = await original(toolset, name, tool_args, ctx, tool)
            outcome = ToolOutcome.RETURNED
        except _NO_ERROR:
            raise
        except BaseException as error:
            outcome, error_type = ToolOutcome.RAISED, qualified_name(type(error))
            context.errors.add_exception(ErrorSource.RAISED, error)
            raise
        else:
            return result
        finally:
            context.tools.end(opened, outcome, error_type=error_type)
            current_tool_call.reset(token)
            current_tool.reset(tool_token)

    return call_tool
