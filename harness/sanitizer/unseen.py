"""Work in the watched process that is no part of the watched program.

Problem: whoever controls a program holds and releases its tasks, by futures and callbacks of the program's own event
loop. What it lets go one after the other would seem to be ordered by the program.

Mechanism: what is scheduled, completed or woken within the block releases nothing, and what is read in it acquires
nothing.

Guarantee: nothing else of the thread runs within the block, because it may not await. Without a watch it does nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.sanitizer.runtime import runtime

__all__ = ["unseen"]


@contextmanager
def unseen() -> Iterator[None]:
    """What happens in the block orders nobody; there must be no `await` in it."""
    local = runtime.local
    local.quiet += 1
    try:
        yield
    finally:
        local.quiet -= 1
