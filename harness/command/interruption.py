"""Signals that ask a measurement to end: the first one after what is going on, the second one at once."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Interruption"]


@dataclass(slots=True)
class Interruption:
    """Whether somebody asked for the end, by which signal; further ones are for those who clean up to bear."""

    signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of SIGINT and SIGTERM; the second one cancels the task that listens."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._take, number, task)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _take(self, number: int, task: "asyncio.Task[object] | None") -> None:
        if self.signal is not None and task is not None and not task.cancelling():
            task.cancel()
        self.signal = number
