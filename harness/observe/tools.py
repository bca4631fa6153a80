"""Runs of tools, where the tool's function is called.

Problem: an application may tell the model about a tool's failure, by a capability or an `except` around
the run, and then neither the agent's result nor the tool's span shows that anything was raised.

Mechanism: while recording, `FunctionToolset.call_tool`, the innermost place that every function tool
passes through in its own task, is wrapped: it sets `current_tool` and `current_tool_call`, and notes how the
function ended, and what it raised. A call of another toolset, one of the application's own above all, is given its
name and identifier in the same way: how it ended is told by its span.

Guarantee: the wrappers change neither result nor exception, and are gone after `stop`. Cancelled tools are
unfinished, and no error. A class of toolsets that is made later is not seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, SkipToolExecution
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, ToolsetTool, WrapperToolset

from harness.errors import MissingEvidence
from harness.evidence import ErrorSource, Record, ToolOutcome
from harness.observe.attribution import current_tool, current_tool_call
from harness.observe.error_log import qualified_name
from harness.observe.recorder import Context
from harness.patching import Patches

__all__ = ["ToolsRecorder"]

_Toolset = type[Any]
_CallTool = Callable[[Any, str, dict[str, Any], RunContext[Any], ToolsetTool[Any]], Awaitable[Any]]
_NO_ERROR = (asyncio.CancelledError, GeneratorExit, ApprovalRequired, CallDeferred, SkipToolExecution)


class ToolsRecorder:
    """Records `tools`, and their exceptions as errors."""

    name = "tools"
    fields = ("tools",)

    def __init__(self) -> None:
        self._context: Context | None = None
        self._patches = Patches()

    def start(self, context: Context) -> None:
        """Wrap the places where tools are called."""
        self._context = context
        self._patches.replace(FunctionToolset, "call_tool", _recorded(FunctionToolset.call_tool, context))
        for each in dict.fromkeys(_other_toolsets(AbstractToolset)):
            self._patches.replace(each, "call_tool", _attributed(each.call_tool))

    def stop(self) -> None:
        """Put the original back."""
        if displaced := self._patches.restore():
            raise MissingEvidence(f"`{'`, `'.join(displaced)}` was replaced while tools were observed")

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


def _other_toolsets(above: _Toolset) -> Iterator[_Toolset]:
    """The classes below that call tools themselves: neither functions, nor what another toolset calls."""
    for each in above.__subclasses__():
        if not issubclass(each, FunctionToolset | WrapperToolset):
            if "call_tool" in vars(each):
                yield each
            yield from _other_toolsets(each)


def _attributed(original: _CallTool) -> _CallTool:
    @wraps(original)
    async def call_tool(
        toolset: Any, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        tool_token, token = current_tool.set(name), current_tool_call.set(ctx.tool_call_id or "")
        try:
            return await original(toolset, name, tool_args, ctx, tool)
        finally:
            current_tool_call.reset(token)
            current_tool.reset(tool_token)

    return call_tool
