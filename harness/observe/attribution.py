"""Who is at work: which turn, which tool call, which task.

Problem: an SQL statement, a log record or a pool event does not say on whose behalf it happens.

Mechanism: context variables. Whoever sends a turn sets `current_turn` in the turn's own task; the tool
recorders set `current_tool` and `current_tool_call`, the tool's name and the call's id, in the tool's own
task. Tasks and worker threads copy their creator's context, and SQLAlchemy's greenlets run in the context
of the task that drives them, so that they are right inside event hooks, and also in the task of its own in
which SQLAlchemy 2.1 closes a session.

Guarantee: `attributed` never raises. It names the creator's turn for work that a turn leaves behind.
"""

import asyncio
import threading
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Attribution", "attributed", "current_tool", "current_tool_call", "current_turn"]

current_turn: ContextVar[str | None] = ContextVar("current_turn", default=None)
current_tool: ContextVar[str | None] = ContextVar("current_tool", default=None)
current_tool_call: ContextVar[str | None] = ContextVar("current_tool_call", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """On whose behalf something happened; `task` is the name of the asyncio task, or else of the thread."""

    turn: str | None
    tool_call_id: str | None
    task: str


def attributed() -> Attribution:
    """On whose behalf the caller runs."""
    return Attribution(turn=current_turn.get(), tool_call_id=current_tool_call.get(), task=_task_name())


def _task_name() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.current_thread().name if task is None else task.get_name()
