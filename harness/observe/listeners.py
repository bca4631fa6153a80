"""SQLAlchemy event listeners that go as they came.

Problem: a listener that stays behind keeps recording into a run that is over, and holds its recorder
alive.

Mechanism and guarantee: every listener is added through one `Listeners`, and `remove_all` removes them,
also from a pool that took the place of another when the engine was disposed of (SQLAlchemy's registry
follows the copies).
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

__all__ = ["Listeners"]


class Listeners:
    """Listeners of one owner."""

    def __init__(self) -> None:
        self._added: list[tuple[Any, str, Callable[..., Any]]] = []

    def add(self, target: Any, name: str, listener: Callable[..., Any], *, named: bool = False) -> None:
        """Listen; `named` passes the event's arguments by name."""
        event.listen(target, name, listener, named=named)
        self._added.append((target, name, listener))

    def remove_all(self) -> None:
        """Stop listening; harmless when called twice."""
        while self._added:
            target, name, listener = self._added.pop()
            if event.contains(target, name, listener):
                event.remove(target, name, listener)
