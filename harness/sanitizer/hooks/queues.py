"""asyncio's queues: an item orders who put it before who got it.

Mechanism: a queue keeps the clocks of the puts by the items' identity, those of the gets by the slots that they made
free, and that of `task_done`.

Guarantee: an item orders its producer before its consumer, and in a bounded queue the consumer before the producer who
takes the slot; no others. Queues of database libraries hand over pooled connections and order nobody.
"""

from asyncio import queues
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any

from harness.patching import Patches
from harness.sanitizer.clocks import EMPTY, Clock
from harness.sanitizer.hooks.primitives import quiet, used_by_a_database_library
from harness.sanitizer.runtime import runtime

__all__ = ["install"]
__tracebackhide__ = True

_live = runtime.clocks.live


def install(patches: Patches) -> None:
    """Instrument `asyncio.queues`."""
    for name, wrap in _QUEUE.items():
        patches.replace(queues.Queue, name, wrap(getattr(queues.Queue, name)))


class _Traffic:
    """What is in a queue, by identity of the items, and the clocks of those who made room in it."""

    __slots__ = ("done", "items", "puts", "slots")

    def __init__(self, puts: int) -> None:
        self.items: dict[int, deque[Clock]] = {}
        self.slots: deque[Clock] = deque()
        self.puts = puts
        self.done = EMPTY


def _traffic(queue: Any) -> _Traffic | None:
    """The traffic of a queue; `None` if a database library uses it to hand over connections."""
    try:
        found: _Traffic | None = queue._sessionproof  # noqa: SLF001  # queues have a dictionary
    except AttributeError:
        found = runtime.looked_up(_new_traffic, queue, None)
    return found


def _new_traffic(queue: Any) -> _Traffic | None:
    found = None if used_by_a_database_library() else _Traffic(queue.qsize())
    queue._sessionproof = found  # noqa: SLF001  # as above
    return found


def _put_nowait(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def put_nowait(self: Any, item: Any) -> None:
        traffic = _traffic(self) if runtime.active else None
        original(self, item)
        if traffic is None:
            return
        if self._maxsize > 0:
            traffic.puts += 1
            if traffic.puts > self._maxsize and traffic.slots:
                runtime.acquire(traffic.slots.popleft())
        if _live:
            traffic.items.setdefault(id(item), deque()).append(runtime.release())

    return put_nowait


def _get_nowait(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def get_nowait(self: Any) -> Any:
        traffic = _traffic(self) if runtime.active else None
        item = original(self)
        if traffic is None:
            return item
        if traffic.items:
            clocks = traffic.items.get(id(item))
            if clocks:
                runtime.acquire(clocks.popleft())
            if self.empty():
                traffic.items.clear()
            elif clocks is not None and not clocks:
                del traffic.items[id(item)]
        if self._maxsize > 0:
            traffic.slots.append(runtime.release() if _live else EMPTY)
        return item

    return get_nowait


def _task_done(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def task_done(self: Any) -> None:
        if _live and (traffic := _traffic(self)) is not None:
            traffic.done = runtime.joined(traffic.done, runtime.release())
        original(self)

    return task_done


def _join(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def join(self: Any) -> None:
        await original(self)
        if _live and (traffic := _traffic(self)) is not None:
            runtime.acquire(traffic.done)

    return join


_QUEUE: dict[str, Callable[..., Any]] = {
    "put_nowait": _put_nowait,
    "get_nowait": _get_nowait,
    "task_done": _task_done,
    "join": _join,
    "_wakeup_next": quiet,
}
