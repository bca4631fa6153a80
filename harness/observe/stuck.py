"""Where every task waits, for a turn that does not end.

Problem: a deadlock raises nothing; all that can be seen is where each task stands.

Mechanism: a suspended task's coroutines are followed from the outermost to the innermost through what
each awaits.

Guarantee: all tasks of the running loop but the caller's own. A stack has the application's frames, and
then the innermost frame, whose it may be, because it says what is waited for.
"""

import asyncio
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from harness.evidence import StuckTask
from harness.stacks import application_stack, format_stack

__all__ = ["awaited", "stuck_tasks"]

_LINKS = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


def stuck_tasks() -> tuple[StuckTask, ...]:
    """All other tasks that are not done, by name."""
    own = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not own]
    return tuple(
        StuckTask(name=task.get_name(), stack=_stack(task)) for task in sorted(tasks, key=lambda task: task.get_name())
    )


def _stack(task: asyncio.Task[Any]) -> tuple[str, ...]:
    pairs = tuple(awaited(task.get_coro()))
    shown = application_stack(pairs)
    innermost = pairs[-1:]
    return format_stack(shown if innermost == shown[-1:] else shown + innermost)


def awaited(awaitable: object) -> Iterator[tuple[CodeType, int]]:
    """Frames of a coroutine and of what it awaits, outermost first; futures and C awaitables have none."""
    while awaitable is not None:
        for frame_name, next_name in _LINKS:
            frame = getattr(awaitable, frame_name, None)
            if isinstance(frame, FrameType):
                yield frame.f_code, frame.f_lineno
                awaitable = getattr(awaitable, next_name)
                break
        else:
            return
