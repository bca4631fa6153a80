"""Signals that ask for the end, noted instead of obeyed, by whoever ends in an order of its own."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["signals_noted"]


@contextmanager
def signals_noted() -> Iterator[list[signal.Signals]]:
    """The signals that came, instead of what they would do; SIGHUP only where it is not ignored (nohup)."""
    received: list[signal.Signals] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))

    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, receive) for number in wanted}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
