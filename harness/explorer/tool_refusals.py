"""Calls that an agent refuses before any tool runs: of a tool that there is not, or with arguments that do not fit.

Problem: whoever waits for the other tools of a round must not wait for one that never begins.

Mechanism: while active, `ToolManager.validate_tool_call` is wrapped, by which an agent looks at all calls of a response
before it runs the first of them. A call that is found invalid is told.

Guarantee: results and exceptions are untouched, and after the block the class is what it was.
"""

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, Self

from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tool_manager import ToolManager, ValidatedToolCall

from harness.patching import Patch

__all__ = ["ToolRefusals"]


class ToolRefusals:
    """A context manager that tells of each refused call, by its `tool_call_id`, in the agent's task."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._patch: Patch | None = None

    def __enter__(self) -> Self:
        original: Any = ToolManager.validate_tool_call
        told = self._told

        @wraps(original)
        async def validate_tool_call(
            manager: ToolManager[Any], call: ToolCallPart, **options: Any
        ) -> ValidatedToolCall[Any]:
            try:
                validated: ValidatedToolCall[Any] = await original(manager, call, **options)
            except UnexpectedModelBehavior:  # it has been asked to try again often enough
                told(call.tool_call_id)
                raise
            if not validated.args_valid:
                told(call.tool_call_id)
            return validated

        self._patch = Patch(ToolManager, "validate_tool_call", validate_tool_call)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        patch, self._patch = self._patch, None
        if patch is not None:
            patch.restore()
