"""What became of a turn: what the model asked for, what the tools did, the answer, and what was left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from harness.evidence.record import Interval

__all__ = ["Answer", "PlannedCall", "StuckTask", "ToolOutcome", "ToolRun", "Turn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A tool call that the scripted model makes: `round` counts from 0; `may_fail` if its error is intended.

    Its first statement takes `database_seconds` longer, and the model takes `provider_seconds` for the answer that it
    asks for. It is to do so many `operations`, one after the other.
    """

    tool_call_id: str
    tool: str
    role: str
    round: int
    database_seconds: float = 0.0
    may_fail: bool = False
    provider_seconds: float = 0.0
    operations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the backend answered: `llm_request_id` is `None` if it says that no row bills the turn."""

    text: str
    llm_request_id: UUID | None
    session_id: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckTask:
    """A task that was still running when a turn timed out, with its stack, innermost frame last."""

    name: str
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One user message and what came of it.

    Exactly one of `answer`, `error` and `timed_out` is set. `tenant` and `agent` are the slugs it was sent to.
    `parallel` is false for the sequential half of a timing pair. `interrupted` says how the harness itself ended the
    turn, if it did: a client that went away, a task that was cancelled; its `error` is then no finding.
    `to_be_answered` says whether the experiment needs an answer, or that there is none; `None` if it does not care.
    If it is `chosen`, the `planned` calls are those that the model made by itself, but for those whose ids are
    `refused`: these name no tool that there is, or give arguments that it does not take, and so did not run.
    """

    id: str
    tenant: str
    agent: str
    message: str
    interval: Interval
    planned: tuple[PlannedCall, ...]
    planned_responses: int
    stream: bool = False
    parallel: bool = True
    answer: Answer | None = None
    error: str | None = None
    error_type: str | None = None
    timed_out: bool = False
    stuck: tuple[StuckTask, ...] = ()
    interrupted: str | None = None
    to_be_answered: bool | None = None
    chosen: bool = False
    refused: tuple[str, ...] = ()


class ToolOutcome(StrEnum):
    """How a tool call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """One run of one tool: the time from its start to its end in its own task."""

    tool: str
    tool_call_id: str
    turn: str | None
    task: str
    interval: Interval
    outcome: ToolOutcome
    error_type: str | None = None
