"""Task groups: all children's work happened before the group's end, not only the last one's.

Problem: a group waits on one future, which the last child to finish completes; what the others did travels in the
group's counters.

Mechanism: asyncio's `TaskGroup` notes what each task did when it is done. anyio's does so by a callback on each task
that it spawned. Whoever leaves the group acquires it all.

Guarantee: a group that stays open remembers one clock, however many tasks end in it.
"""

import sys
from asyncio import taskgroups
from collections.abc import Callable
from functools import wraps
from typing import Any

from harness.patching import Patches
from harness.sanitizer.clocks import EMPTY
from harness.sanitizer.runtime import runtime

__all__ = ["install"]
__tracebackhide__ = True

_live = runtime.clocks.live


def install(patches: Patches) -> None:
    """Instrument `asyncio.TaskGroup`, and anyio's if it is loaded."""
    group: Any = taskgroups.TaskGroup
    patches.replace(group, "_on_task_done", _on_task_done(group._on_task_done))  # noqa: SLF001  # asyncio's own
    patches.replace(group, "__aexit__", _leave(group.__aexit__))
    backend = sys.modules.get("anyio._backends._asyncio")
    if backend is not None:
        patches.replace(backend.TaskGroup, "_spawn", _spawn(backend.TaskGroup._spawn))  # noqa: SLF001  # anyio's own
        patches.replace(backend.TaskGroup, "__aexit__", _leave(backend.TaskGroup.__aexit__))


def _collect(group: Any, task: Any) -> None:
    if _live:
        group._sessionproof = runtime.joined(  # noqa: SLF001  # both kinds of groups have a dictionary
            getattr(group, "_sessionproof", EMPTY), runtime.done_by(task)
        )


def _on_task_done(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def on_task_done(self: Any, task: Any) -> None:
        _collect(self, task)
        original(self, task)

    return on_task_done


def _leave(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def leave(self: Any, *error: Any) -> Any:
        try:
            return await original(self, *error)
        finally:
            runtime.acquire(getattr(self, "_sessionproof", EMPTY))

    return leave


def _spawn(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def spawn(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active:
            return original(self, *args, **kwargs)
        before = set(self._tasks)
        handle = original(self, *args, **kwargs)
        for task in self._tasks - before:
            task.add_done_callback(lambda done: _collect(self, done))
        return handle

    return spawn
