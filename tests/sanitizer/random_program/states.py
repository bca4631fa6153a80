"""The primitives of a program that runs, and what happened to each."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.sanitizer.happens_before import Actor, Event

__all__ = [
    "MAKE_LOCK",
    "MAKE_QUEUE",
    "BarrierState",
    "ConditionState",
    "EventState",
    "FutureState",
    "QueueState",
    "SignalState",
]


class FutureState:
    """A future, and what completed it."""

    def __init__(self) -> None:
        self.real: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.completed: Event | None = None
        self.by: Actor | None = None

    def complete(self, moment: Event, actor: Actor) -> None:
        if self.completed is None:
            self.completed, self.by = moment, actor

    def causes(self) -> list[Event]:
        """What completed it, if that has happened."""
        return [] if self.completed is None else [self.completed]

    def is_untold(self) -> bool:
        """Whether it was cancelled by way of a task that had not yet waited for it when that was told of.

        Only then is the future asked: asking it would order this after who completed it.
        """
        return self.completed is None and self.real.done()


class EventState:
    """An event, and what set it."""

    def __init__(self) -> None:
        self.real = asyncio.Event()
        self.sets: list[Event] = []


class QueueState:
    """A queue, what was put into it and what was got."""

    def __init__(self, real: "asyncio.Queue[object]") -> None:
        self.real = real
        self.items: dict[object, Event] = {}
        self.puts = 0
        self.gets: list[Event] = []
        self.done: list[Event] = []
        self.unfinished = 0


class ConditionState:
    """A condition, and who notified it."""

    def __init__(self) -> None:
        self.real = asyncio.Condition()
        self.notified: list[Event] = []


class BarrierState:
    """A barrier, and who has arrived."""

    def __init__(self, parties: int) -> None:
        self.real = asyncio.Barrier(parties)
        self.arrived: list[Event] = []
        self.inside = 0

    def is_filled(self) -> bool:
        return len(self.arrived) == self.real.parties


class SignalState:
    """A semaphore that starts at zero, and who released it."""

    def __init__(self) -> None:
        self.real = asyncio.Semaphore(0)
        self.released: list[Event] = []


MAKE_QUEUE: tuple[Callable[[], "asyncio.Queue[object]"], ...] = (
    asyncio.Queue,
    partial(asyncio.Queue, 1),
    asyncio.LifoQueue,
)


MAKE_LOCK: dict[str, Callable[[], Any]] = {
    "lock": asyncio.Lock,
    "semaphore of one": partial(asyncio.Semaphore, 1),
    "bounded semaphore of one": partial(asyncio.BoundedSemaphore, 1),
    "semaphore of two": partial(asyncio.Semaphore, 2),
}
