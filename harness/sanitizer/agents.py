"""Which tool call the current task works for, where Pydantic AI runs it.

Mechanism: a function tool's call sets a context variable in the tool's own task; tasks and threads that the tool
creates inherit it, and SQLAlchemy's greenlets run in the context of the task that drives them.

Guarantee: without Pydantic AI, and outside of a tool, there is no caller. Nothing of the run is kept but two names.
Pydantic AI is not loaded for this, because that takes seconds which a suite without agents need not wait.
"""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple

from wrapt import register_post_import_hook

from harness.patching import Patches

__all__ = ["Caller", "current_tool", "install", "when_loaded"]
__tracebackhide__ = True

_MODULE = "pydantic_ai.toolsets.function"


class Caller(NamedTuple):
    """On whose behalf a session is used."""

    tool: str | None = None
    tool_call_id: str | None = None
    turn: str | None = None


_caller: ContextVar[Caller | None] = ContextVar("sessionproof_caller", default=None)
current_tool: Callable[[], Caller | None] = _caller.get
"""The current tool call, if there is one."""


def install(patches: Patches) -> None:
    """Instrument Pydantic AI's function tools, if it is loaded."""
    module = sys.modules.get(_MODULE)
    if module is not None:
        toolset = module.FunctionToolset
        patches.replace(toolset, "call_tool", _called(toolset.call_tool))


def when_loaded(instrument: Callable[[], None]) -> None:
    """Call `instrument` once, as soon as Pydantic AI's function tools are loaded; at once if they are."""
    register_post_import_hook(lambda _: instrument(), _MODULE)


def _called(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def call_tool(self: Any, name: str, tool_args: Any, ctx: Any, tool: Any) -> Any:
        token = _caller.set(Caller(tool=name, tool_call_id=getattr(ctx, "tool_call_id", None)))
        try:
            return await original(self, name, tool_args, ctx, tool)
        finally:
            _caller.reset(token)

    return call_tool
