"""An event loop that is held for good: nothing in its process can end that but a thread that Python does not run.

Mechanism: `faulthandler` ends the process after a time, and writes every thread's stack into a file, where the process
that started this one finds them. Every turn has its time anew, because nobody knows beforehand how many there will be.
"""

import faulthandler
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

__all__ = ["SPARE_SECONDS", "Watchdog"]

SPARE_SECONDS = 60.0
"""How much longer than a turn it may take: whatever can still end by itself does so first."""


class Watchdog:
    """Ends the process if nothing goes on in it; the stacks are left in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rearm: Callable[[], None] | None = None

    @contextmanager
    def watching(self, seconds: float) -> Iterator[None]:
        """Give each turn meanwhile so many seconds, and some to spare."""
        with (self._folder / f"{os.getpid()}.txt").open("w", encoding="utf-8") as stream:
            limit = seconds + SPARE_SECONDS
            self._rearm = partial(faulthandler.dump_traceback_later, limit, exit=True, file=stream)
            self._rearm()
            try:
                yield
            finally:
                self._rearm = None
                faulthandler.cancel_dump_traceback_later()

    def goes_on(self) -> None:
        """The event loop is not held: it is about to send turns."""
        if self._rearm is not None:
            self._rearm()

    def left_stacks(self) -> str:
        """What processes that had to be ended wrote: the innermost frames of their main threads."""
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(self._folder.glob("*.txt"))]
        return "\n".join(text.strip() for text in texts if text.strip())
