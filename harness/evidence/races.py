"""Accesses to one session that nothing ordered, and where in the code they are."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AccessSeen", "PlaceSeen", "RaceKind", "SessionRace"]


class RaceKind(StrEnum):
    """How two accesses to one session, or to one connection, are wrong together."""

    OVERLAP = "overlap"
    """The second began while the first was in flight: a proof."""
    UNORDERED = "unordered"
    """They did not overlap, but nothing orders them, and no lock keeps them apart: in another run they can."""
    BLEED = "bleed"
    """A commit or rollback covered unfinished writes of another task that is still at work."""
    FOREIGN_THREAD = "foreign_thread"
    """A session that belongs to an event loop was used in a thread that does not run it."""
    FOREIGN_LOOP = "foreign_loop"
    """A session that belongs to one event loop was used in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSeen:
    """A line of the application: the file as Python names it, the line from 1, and the function's qualified name."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSeen:
    """One use of a session or connection: what was called, by which task, and from where.

    `stack` has the application's frames, innermost last, across greenlets; the library's own, if there are no others.
    `task_created` has the frames in which the task was created, where that was seen. `tool` and `tool_call_id` are set
    if the task runs a tool of a Pydantic AI agent.
    """

    operation: str
    task: str
    stack: tuple[PlaceSeen, ...] = ()
    task_created: tuple[PlaceSeen, ...] = ()
    turn: str | None = None
    tool: str | None = None
    tool_call_id: str | None = None

    @property
    def place(self) -> PlaceSeen | None:
        """Where it was called; `None` if no frame of it is known."""
        return self.stack[-1] if self.stack else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRace:
    """Two accesses to one object that may not meet; `count` says how often the same two places did.

    `subject` names the object (`Session 3`, `asyncpg.Connection 1`), `subject_created` has the frames in which it was
    made, where that was seen. For `BLEED` the first access is the write, and the second the commit or rollback.
    """

    kind: RaceKind
    subject: str
    first: AccessSeen
    second: AccessSeen
    at: float
    subject_created: tuple[PlaceSeen, ...] = ()
    count: int = 1
